using System.Diagnostics;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace WhatsAspire.AppHost;

/// <summary>
/// The orchestrator asks again only after a growing number of seconds when a service was not yet healthy, which adds up
/// along a chain of services that wait for each other. So a check itself waits a little for one that is just starting.
/// </summary>
internal static class Patience
{
    private static readonly TimeSpan InAll = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan Between = TimeSpan.FromSeconds(0.1);

    /// <summary>Probes until the answer is healthy, or for 3 s, and gives the last answer.</summary>
    public static async Task<HealthCheckResult> UntilHealthyAsync(
        Func<CancellationToken, Task<HealthCheckResult>> probe, CancellationToken cancellationToken)
    {
        var started = Stopwatch.GetTimestamp();
        while (true)
        {
            var result = await probe(cancellationToken);
            if (result.Status == HealthStatus.Healthy || Stopwatch.GetElapsedTime(started) > InAll)
                return result;
            await Task.Delay(Between, cancellationToken);
        }
    }
}
