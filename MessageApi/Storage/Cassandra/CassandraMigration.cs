using Microsoft.Extensions.Options;
using WhatsAspire.Cql;

namespace WhatsAspire.MessageApi.Storage.Cassandra;

/// <summary>Brings the keyspace up to date before any hosted service starts, the web server among them.</summary>
internal sealed class CassandraMigration(
    ICqlSession session, IOptions<CassandraStoreOptions> options, TimeProvider time, ILogger<CassandraMigration> logger) : IHostedLifecycleService
{
    public async Task StartingAsync(CancellationToken cancellationToken)
    {
        foreach (var script in await new CassandraMigrations(session, options.Value, time).ApplyAsync(cancellationToken))
            logger.MigrationApplied(script);
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
