using WhatsAspire.SystemHarness.Crash;

namespace WhatsAspire.AppHost.Tests.Crash;

/// <summary>Processes die by SIGKILL at moments that nobody chose, while people write to each other. Whatever was
/// answered with <c>sent</c> is then there once, where it was promised, on every device; no tick falls. A run is
/// repeated, but for the timing of the machine, by setting <c>WHATSASPIRE_CRASH_SEED</c> to the seed that it printed.</summary>
[Trait("Requirement", "R3")]
[Trait("Requirement", "R4")]
public sealed class CrashTests(CrashSystem shared) : IClassFixture<CrashSystem>
{
    private static readonly string[] Edge = ["chat-edge"];
    private static readonly string[] MessageApi = ["message-api"];
    private static readonly string[] FanoutWorker = ["fanout-worker"];

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public Task Nothing_is_lost_or_doubled_when_the_message_service_is_killed() => RunAsync(async (system, load, random) =>
    {
        for (var kills = 0; kills < 3; kills++) await KillAsync(system, load, random, MessageApi, replicas: 1);
    });

    [Fact]
    public Task Nothing_is_lost_or_doubled_when_one_edge_is_killed() => RunAsync(async (system, load, random) =>
    {
        for (var kills = 0; kills < 2; kills++) await KillAsync(system, load, random, Edge, replicas: 1);
    });

    [Fact]
    public Task Nothing_is_lost_or_doubled_when_both_edges_are_killed_at_once() => RunAsync(async (system, load, random) =>
    {
        for (var kills = 0; kills < 2; kills++) await KillAsync(system, load, random, Edge, replicas: 2);
    });

    [Fact]
    [Trait("Requirement", "R21")]
    public Task Nothing_is_lost_or_doubled_when_the_FanoutWorker_is_killed() => RunAsync(async (system, load, random) =>
    {
        for (var kills = 0; kills < 3; kills++) await KillAsync(system, load, random, FanoutWorker, replicas: 1);
    });

    [Fact]
    [Trait("Requirement", "R21")]
    public Task Nothing_is_lost_or_doubled_while_the_threshold_is_moved_across_the_groups() => RunAsync(async (_, load, random) =>
    {
        var settings = Path.Combine(shared.DataPath, "settings.json");
        for (var moves = 0; moves < 8; moves++)
        {
            await load.MomentAsync(random, Cancellation);
            await File.WriteAllTextAsync(settings, $$"""{ "Fanout": { "Threshold": {{(moves % 2 == 0 ? 0 : 1000)}} } }""", Cancellation);
        }

        // As it was before.
        File.Delete(settings);
    });

    [Fact]
    public Task Nothing_is_lost_or_doubled_when_redis_is_killed() => RunAsync(async (system, load, random) =>
    {
        for (var kills = 0; kills < 2; kills++) await KillAsync(system, load, random, ["redis"], replicas: 1);
    });

    [Fact]
    public Task Nothing_is_lost_or_doubled_when_everything_is_killed_at_once() => RunAsync(async (system, load, random) =>
    {
        for (var kills = 0; kills < 2; kills++) await KillAsync(system, load, random, ["chat-edge", "message-api", "redis", "fanout-worker"], replicas: 2);
    });

    [Fact]
    public Task Nothing_is_lost_or_doubled_when_the_AppHost_is_stopped_and_then_killed_and_started_again() => RunAsync(async (_, load, random) =>
    {
        foreach (var kill in new[] { false, true })
        {
            await load.MomentAsync(random, Cancellation);
            await shared.RestartAsync(kill, Cancellation);
            load.Ledger.Kills += kill ? 1 : 0;
        }
    });

    private Task RunAsync(Func<AppHostProcess, CrashLoad, Random, Task> die) => CrashRun.RunAsync(shared, die, Cancellation);

    private static Task KillAsync(AppHostProcess system, CrashLoad load, Random random, IReadOnlyList<string> services, int replicas) =>
        CrashRun.KillAsync(system, load, random, services, replicas, Cancellation);
}
