using WhatsAspire.MessageApi.Users;

namespace WhatsAspire.MessageApi.Directory;

/// <summary>Brings the directory's schema up to date before any hosted service starts, the web server among
/// them.</summary>
internal sealed class DirectoryMigration(SqlDirectory directory, TimeProvider time, ILogger<DirectoryMigration> log) : IHostedLifecycleService
{
    public async Task StartingAsync(CancellationToken cancellationToken)
    {
        foreach (var script in await directory.MigrateAsync(time.GetUtcNow(), cancellationToken))
            UsersLog.MigrationApplied(log, script);
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
