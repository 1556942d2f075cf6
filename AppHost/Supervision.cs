using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace WhatsAspire.AppHost;

/// <summary>
/// Starts each process of ours again that ended without being told to: the orchestrator only notes that it ended. What
/// somebody stopped in the dashboard stays stopped, and so does everything while this process ends itself.
/// </summary>
internal sealed class Supervision(
    DistributedApplicationModel model,
    ResourceNotificationService notifications,
    ResourceCommandService commands,
    LastWords lastWords,
    IHostApplicationLifetime lifetime,
    TimeProvider time,
    ILogger<Supervision> logger) : BackgroundService
{
    private readonly Dictionary<string, ReplicaLife> _lives = [];

    /// <summary>
    /// Called when all was healthy once. From then on a service starts at once, whatever it depends on: services
    /// live with each other's absence, and after a failure of several none must wait for the others' recovery.
    /// </summary>
    public void EverythingHasStarted()
    {
        foreach (var service in model.Resources.OfType<ProjectResource>())
        {
            foreach (var wait in service.Annotations.OfType<WaitAnnotation>().ToArray())
                service.Annotations.Remove(wait);
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken, lifetime.ApplicationStopping);
        await foreach (var change in notifications.WatchAsync(stopping.Token))
        {
            if (change.Resource is not ProjectResource)
                continue;
            if (!_lives.TryGetValue(change.ResourceId, out var life))
                _lives.Add(change.ResourceId, life = new ReplicaLife(time));
            switch (life.Follow(change.Snapshot))
            {
                case ReplicaChange.EndedUnasked:
                    _ = RestartAsync(change.ResourceId, change.Snapshot.ExitCode, life.Deaths, stopping.Token);
                    break;
                case ReplicaChange.RunsAgain:
                    logger.RunsAgain(change.ResourceId, life.ProcessId);
                    break;
                default:
                    break;
            }
        }
    }

    /// <summary>Starts a replica again after its backoff, however many tries it takes.</summary>
    private async Task RestartAsync(string id, int? exitCode, int deaths, CancellationToken stopping)
    {
        try
        {
            // Before the start, with which a new log begins. Who was killed has said nothing.
            var why = exitCode > 0 ? await lastWords.OfAsync(id, stopping) : null;
            for (var started = false; !started; deaths++)
            {
                var delay = Backoff.Delay(deaths, Random.Shared.NextDouble());
                logger.Ended(id, exitCode, why is null ? "" : $" ({why})", delay.TotalSeconds);
                await Task.Delay(delay, time, stopping);
                var result = await commands.ExecuteCommandAsync(id, KnownResourceCommands.StartCommand, stopping);
                started = result.Success || !HasEnded(id);
                if (!result.Success)
                    logger.NotStarted(id, result.Message);
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            logger.NotStarted(id, "the system is stopping");
        }
    }

    private bool HasEnded(string id) =>
        notifications.TryGetCurrentState(id, out var current) && ReplicaLife.IsEnd(current.Snapshot.State?.Text);
}
