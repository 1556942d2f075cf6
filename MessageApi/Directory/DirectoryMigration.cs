using WhatsAspire.MessageApi.Users;

namespace WhatsAspire.MessageApi.Directory;

/// <summary>Brings the directory's schema up to date before any hosted service starts, the web server among them. While
/// the database is away it waits for it: a process that ended instead would only be started again.</summary>
internal sealed class DirectoryMigration(SqlDirectory directory, TimeProvider time, ILogger<DirectoryMigration> log) : IHostedLifecycleService
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(5);

    public async Task StartingAsync(CancellationToken cancellationToken)
    {
        for (var pause = FirstPause; ; pause = pause * 2 < LongestPause ? pause * 2 : LongestPause)
        {
            try
            {
                foreach (var script in await directory.MigrateAsync(time.GetUtcNow(), cancellationToken))
                    UsersLog.MigrationApplied(log, script);
                return;
            }
            catch (Exception e) when (directory.IsAway(e))
            {
                UsersLog.DirectoryIsAway(log, directory.Problem(e), pause.TotalSeconds);
            }

            await Task.Delay(pause, time, cancellationToken);
        }
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
