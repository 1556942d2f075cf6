using System.Diagnostics;
using System.Globalization;

namespace WhatsAspire.SystemHarness.Crash;

/// <summary>One run: people write to each other, something dies, and what was promised is looked for.</summary>
internal static class CrashRun
{
    private static readonly TimeSpan ComesBack = TimeSpan.FromSeconds(90);

    /// <summary>Runs the load while <paramref name="die"/> does its work, and then holds everything against the promises.</summary>
    public static async Task RunAsync(
        CrashSystem shared, Func<AppHostProcess, CrashLoad, Random, Task> die, CancellationToken cancellationToken)
    {
        var seed = int.TryParse(Environment.GetEnvironmentVariable("WHATSASPIRE_CRASH_SEED"), NumberStyles.None, CultureInfo.InvariantCulture, out var given)
            ? given : Random.Shared.Next(1 << 30);
        var system = await shared.SystemAsync(cancellationToken);
        await using var load = await CrashLoad.StartAsync(() => shared.Address, seed, cancellationToken);
        var began = Stopwatch.GetTimestamp();
        var died = TimeSpan.Zero;
        try
        {
            await die(system, load, new Random(seed));
            died = Stopwatch.GetElapsedTime(began);
            await load.FinishAsync(cancellationToken);
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
    public static async Task KillAsync(
        AppHostProcess system, CrashLoad load, Random random, IReadOnlyList<string> services, int replicas, CancellationToken cancellationToken)
    {
        await load.MomentAsync(random, cancellationToken);
        var before = services.ToDictionary(service => service, system.Services);
        SystemProcess[] victims = [.. before.Values.SelectMany(all => all.OrderBy(_ => random.Next()).Take(replicas))];
        await system.KillAsync(victims, cancellationToken);
        load.Ledger.Kills += victims.Length;
        foreach (var (service, old) in before)
            await system.ReplacedAsync(service, old, Math.Min(replicas, old.Count), ComesBack, cancellationToken);
    }

    /// <summary>Kills the process of a real engine, not the service that watches it, and waits until it serves again.</summary>
    public static async Task KillEngineAsync(
        AppHostProcess system, CrashLoad load, Random random, string service, Func<Task<bool>> isReady, CancellationToken cancellationToken)
    {
        await load.MomentAsync(random, cancellationToken);
        var before = system.Services(service);
        await system.KillAsync([system.Engine(service)], cancellationToken);
        load.Ledger.Kills++;
        await system.ReplacedAsync(service, before, 1, ComesBack, cancellationToken);
        await system.UntilAsync(isReady, ComesBack, () => $"{service} to serve", cancellationToken);
    }
}
