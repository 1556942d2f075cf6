using System.Text.Json.Nodes;

namespace WhatsAspire.AppHost.Tests;

[Trait("Requirement", "R50")]
public sealed class LifecycleTests
{
    /// <summary>How long the last process may outlive the AppHost.</summary>
    private static readonly TimeSpan Orphans = TimeSpan.FromSeconds(15);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Everything_is_ready_within_30_s_and_ends_on_a_signal_without_leaving_a_process()
    {
        await using var system = await AppHostProcess.StartAsync(cancellationToken: Cancellation);

        Assert.InRange(system.StartTook, TimeSpan.Zero, TimeSpan.FromSeconds(30));
        Assert.Equal(["chat-edge", "chat-edge", "message-api", "redis"], system.Services().Select(service => service.Name));
        Assert.Contains("engines: embedded", system.Log, StringComparison.Ordinal);
        Assert.Contains($"data: {system.DataPath}", system.Log, StringComparison.Ordinal);
        Assert.Contains("dashboard: http://localhost:", system.Log, StringComparison.Ordinal);
        Assert.Contains($"public address: {system.BaseAddress.OriginalString}", system.Log, StringComparison.Ordinal);
        using var client = new HttpClient { BaseAddress = system.BaseAddress };
        var report = JsonNode.Parse(await client.GetStringAsync("/health/ready", Cancellation));
        Assert.Equal("Healthy", (string?)report?["status"]);

        Assert.Equal(0, await system.StopAsync(cancellationToken: Cancellation));
        Assert.Empty(system.Services());
        await system.GoneAsync(Orphans, Cancellation);
    }

    [Fact]
    public async Task A_kill_of_the_AppHost_leaves_no_process()
    {
        await using var system = await AppHostProcess.StartAsync(cancellationToken: Cancellation);

        await system.KillAppHostAsync(Cancellation);

        await system.GoneAsync(Orphans, Cancellation);
    }

    [Fact]
    public async Task Services_end_even_when_AppHost_and_orchestrator_are_killed_at_once()
    {
        await using var system = await AppHostProcess.StartAsync(cancellationToken: Cancellation);

        await system.KillAsync([.. system.Processes().Where(process => !process.IsService)], Cancellation);

        await system.GoneAsync(Orphans, Cancellation);
    }

    [Fact]
    public async Task Killed_replicas_are_started_again_within_2_s()
    {
        await using var system = await AppHostProcess.StartAsync(cancellationToken: Cancellation);
        foreach (var service in new[] { "chat-edge", "message-api", "redis" })
        {
            var before = system.Services(service);
            var killedAt = DateTimeOffset.UtcNow;
            await system.KillAsync(service, Cancellation);
            var replica = Assert.Single(await system.ReplacedAsync(service, before, 1, TimeSpan.FromSeconds(20), Cancellation));

            var took = replica.StartedAt() - killedAt;
            TestContext.Current.SendDiagnosticMessage($"{service} was started again after {took.TotalSeconds:F2} s.");
            Assert.InRange(took, TimeSpan.FromSeconds(-0.1), TimeSpan.FromSeconds(2));
            Assert.Equal(before.Count, system.Services(service).Count);
        }
    }

    [Fact]
    public async Task All_services_killed_at_once_come_back_without_waiting_for_each_other()
    {
        await using var system = await AppHostProcess.StartAsync(cancellationToken: Cancellation);
        var before = system.Services();

        await system.KillAsync(before, Cancellation);

        var killedAt = DateTimeOffset.UtcNow;
        var edges = await system.ReplacedAsync("chat-edge", before, 2, TimeSpan.FromSeconds(20), Cancellation);
        await system.ReplacedAsync("message-api", before, 1, TimeSpan.FromSeconds(20), Cancellation);
        await system.ReplacedAsync("redis", before, 1, TimeSpan.FromSeconds(20), Cancellation);
        Assert.All(edges, edge => Assert.InRange(edge.StartedAt() - killedAt, TimeSpan.FromSeconds(-1), TimeSpan.FromSeconds(2)));
    }

    [Fact]
    public async Task A_second_AppHost_on_the_same_data_says_so_and_ends()
    {
        await using var system = await AppHostProcess.StartAsync(cancellationToken: Cancellation);

        var refused = await Assert.ThrowsAsync<InvalidOperationException>(
            () => AppHostProcess.StartAsync(system.DataPath, Cancellation));

        Assert.Contains("ended with exit code 2", refused.Message, StringComparison.Ordinal);
        Assert.Contains("another AppHost uses it", refused.Message, StringComparison.Ordinal);
    }
}
