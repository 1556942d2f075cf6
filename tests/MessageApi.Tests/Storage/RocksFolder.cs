using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using WhatsAspire.MessageApi.Storage.Rocks;

namespace WhatsAspire.MessageApi.Tests.Storage;

/// <summary>A folder for a store, removed with everything in it.</summary>
internal sealed class RocksFolder : IDisposable
{
    // A new folder takes dozens of syncs to disk, a copy of one none.
    private static readonly Lazy<Dictionary<string, byte[]>> Empty = new(MakeEmpty);

    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();

    public RocksFolder()
    {
        foreach (var (name, bytes) in Empty.Value) File.WriteAllBytes(System.IO.Path.Combine(Path, name), bytes);
    }

    public string Path { get; } = System.IO.Directory.CreateTempSubdirectory("whatsaspire-store-").FullName;

    public IMeterFactory Meters => _services.GetRequiredService<IMeterFactory>();

    public RocksMessageStore Open(Action<RocksStoreOptions>? configure = null) => Open(Path, Meters, configure);

    public static RocksMessageStore Open(string path, IMeterFactory meters, Action<RocksStoreOptions>? configure = null)
    {
        var options = new RocksStoreOptions { Path = path, ReopenInterval = TimeSpan.FromMilliseconds(20) };
        configure?.Invoke(options);
        return new(Options.Create(options), meters, TimeProvider.System, NullLogger<RocksMessageStore>.Instance);
    }

    public void Dispose()
    {
        _services.Dispose();
        System.IO.Directory.Delete(Path, recursive: true);
    }

    private static Dictionary<string, byte[]> MakeEmpty()
    {
        var path = System.IO.Directory.CreateTempSubdirectory("whatsaspire-store-").FullName;
        using var services = new ServiceCollection().AddMetrics().BuildServiceProvider();
        Open(path, services.GetRequiredService<IMeterFactory>()).DisposeAsync().AsTask().GetAwaiter().GetResult();
        var files = System.IO.Directory.GetFiles(path).ToDictionary(f => System.IO.Path.GetFileName(f), File.ReadAllBytes);
        System.IO.Directory.Delete(path, recursive: true);
        return files;
    }
}
