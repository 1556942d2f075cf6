using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;

namespace WhatsAspire.AppHost;

/// <summary>Tells on the console what runs, where, and when all of it is healthy.</summary>
internal sealed class StartupReport(
    AppHostOptions options,
    Topologies.Topology topology,
    DistributedApplicationModel model,
    ResourceNotificationService notifications,
    Supervision supervision,
    IConfiguration configuration,
    TimeProvider time) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        Console.WriteLine($"""
            engines: {topology.Name} ({topology.Reason})
            data: {options.DataPath}
            dashboard: {DashboardAddresses.LoginUrl(configuration)}
            """);
        await WaitUntilAllIsHealthyAsync(stoppingToken);
        supervision.EverythingHasStarted();
        using var process = Process.GetCurrentProcess();
        var took = time.GetUtcNow() - process.StartTime;
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"public address: http://localhost:{options.Port}\nready in {took.TotalSeconds:F1} s"));
    }

    private async Task WaitUntilAllIsHealthyAsync(CancellationToken stoppingToken)
    {
        var expected = model.Resources.OfType<ProjectResource>().Sum(service => service.GetReplicaCount());
        var healthy = new HashSet<string>();
        await foreach (var change in notifications.WatchAsync(stoppingToken))
        {
            if (change.Resource is not ProjectResource)
                continue;
            if (change.Snapshot.State?.Text == KnownResourceStates.Running && change.Snapshot.HealthStatus == HealthStatus.Healthy)
                healthy.Add(change.ResourceId);
            else
                healthy.Remove(change.ResourceId);
            if (healthy.Count == expected)
                return;
        }
    }
}
