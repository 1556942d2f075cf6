using System.Diagnostics;
using StackExchange.Redis;
using WhatsAspire.SystemHarness;
using WhatsAspire.SystemHarness.Crash;
using Xunit;

namespace WhatsAspire.Engines.Tests.Local;

/// <summary>Real engines die, freeze and go away while people write to each other through the whole system. Whatever was
/// answered with <c>sent</c> is then there once, where it was promised, on every device; no tick falls.</summary>
[Trait("Requirement", "R3")]
[Trait("Requirement", "R51")]
public sealed class LocalCrashTests(LocalCrashSystem shared) : IClassFixture<LocalCrashSystem>
{
    private static readonly string[] MessageApi = ["message-api"];
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);

    public static TheoryData<string> Engines => [.. LocalSystem.Engines];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [MemberData(nameof(Engines))]
    public Task Nothing_is_lost_or_doubled_when_an_engine_is_killed(string engine) => RunAsync(async (system, load, random) =>
    {
        for (var kills = 0; kills < 2; kills++) await CrashRun.KillEngineAsync(
            system, load, random, engine, () => LocalSystem.IsReadyAsync(system.DataPath, engine, Cancel), Cancel);
    });

    [Theory]
    [MemberData(nameof(Engines))]
    public Task Nothing_is_lost_or_doubled_when_the_process_that_watches_an_engine_is_killed(string engine) => RunAsync(async (system, load, random) =>
    {
        var before = system.Engine(engine);
        await CrashRun.KillAsync(system, load, random, [engine], replicas: 1, Cancel);
        await LocalSystem.ReadyAsync(system, Cancel);
        Assert.NotEqual(before.ProcessId, system.Engine(engine).ProcessId);
    });

    [Fact]
    public Task Nothing_is_lost_or_doubled_when_all_engines_and_services_are_killed_at_once() => RunAsync(async (system, load, random) =>
    {
        await CrashRun.KillAsync(system, load, random, ["chat-edge", "message-api", "fanout-worker", .. LocalSystem.Engines], replicas: 2, Cancel);
        await LocalSystem.ReadyAsync(system, Cancel);
    });

    [Fact]
    [Trait("Requirement", "R21")]
    public Task Nothing_is_lost_or_doubled_when_the_FanoutWorker_is_killed() => RunAsync(async (system, load, random) =>
    {
        for (var kills = 0; kills < 2; kills++) await CrashRun.KillAsync(system, load, random, ["fanout-worker"], replicas: 1, Cancel);
    });

    [Fact]
    public Task Nothing_is_lost_or_doubled_when_MessageApi_is_frozen_for_20_s_and_woken() => RunAsync(async (system, load, random) =>
    {
        await load.MomentAsync(random, Cancel);
        var replica = system.Services(MessageApi[0])[0];
        await FrozenAsync(replica.ProcessId, TimeSpan.FromSeconds(20));
        await load.Ledger.PromisedAsync(100, Patience, Cancel);
    });

    [Theory]
    [MemberData(nameof(Engines))]
    public Task Nothing_is_lost_or_doubled_when_an_engine_is_frozen_for_20_s(string engine) => RunAsync(async (system, load, random) =>
    {
        await load.MomentAsync(random, Cancel);
        var server = system.Engine(engine).ProcessId;
        await FrozenAsync([server, .. LinuxProcesses.ChildrenOf(server)], TimeSpan.FromSeconds(20));
        await load.Ledger.PromisedAsync(100, Patience, Cancel);
    });

    [Fact]
    public Task Without_Redis_messages_are_stored_and_acknowledged_and_sessions_are_there_again_when_it_is_back() => RunAsync(async (system, load, random) =>
    {
        await load.MomentAsync(random, Cancel);
        var before = system.Services(Engine.Redis);
        // While the process that watches it stands still, nobody starts it again.
        LinuxProcesses.Signal(before[0].ProcessId, LinuxProcesses.SigStop);
        await system.KillAsync([system.Engine(Engine.Redis)], Cancel);
        load.Ledger.Kills++;

        var began = Stopwatch.GetTimestamp();
        var slowest = TimeSpan.Zero;
        var promised = load.Ledger.Promised.Count;
        while (Stopwatch.GetElapsedTime(began) < TimeSpan.FromSeconds(60))
        {
            var asked = Stopwatch.GetTimestamp();
            await load.Ledger.PromisedAsync(50, TimeSpan.FromSeconds(20), Cancel);
            slowest = Stopwatch.GetElapsedTime(asked) > slowest ? Stopwatch.GetElapsedTime(asked) : slowest;
        }

        var without = load.Ledger.Promised.Count - promised;
        await system.KillAsync(before, Cancel);
        await system.ReplacedAsync(Engine.Redis, before, 1, Patience, Cancel);
        await LocalSystem.ReadyAsync(system, Cancel);
        var back = Stopwatch.GetTimestamp();
        await RegisteredAsync(load);
        TestContext.Current.SendDiagnosticMessage(
            $"60 s without Redis: {without} messages sent, 50 of them in {slowest.TotalSeconds:F1} s at most; sessions registered again {Stopwatch.GetElapsedTime(back).TotalSeconds:F1} s after it was back");
    });

    private Task RunAsync(Func<AppHostProcess, CrashLoad, Random, Task> die)
    {
        LocalSystem.Need();
        return CrashRun.RunAsync(shared, die, Cancel);
    }

    /// <summary>Waits until each user who talks has a session on an edge that lives.</summary>
    private async Task RegisteredAsync(CrashLoad load)
    {
        await using var redis = await ConnectionMultiplexer.ConnectAsync($"127.0.0.1:{LocalSystem.PortOf(shared.DataPath, Engine.Redis)}");
        var database = redis.GetDatabase();
        var began = Stopwatch.GetTimestamp();
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(100));
        foreach (var user in load.TalkingDevices.Select(device => device.Account.UserId).Distinct())
        {
            while (!await HasLivingSessionAsync(database, user))
            {
                Assert.True(Stopwatch.GetElapsedTime(began) < Patience, $"{user} has no session after {Patience.TotalSeconds} s");
                await timer.WaitForNextTickAsync(Cancel);
            }
        }
    }

    private static async Task<bool> HasLivingSessionAsync(IDatabase database, string user)
    {
        foreach (var session in await database.HashGetAllAsync($"sessions:{user}"))
        {
            var edge = ((string)session.Value!).Split('|')[1];
            if (await database.KeyExistsAsync($"edge:{edge}")) return true;
        }

        return false;
    }

    private static Task FrozenAsync(int process, TimeSpan time) => FrozenAsync([process], time);

    private static async Task FrozenAsync(IReadOnlyList<int> processes, TimeSpan time)
    {
        foreach (var process in processes) LinuxProcesses.Signal(process, LinuxProcesses.SigStop);
        try
        {
            using var timer = new PeriodicTimer(time);
            await timer.WaitForNextTickAsync(Cancel);
        }
        finally
        {
            foreach (var process in processes) LinuxProcesses.Signal(process, LinuxProcesses.SigContinue);
        }
    }
}
