using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace WhatsAspire.ServiceDefaults;

/// <summary>
/// Ends this process when the process that it was started for is gone. The orchestrator does that too, but only while
/// it lives itself: without the watch, a kill of both leaves services that hold ports and the locks of data folders.
/// </summary>
internal sealed class ParentWatch(
    ProcessIdentity parent, IHostApplicationLifetime lifetime, TimeProvider time, ILogger<ParentWatch> logger)
    : BackgroundService
{
    /// <summary>How often the parent is looked at; with the service's own shutdown it bounds how long an orphan lives.</summary>
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        while (parent.IsAlive())
            await timer.WaitForNextTickAsync(stoppingToken);

        logger.ParentIsGone(parent.ProcessId);
        lifetime.StopApplication();
    }
}

/// <summary>Adds the watch where a parent is named.</summary>
internal static class ParentWatchRegistration
{
    public static void AddParentWatch(this IHostApplicationBuilder builder)
    {
        var parent = builder.Configuration[ProcessIdentity.ParentVariable];
        if (string.IsNullOrEmpty(parent))
            return;

        builder.Services.AddSingleton(ProcessIdentity.Parse(parent));
        builder.Services.AddHostedService<ParentWatch>();
    }
}
