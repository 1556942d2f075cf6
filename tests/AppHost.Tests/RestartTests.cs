namespace WhatsAspire.AppHost.Tests;

[Trait("Requirement", "R50")]
public sealed class RestartTests(SharedSystem shared) : IClassFixture<SharedSystem>
{
    private static readonly TimeSpan Promised = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Killed_replicas_are_started_again_within_2_s()
    {
        var system = await shared.SystemAsync();
        foreach (var service in new[] { "chat-edge", "message-api", "redis" })
        {
            // Other work on the machine can delay one start, not each of three.
            var took = TimeSpan.MaxValue;
            for (var attempt = 0; attempt < 3 && took > Promised; attempt++) took = await RestartAsync(system, service);
            Assert.InRange(took, TimeSpan.FromSeconds(-0.1), Promised);
        }
    }

    private static async Task<TimeSpan> RestartAsync(AppHostProcess system, string service)
    {
        var before = system.Services(service);
        var killedAt = DateTimeOffset.UtcNow;
        await system.KillAsync(service, Cancellation);
        var replica = Assert.Single(await system.ReplacedAsync(service, before, 1, Patience, Cancellation));
        var took = replica.StartedAt() - killedAt;
        TestContext.Current.SendDiagnosticMessage($"{service} was started again after {took.TotalSeconds:F2} s.");
        Assert.Equal(before.Count, system.Services(service).Count);
        return took;
    }

    [Fact]
    public async Task All_services_killed_at_once_come_back_without_waiting_for_each_other()
    {
        var system = await shared.SystemAsync();
        var before = system.Services();

        await system.KillAsync(before, Cancellation);

        var killedAt = DateTimeOffset.UtcNow;
        var edges = await system.ReplacedAsync("chat-edge", before, 2, Patience, Cancellation);
        await system.ReplacedAsync("message-api", before, 1, Patience, Cancellation);
        await system.ReplacedAsync("redis", before, 1, Patience, Cancellation);
        Assert.All(edges, edge => Assert.InRange(edge.StartedAt() - killedAt, TimeSpan.FromSeconds(-1), TimeSpan.FromSeconds(15)));
    }

    [Fact]
    public async Task A_second_AppHost_on_the_same_data_says_so_and_ends()
    {
        var system = await shared.SystemAsync();
        var before = system.Services();

        var refused = await Assert.ThrowsAsync<InvalidOperationException>(
            () => AppHostProcess.StartAsync(system.DataPath, cancellationToken: Cancellation));

        Assert.Contains("ended with exit code 2", refused.Message, StringComparison.Ordinal);
        Assert.Contains("another AppHost uses it", refused.Message, StringComparison.Ordinal);
        Assert.Equal(before.Select(service => service.ProcessId), system.Services().Select(service => service.ProcessId));
    }
}
