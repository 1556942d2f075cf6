using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using WhatsAspire.Cql;

namespace WhatsAspire.MessageApi.DataStax;

/// <summary>Registers the session.</summary>
public static class DataStaxRegistration
{
    /// <summary>Registers <see cref="ICqlSession"/> over the DataStax driver, with the connection string and the settings that
    /// <c>AddCassandra</c> has, and its health check.</summary>
    public static IHostApplicationBuilder AddDataStaxCassandra(this IHostApplicationBuilder builder, string connectionName)
    {
        ArgumentNullException.ThrowIfNull(builder);
        var options = new CqlOptions();
        builder.Configuration.GetSection(CqlOptions.SectionName).Bind(options);
        if (builder.Configuration.GetConnectionString(connectionName) is { } connection) options.Apply(connection);
        builder.Services.AddSingleton<ICqlSession>(_ => new DataStaxSession(options));
        builder.Services.AddHealthChecks().AddCheck<DataStaxHealthCheck>($"cassandra-{connectionName}", tags: ["ready"]);
        return builder;
    }

    /// <summary>Healthy when the cluster answers.</summary>
    private sealed class DataStaxHealthCheck(ICqlSession session) : IHealthCheck
    {
        private static readonly CqlStatement Ping = new("SELECT release_version FROM system.local") { IsIdempotent = true };

        public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
        {
            try
            {
                await session.ExecuteAsync(Ping.Bind(), cancellationToken);
                return HealthCheckResult.Healthy();
            }
            catch (CqlException e)
            {
                return new(context.Registration.FailureStatus, e.Message);
            }
        }
    }
}
