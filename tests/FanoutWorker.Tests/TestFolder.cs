namespace WhatsAspire.FanoutWorker.Tests;

/// <summary>A folder of the test's own that goes with it.</summary>
internal sealed class TestFolder : IDisposable
{
    public string Path { get; } = System.IO.Directory.CreateTempSubdirectory("whatsaspire-fanout-").FullName;

    public string File(string name) => System.IO.Path.Combine(Path, name);

    public void Dispose() => System.IO.Directory.Delete(Path, recursive: true);
}
