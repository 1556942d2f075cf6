namespace WhatsAspire.EmbeddedRedis;

/// <summary>A folder that one process owns. The lock is the operating system's: it ends with the process, however that ends.</summary>
internal sealed class DataFolder : IDisposable
{
    private const string LockName = "lock";

    private readonly FileStream _lock;

    /// <summary>Makes the folder if it is not there, and takes it.</summary>
    /// <exception cref="IOException">It can't be made or written, or another process has it; the message says which.</exception>
    public DataFolder(string path)
    {
        FullPath = Path.GetFullPath(path);
        Directory.CreateDirectory(FullPath);
        try
        {
            _lock = new FileStream(
                Path.Combine(FullPath, LockName), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException cause)
        {
            throw new IOException($"The data folder {FullPath} is in use by another process.", cause);
        }
    }

    /// <summary>The folder, as an absolute path.</summary>
    public string FullPath { get; }

    public void Dispose() => _lock.Dispose();
}
