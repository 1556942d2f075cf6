using System.Diagnostics;
using System.Globalization;

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
    private static readonly TimeSpan ComesBack = TimeSpan.FromSeconds(90);

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
    public Task Nothing_is_lost_or_doubled_when_redis_is_killed() => RunAsync(async (system, load, random) =>
    {
        for (var kills = 0; kills < 2; kills++) await KillAsync(system, load, random, ["redis"], replicas: 1);
    });

    [Fact]
    public Task Nothing_is_lost_or_doubled_when_everything_is_killed_at_once() => RunAsync(async (system, load, random) =>
    {
        for (var kills = 0; kills < 2; kills++) await KillAsync(system, load, random, ["chat-edge", "message-api", "redis"], replicas: 2);
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

    private async Task RunAsync(Func<AppHostProcess, CrashLoad, Random, Task> die)
    {
        var seed = int.TryParse(Environment.GetEnvironmentVariable("WHATSASPIRE_CRASH_SEED"), NumberStyles.None, CultureInfo.InvariantCulture, out var given)
            ? given : Random.Shared.Next(1 << 30);
        var system = await shared.SystemAsync(Cancellation);
        await using var load = await CrashLoad.StartAsync(() => shared.Address, seed, Cancellation);
        var began = Stopwatch.GetTimestamp();
        var died = TimeSpan.Zero;
        try
        {
            await die(system, load, new Random(seed));
            died = Stopwatch.GetElapsedTime(began);
            await load.FinishAsync(Cancellation);
        }
        finally
        {
            var counts = $"seed {seed}: deaths in {died.TotalSeconds:F0} s, everything in {Stopwatch.GetElapsedTime(began).TotalSeconds:F0} s; {load.Ledger}";
            TestContext.Current.SendDiagnosticMessage(counts);
            TestContext.Current.TestOutputHelper?.WriteLine(counts);
        }
    }

    /// <summary>Kills, at a moment of the seed's choosing, up to so many replicas of each service at once, and waits until
    /// all of them have come back.</summary>
    private static async Task KillAsync(AppHostProcess system, CrashLoad load, Random random, IReadOnlyList<string> services, int replicas)
    {
        await load.MomentAsync(random, Cancellation);
        var before = services.ToDictionary(service => service, system.Services);
        SystemProcess[] victims = [.. before.Values.SelectMany(all => all.OrderBy(_ => random.Next()).Take(replicas))];
        await system.KillAsync(victims, Cancellation);
        load.Ledger.Kills += victims.Length;
        foreach (var (service, old) in before)
            await system.ReplacedAsync(service, old, Math.Min(replicas, old.Count), ComesBack, Cancellation);
    }
}
