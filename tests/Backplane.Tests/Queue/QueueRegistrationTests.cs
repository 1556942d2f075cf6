using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using WhatsAspire.Backplane.Queue;
using WhatsAspire.Backplane.Queue.Kafka;
using WhatsAspire.Backplane.Queue.Sqlite;

namespace WhatsAspire.Backplane.Tests.Queue;

/// <summary>The engine follows from the configuration, and settings that can't be are said at the start.</summary>
public sealed class QueueRegistrationTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_path_chooses_the_embedded_queue_and_the_health_check_tells_of_it()
    {
        using var file = new QueueFile();
        using var host = Build(("Queue:Path", file.Path));
        await host.StartAsync(Token);
        var queue = host.Services.GetRequiredService<IEventQueue>();
        Assert.IsType<SqliteEventQueue>(queue);
        await queue.PublishAsync("t", new() { Key = "k", Type = "t" }, Token);
        var report = await host.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync(Token);
        Assert.Equal(HealthStatus.Healthy, report.Entries["queue"].Status);
        await host.StopAsync(Token);
    }

    [Fact]
    public async Task A_connection_string_chooses_kafka_and_without_it_the_service_is_degraded_and_starts()
    {
        using var host = Build(("ConnectionStrings:kafka", "127.0.0.1:1"));
        await host.StartAsync(Token);
        Assert.IsType<KafkaEventQueue>(host.Services.GetRequiredService<IEventQueue>());
        var report = await host.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync(Token);
        Assert.Equal(HealthStatus.Degraded, report.Entries["queue"].Status);
        Assert.Contains("127.0.0.1:1", report.Entries["queue"].Description, StringComparison.Ordinal);
        await host.StopAsync(Token);
    }

    [Theory]
    [InlineData("Queue:Path must name", "Queue:Path", "")]
    [InlineData("PollInterval", "Queue:PollInterval", "00:00:00")]
    [InlineData("LeaseTime", "Queue:LeaseTime", "01:00:00")]
    [InlineData("MaxAttempts", "Queue:MaxAttempts", "0")]
    [InlineData("Queue:FirstRetry must not", "Queue:FirstRetry", "00:00:20")]
    [InlineData("Partitions", "Queue:Partitions", "0")]
    public async Task Settings_of_the_embedded_queue_that_can_not_be_are_said_at_the_start(string says, string name, string value)
    {
        using var file = new QueueFile();
        using var host = Build(("Queue:Path", file.Path), (name, value));
        var refusal = await Assert.ThrowsAsync<OptionsValidationException>(() => host.StartAsync(Token));
        Assert.Contains(says, refusal.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("ReplicationFactor must be", "Queue:Kafka:ReplicationFactor", "0")]
    [InlineData("SaslUsername", "Queue:Kafka:SecurityProtocol", "SaslSsl")]
    [InlineData("SessionTimeout", "Queue:Kafka:SessionTimeout", "00:00:00")]
    public async Task Settings_of_kafka_that_can_not_be_are_said_at_the_start(string says, string name, string value)
    {
        using var host = Build(("ConnectionStrings:kafka", "127.0.0.1:1"), (name, value));
        var refusal = await Assert.ThrowsAsync<OptionsValidationException>(() => host.StartAsync(Token));
        Assert.Contains(says, refusal.Message, StringComparison.Ordinal);
    }

    private static IHost Build(params (string Name, string Value)[] settings)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new());
        foreach (var (name, value) in settings) builder.Configuration[name] = value;
        builder.AddQueue();
        return builder.Build();
    }
}
