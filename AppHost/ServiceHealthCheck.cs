using System.Text.Json.Nodes;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace WhatsAspire.AppHost;

/// <summary>
/// Asks each replica of a service itself, not the proxy in front of them, whether it is ready; the dashboard then shows
/// the reason why not. Healthy when all are, degraded when some are.
/// </summary>
internal sealed class ServiceHealthCheck(IResource service, Replicas replicas) : IHealthCheck, IDisposable
{
    /// <summary>Where each replica was told to listen.</summary>
    private const string AddressVariable = $"Kestrel__Endpoints__{ResourceNames.Http}__Url";

    private readonly HttpClient _client = new() { Timeout = TimeSpan.FromSeconds(5) };

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Patience.UntilHealthyAsync(CheckOnceAsync, cancellationToken);

    public void Dispose() => _client.Dispose();

    private async Task<HealthCheckResult> CheckOnceAsync(CancellationToken cancellationToken)
    {
        var expected = service.GetReplicaCount();
        var problems = new List<string>();
        var ready = 0;
        foreach (var (id, state) in replicas.Of(service))
        {
            if (await ProblemAsync(state, cancellationToken) is { } problem)
                problems.Add($"{id}: {problem}");
            else
                ready++;
        }

        if (ready == expected)
            return HealthCheckResult.Healthy();
        var description = $"{ready} of {expected} replicas are ready. {string.Join("; ", problems)}";
        return ready > 0 ? HealthCheckResult.Degraded(description) : HealthCheckResult.Unhealthy(description);
    }

    /// <summary>Null when the replica is ready, else why not.</summary>
    private async Task<string?> ProblemAsync(CustomResourceSnapshot state, CancellationToken cancellationToken)
    {
        if (state.State?.Text != KnownResourceStates.Running)
            return "is not running";
        var address = state.EnvironmentVariables.FirstOrDefault(variable => variable.Name == AddressVariable)?.Value;
        if (address is null)
            return "has no address yet";

        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(new Uri(address), "/health/ready"));
            request.Headers.ConnectionClose = true;
            using var response = await _client.SendAsync(request, cancellationToken);
            return response.IsSuccessStatusCode ? null : FailedChecks(await response.Content.ReadAsStringAsync(cancellationToken));
        }
        catch (HttpRequestException cause)
        {
            return cause.Message;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return $"did not answer within {_client.Timeout.TotalSeconds:F0} s";
        }
    }

    private static string FailedChecks(string report)
    {
        var failed = JsonNode.Parse(report)?["checks"]?.AsArray()
            .Where(check => (string?)check?["status"] != nameof(HealthStatus.Healthy))
            .Select(check => $"{check?["name"]} is {check?["status"]} ({check?["description"] ?? "no reason given"})");
        return failed is null ? "is not ready" : string.Join(", ", failed);
    }
}
