using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using WhatsAspire.Backplane.Queue.Kafka;
using WhatsAspire.Backplane.Queue.Sqlite;

namespace WhatsAspire.Backplane.Queue;

/// <summary>Chooses the queue's engine by configuration.</summary>
public static class QueueRegistration
{
    /// <summary>Kafka where there is a connection string <c>kafka</c>; else the SQLite file that <c>Queue:Path</c>
    /// names.</summary>
    public static IHostApplicationBuilder AddQueue(this IHostApplicationBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return string.IsNullOrEmpty(builder.Configuration[$"ConnectionStrings:{KafkaQueueRegistration.ConnectionName}"])
            ? builder.AddSqliteQueue()
            : builder.AddKafkaQueue(KafkaQueueRegistration.ConnectionName);
    }

    internal static void AddQueueCore(this IHostApplicationBuilder builder)
    {
        builder.Services.AddOptions<QueueOptions>()
            .BindConfiguration(QueueOptions.SectionName)
            .ValidateDataAnnotations()
            .Validate(o => o.FirstRetry <= o.LastRetry, "Queue:FirstRetry must not be greater than Queue:LastRetry.")
            .ValidateOnStart();
        builder.Services.TryAddSingleton(TimeProvider.System);
        builder.Services.TryAddSingleton<QueueMetrics>();
    }
}
