using System.Collections.Concurrent;
using Microsoft.Extensions.Hosting;

namespace WhatsAspire.AppHost;

/// <summary>The last known state of each replica of our services; the application model knows only the services.</summary>
internal sealed class Replicas(ResourceNotificationService notifications) : BackgroundService
{
    private readonly ConcurrentDictionary<string, CustomResourceSnapshot> _states = new();
    private readonly ConcurrentDictionary<string, IResource> _services = new();

    /// <summary>The replicas that a service has had in this run, with their states.</summary>
    public IEnumerable<(string Id, CustomResourceSnapshot State)> Of(IResource service)
    {
        foreach (var (id, state) in _states)
        {
            if (_services[id] == service)
                yield return (id, state);
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await foreach (var change in notifications.WatchAsync(stoppingToken))
        {
            if (change.Resource is not ProjectResource)
                continue;
            _services[change.ResourceId] = change.Resource;
            _states[change.ResourceId] = change.Snapshot;
        }
    }
}
