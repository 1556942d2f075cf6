using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;

namespace WhatsAspire.Backplane.Queue.Kafka;

/// <summary>Chooses Kafka for the queue.</summary>
public static class KafkaQueueRegistration
{
    public const string ConnectionName = "kafka";

    /// <summary>Reaches Kafka at the brokers of a connection string, with the settings of <c>Queue:Kafka</c>, and watches it
    /// with the health check <c>queue</c>, which reports <see cref="HealthStatus.Degraded"/>: what needs the queue
    /// waits, the rest goes on. Traces and metrics are those of <c>WhatsAspire.*</c>.</summary>
    /// <param name="builder">The application.</param>
    /// <param name="connectionName">The connection string's name.</param>
    /// <param name="configure">Changes settings after they were read.</param>
    public static IHostApplicationBuilder AddKafkaQueue(
        this IHostApplicationBuilder builder, string connectionName = ConnectionName, Action<KafkaQueueOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrEmpty(connectionName);
        builder.AddQueueCore();
        builder.Services.AddOptions<KafkaQueueOptions>()
            .BindConfiguration(KafkaQueueOptions.SectionName)
            .PostConfigure<IConfiguration>((options, configuration) =>
            {
                if (configuration.GetConnectionString(connectionName) is { Length: > 0 } servers) options.BootstrapServers = servers;
                configure?.Invoke(options);
            })
            .ValidateDataAnnotations()
            .Validate(o => o.BootstrapServers.Length > 0, $"ConnectionStrings:{connectionName} must name Kafka's brokers, as host:port,host:port.")
            .Validate(o => o.ReplicationFactor != 0, "Queue:Kafka:ReplicationFactor must be -1 or at least 1.")
            .Validate(
                o => o.ReplicationFactor < 0 || o.MinInSyncReplicas <= o.ReplicationFactor,
                "Queue:Kafka:MinInSyncReplicas must not be greater than Queue:Kafka:ReplicationFactor.")
            .Validate(
                o => !o.IsSasl || (o.SaslUsername is { Length: > 0 } && o.SaslPassword is { Length: > 0 }),
                "Queue:Kafka:SecurityProtocol with SASL needs SaslUsername and SaslPassword.")
            .ValidateOnStart();
        builder.Services.AddSingleton<KafkaEventQueue>();
        builder.Services.AddSingleton<IEventQueue>(provider => provider.GetRequiredService<KafkaEventQueue>());
        builder.Services.AddHealthChecks().AddCheck<KafkaQueueHealthCheck>("queue", HealthStatus.Degraded);
        return builder;
    }
}

/// <summary>Healthy while a broker answers.</summary>
internal sealed class KafkaQueueHealthCheck(KafkaEventQueue queue) : IHealthCheck
{
    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        try
        {
            return HealthCheckResult.Healthy($"{await queue.PingAsync().WaitAsync(cancellationToken)} brokers answer");
        }
        catch (QueueUnavailableException e)
        {
            return new(context.Registration.FailureStatus, e.Message, e);
        }
    }
}
