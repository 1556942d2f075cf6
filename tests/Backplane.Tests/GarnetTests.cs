using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using WhatsAspire.Conformance;
using WhatsAspire.EmbeddedRedis;
using WhatsAspire.LocalEngines;

namespace WhatsAspire.Backplane.Tests;

/// <summary>Garnet in this process, as the embedded engine sets it up.</summary>
[Trait("Requirement", "R51")]
public sealed class GarnetTests : RedisConformance
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("whatsaspire-garnet-");
    private readonly int _port = FreePorts.Take(1)[0];
    private EmbeddedRedisServer? _server;

    protected override async Task<string> StartAsync()
    {
        if (_server is null) await StartAgainAsync();
        return $"127.0.0.1:{_port}";
    }

    protected override async Task StartAgainAsync()
    {
        var options = new EmbeddedRedisOptions { Port = _port, DataPath = _folder.FullName };
        _server = new(Options.Create(options), NullLoggerFactory.Instance, NullLogger<EmbeddedRedisServer>.Instance);
        await _server.StartAsync(Cancel);
    }

    // In one process there is no killing it: what is lost by a kill, the tests of the whole system show.
    protected override async Task KillAsync()
    {
        if (_server is null) return;
        await _server.StopAsync(Cancel);
        _server.Dispose();
        _server = null;
    }

    protected override async ValueTask EndAsync()
    {
        await KillAsync();
        _folder.Delete(recursive: true);
    }
}
