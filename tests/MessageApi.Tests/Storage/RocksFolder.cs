using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using WhatsAspire.MessageApi.Storage.Rocks;

namespace WhatsAspire.MessageApi.Tests.Storage;

/// <summary>A folder for a store, removed with everything in it.</summary>
internal sealed class RocksFolder : IDisposable
{
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();

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
}
