using System.Globalization;
using System.Net;
using Garnet;
using Garnet.server;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Tsavorite.core;

namespace WhatsAspire.EmbeddedRedis;

/// <summary>
/// Garnet inside this process: what it holds is written to a log, and read back from there at the next start. It
/// answers on 127.0.0.1 only, and without a password, as Redis on a developer's machine does.
/// </summary>
internal sealed class EmbeddedRedisServer(
    IOptions<EmbeddedRedisOptions> options, ILoggerFactory loggers, ILogger<EmbeddedRedisServer> logger)
    : IHostedService, IDisposable
{
    private DataFolder? _folder;
    private GarnetServer? _server;

    public Task StartAsync(CancellationToken cancellationToken)
    {
        var settings = options.Value;
        _folder = new DataFolder(settings.DataPath);
        _server = new GarnetServer(ToGarnet(settings, _folder.FullPath), loggers);
        _server.Start();
        logger.Listening(settings.Port, _folder.FullPath);
        return Task.CompletedTask;
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        if (_server is not null)
            await _server.Store.CommitAOFAsync(cancellationToken);
    }

    public void Dispose()
    {
        _server?.Dispose(deleteDir: false);
        _folder?.Dispose();
    }

    /// <summary>
    /// Garnet's own sizes are for a machine that it has to itself (16 GiB of log, 128 MiB of index, 128 MiB of
    /// buffers). These hold a developer's data in memory and let the rest go to disk. Each page must fit twice into
    /// its log, and a page of the main log twice into one of the append-only file.
    /// </summary>
    private GarnetServerOptions ToGarnet(EmbeddedRedisOptions settings, string path) => new(loggers.CreateLogger("Garnet"))
    {
        EndPoints = [new IPEndPoint(IPAddress.Loopback, settings.Port)],
        QuietMode = true,
        LogDir = path,
        CheckpointDir = path,

        // The asynchronous device of the system needs libaio, which plain machines lack.
        DeviceFactoryCreator = new LocalStorageNamedDeviceFactoryCreator(deviceType: DeviceType.RandomAccess),
        DeviceType = DeviceType.RandomAccess,

        EnableStorageTier = true,
        LogMemorySize = string.Create(CultureInfo.InvariantCulture, $"{settings.MemoryMiB}m"),
        PageSize = "512k",
        SegmentSize = "64m",
        ObjectLogSegmentSize = "64m",
        IndexMemorySize = "4m",
        BufferPoolMemoryBudget = "16m",

        EnableAOF = true,
        Recover = true,
        FailOnRecoveryError = true,
        CommitFrequencyMs = (int)settings.CommitInterval.TotalMilliseconds,
        AofMemorySize = "4m",
        AofPageSize = "1m",
        AofSegmentSize = "16m",
        // Above this a checkpoint is taken and the file cut: otherwise heartbeats alone would let it grow for ever.
        AofSizeLimit = "64m",

        EnableLua = true,
        LuaOptions = new LuaOptions(
            LuaMemoryManagementMode.Native, "", Timeout.InfiniteTimeSpan, LuaLoggingMode.Enable, [], loggers.CreateLogger("Garnet.Lua")),
    };
}
