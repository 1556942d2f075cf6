using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace WhatsAspire.Backplane.Queue.Sqlite;

/// <summary>Chooses SQLite for the queue.</summary>
public static class SqliteQueueRegistration
{
    /// <summary>Keeps the queue in the SQLite file that <c>Queue:Path</c> names, and watches it with the health check
    /// <c>queue</c>, which reports <see cref="HealthStatus.Degraded"/>: what needs the queue waits, the rest goes
    /// on.</summary>
    public static IHostApplicationBuilder AddSqliteQueue(this IHostApplicationBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.AddQueueCore();
        builder.Services.AddOptions<SqliteQueueOptions>()
            .BindConfiguration(SqliteQueueOptions.SectionName)
            .ValidateDataAnnotations()
            .Validate(o => o.Path.Length > 0, "Queue:Path must name a file, or a folder to hold queue.db.")
            .Validate(o => o.CommitInterval < o.LeaseTime, "Queue:CommitInterval must be less than Queue:LeaseTime.")
            .ValidateOnStart();
        builder.Services.AddSingleton<SqliteEventQueue>();
        builder.Services.AddSingleton<IEventQueue>(provider => provider.GetRequiredService<SqliteEventQueue>());
        builder.Services.AddHealthChecks().AddCheck<SqliteQueueHealthCheck>("queue", HealthStatus.Degraded);
        return builder;
    }
}

/// <summary>Healthy unless the last commit failed.</summary>
internal sealed class SqliteQueueHealthCheck(SqliteEventQueue queue, IOptions<SqliteQueueOptions> options) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(queue.Writer.Fault is { } fault
            ? new HealthCheckResult(context.Registration.FailureStatus, fault.Message)
            : HealthCheckResult.Healthy($"the queue's file '{options.Value.File}' can be written to"));
}
