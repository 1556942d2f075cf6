namespace WhatsAspire.AppHost;

/// <summary>
/// The folder of everything durable, which one AppHost owns at a time. The lock is the operating system's, and so ends
/// with the process, however that ends.
/// </summary>
internal sealed class DataFolder(string path) : IDisposable
{
    private FileStream? _lock;

    /// <summary>As an absolute path.</summary>
    public string FullPath => path;

    /// <summary>The subfolder of one resource.</summary>
    public string Of(string resource) => Path.Combine(path, resource);

    /// <summary>The file with settings for all services, which win over all others. It need not be there.</summary>
    public string SettingsFile => Path.Combine(path, "settings.json");

    /// <summary>Makes the folder if it is not there, and takes it.</summary>
    /// <exception cref="BadOptionException">It can't be made or written, or another AppHost has it.</exception>
    public void Take()
    {
        try
        {
            Directory.CreateDirectory(path);
            _lock = new FileStream(
                Path.Combine(path, "apphost.lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (Exception cause) when (cause is IOException or UnauthorizedAccessException)
        {
            var reason = Directory.Exists(path) && cause is IOException ? "another AppHost uses it" : cause.Message;
            throw new BadOptionException($"The data folder {path} can't be used: {reason}", cause);
        }
    }

    public void Dispose() => _lock?.Dispose();
}
