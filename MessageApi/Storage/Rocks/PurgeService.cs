using Microsoft.Extensions.Options;

namespace WhatsAspire.MessageApi.Storage.Rocks;

/// <summary>Runs <see cref="RocksMessageStore.PurgeAsync"/> at intervals.</summary>
internal sealed class PurgeService(
    RocksMessageStore store, IOptions<RocksStoreOptions> options, TimeProvider time, ILogger<PurgeService> logger) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(options.Value.PurgeInterval, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                var entries = await store.PurgeAsync(stoppingToken);
                if (entries > 0) logger.Purged(entries);
            }
            catch (Exception e) when (e is StoreUnavailableException or RocksDbSharp.RocksDbException)
            {
                logger.PurgeFailed(e);
            }
        }
    }
}
