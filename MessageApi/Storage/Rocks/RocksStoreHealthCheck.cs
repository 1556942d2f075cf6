using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace WhatsAspire.MessageApi.Storage.Rocks;

/// <summary>Unhealthy, with the reason, while the store's folder cannot be read or written.</summary>
internal sealed class RocksStoreHealthCheck(RocksMessageStore store) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(store.Fault is { } fault ? HealthCheckResult.Unhealthy(fault) : HealthCheckResult.Healthy());
}
