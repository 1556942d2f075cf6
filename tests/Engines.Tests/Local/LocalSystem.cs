using WhatsAspire.LocalEngines;
using WhatsAspire.SystemHarness;
using WhatsAspire.SystemHarness.Crash;

namespace WhatsAspire.Engines.Tests.Local;

/// <summary>The whole system on the real engines of this machine.</summary>
internal static class LocalSystem
{
    /// <summary>What <c>--engines local</c> runs, each once.</summary>
    public static IReadOnlyList<string> Engines { get; } = [Engine.Redis, Engine.Postgres, Engine.Kafka, Engine.Cassandra];

    /// <summary>Two of MessageApi, which write to the same conversations.</summary>
    public static IReadOnlyList<string> Arguments { get; } = ["--engines", "local", "--replicas", "message-api=2"];

    /// <summary>Ends the test where an engine is missing: skipped, or failed where it is required.</summary>
    public static void Need()
    {
        AppHostProcess.RequireLinux();
        foreach (var engine in Engines) Engine.Need(engine, () => Make(engine, 0));
    }

    /// <summary>Waits until all engines serve.</summary>
    public static async Task ReadyAsync(AppHostProcess system, CancellationToken cancellationToken)
    {
        foreach (var engine in Engines)
            await system.UntilAsync(() => IsReadyAsync(system.DataPath, engine, cancellationToken), TimeSpan.FromSeconds(90), () => $"{engine} to serve", cancellationToken);
    }

    /// <summary>Whether an engine serves.</summary>
    public static Task<bool> IsReadyAsync(string dataPath, string engine, CancellationToken cancellationToken) =>
        Make(engine, PortOf(dataPath, engine)).IsReadyAsync(cancellationToken);

    /// <summary>The port of an engine, which the AppHost keeps beside its data.</summary>
    public static int PortOf(string dataPath, string engine) =>
        int.Parse(
            File.ReadLines(Path.Combine(dataPath, "ports")).Single(line => line.StartsWith(engine + "=", StringComparison.Ordinal))[(engine.Length + 1)..],
            System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>An engine that is asked, not started.</summary>
    private static ILocalEngine Make(string engine, int port) => engine switch
    {
        Engine.Redis => new RedisEngine("-", port),
        Engine.Postgres => new PostgresEngine("-", port, ""),
        Engine.Kafka => new KafkaEngine("-", port, 0),
        _ => new CassandraEngine("-") { NativePort = port, StoragePort = 0, JmxPort = 0 },
    };
}

/// <summary>One system on real engines for all crash tests.</summary>
public sealed class LocalCrashSystem : CrashSystem
{
    public LocalCrashSystem()
        : base(LocalSystem.Arguments)
    {
    }
}
