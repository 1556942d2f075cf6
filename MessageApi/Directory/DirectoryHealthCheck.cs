using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace WhatsAspire.MessageApi.Directory;

/// <summary>Healthy while the directory answers.</summary>
internal sealed class DirectoryHealthCheck(SqlDirectory directory) : IHealthCheck
{
    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken)
    {
        try
        {
            await directory.PingAsync(cancellationToken);
            return HealthCheckResult.Healthy("the directory answers");
        }
        catch (Exception e) when (directory.Problem(e) is not null)
        {
            return new(context.Registration.FailureStatus, $"the directory does not answer: {directory.Problem(e)}", e);
        }
    }
}
