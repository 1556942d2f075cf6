using System.Security.Cryptography;
using WhatsAspire.LocalEngines;
using WhatsAspire.SystemHarness.Crash;
using Xunit;

namespace WhatsAspire.Engines.Tests.Local;

/// <summary>The system on servers that somebody else runs, which connection strings name.</summary>
[Trait("Requirement", "R50")]
[Trait("Requirement", "R51")]
public sealed class ExternalTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(180);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task People_write_to_each_other_over_given_servers_and_lose_nothing_when_a_service_is_killed()
    {
        LocalSystem.Need();
        using var folder = new EngineFolder();
        var ports = FreePorts.Take(7);
        var redis = new RedisEngine(folder.Of(Engine.Redis), ports[0]);
        var postgres = new PostgresEngine(folder.Of(Engine.Postgres), ports[1], "password-of-theirs");
        var kafka = new KafkaEngine(folder.Of(Engine.Kafka), ports[2], ports[3]);
        var cassandra = new CassandraEngine(folder.Of(Engine.Cassandra)) { NativePort = ports[4], StoragePort = ports[5], JmxPort = ports[6] };
        await using var runsRedis = new RunningEngine(redis);
        await using var runsPostgres = new RunningEngine(postgres);
        await using var runsKafka = new RunningEngine(kafka);
        await using var runsCassandra = new RunningEngine(cassandra);
        await Task.WhenAll(new[] { runsRedis, runsPostgres, runsKafka, runsCassandra }.Select(engine => engine.StartAsync(Patience, Cancel)));

        await using var system = new ExternalSystem(new Dictionary<string, string>
        {
            ["ConnectionStrings__redis"] = redis.ConnectionString,
            ["ConnectionStrings__postgres"] = postgres.ConnectionString,
            ["ConnectionStrings__kafka"] = kafka.ConnectionString,
            ["ConnectionStrings__cassandra"] = $"Contact Points={cassandra.EndPoint}",
            ["Directory__KeyEncryptionSecret"] = Convert.ToBase64String(RandomNumberGenerator.GetBytes(32)),
        });
        await CrashRun.RunAsync(system, async (processes, load, random) =>
        {
            Assert.Equal(["chat-edge", "chat-edge", "fanout-worker", "message-api", "message-api", "push-gateways", "push-worker"], processes.Services().Select(service => service.Name));
            await CrashRun.KillAsync(processes, load, random, ["chat-edge", "message-api"], replicas: 1, Cancel);
        }, Cancel);
    }

    private sealed class ExternalSystem(IReadOnlyDictionary<string, string> servers)
        : CrashSystem(["--engines", "external", "--replicas", "message-api=2"], servers);
}
