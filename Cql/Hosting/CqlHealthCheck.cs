using System.Globalization;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace WhatsAspire.Cql;

/// <summary>Healthy while some node answers.</summary>
internal sealed class CqlHealthCheck(CqlSession session) : IHealthCheck
{
    private static readonly CqlStatement Question = new("SELECT key FROM system.local")
    {
        Consistency = CqlConsistency.LocalOne,
        Timeout = TimeSpan.FromSeconds(2),
    };

    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        if (!session.IsConnected)
            return new(context.Registration.FailureStatus, session.NoHost().Message);
        try
        {
            await session.ExecuteAsync(Question.Bind(), cancellationToken);
            var nodes = session.Cluster.Map.Nodes;
            return HealthCheckResult.Healthy(string.Create(CultureInfo.InvariantCulture, $"{nodes.Count(node => node.IsUp)} of {nodes.Count} nodes are connected."));
        }
        catch (CqlException error)
        {
            return new(context.Registration.FailureStatus, error.Message, error);
        }
    }
}
