using System.Globalization;
using System.Runtime.Versioning;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using WhatsAspire.LocalEngines;

namespace WhatsAspire.AppHost.Topologies;

/// <summary>The real engines that are installed here, each as a process of its own with a folder of its own.</summary>
internal static class LocalTopology
{
    /// <summary>How one engine is made.</summary>
    /// <param name="Name">Its resource's name.</param>
    /// <param name="Make">Makes it in a folder, with ports by name.</param>
    private sealed record Kind(string Name, Func<string, Func<string, int>, LocalEngine> Make);

    private sealed record LocalEngine(ILocalEngine Engine, string Connection, int Port);

    /// <summary>Each engine once.</summary>
    [SupportedOSPlatform("linux")]
    private static Kind[] Kinds() =>
    [
        new(ResourceNames.Redis, (folder, port) =>
        {
            var redis = new RedisEngine(folder, port(ResourceNames.Redis));
            return new(redis, redis.ConnectionString, redis.Port);
        }),
        new(ResourceNames.Postgres, (folder, port) =>
        {
            var postgres = new PostgresEngine(
                folder, port(ResourceNames.Postgres), KeptSecret.ReadOrMake(Path.Combine(folder, "..", ResourceNames.PostgresPassword)));
            return new(postgres, postgres.ConnectionString, postgres.Port);
        }),
        new(ResourceNames.Kafka, (folder, port) =>
        {
            var kafka = new KafkaEngine(folder, port(ResourceNames.Kafka), port($"{ResourceNames.Kafka}-controller"));
            return new(kafka, kafka.ConnectionString, kafka.Port);
        }),
        new(ResourceNames.Cassandra, (folder, port) =>
        {
            var cassandra = new CassandraEngine(folder)
            {
                NativePort = port(ResourceNames.Cassandra),
                StoragePort = port($"{ResourceNames.Cassandra}-storage"),
                JmxPort = port($"{ResourceNames.Cassandra}-jmx"),
            };
            return new(cassandra, $"Contact Points={cassandra.EndPoint}", cassandra.NativePort);
        }),
    ];

    /// <summary>Finds all engines, makes their folders ready, and adds them.</summary>
    /// <param name="builder">The application.</param>
    /// <param name="data">Where they keep what is durable.</param>
    /// <exception cref="BadOptionException">One is missing; the message says how to get it. Nothing was started.</exception>
    public static async Task<Engines> AddLocalEnginesAsync(this IDistributedApplicationBuilder builder, DataFolder data)
    {
        if (!builder.ExecutionContext.IsRunMode)
            throw new BadOptionException("--engines local are processes of this machine, which can't be published.");
        if (!OperatingSystem.IsLinux())
            throw new BadOptionException("--engines local needs Linux.");

        try
        {
            var ports = new KeptPorts(data);
            // All of them before the first is made ready, so that one that is missing is missing at once.
            var engines = Kinds().Select(kind => (kind.Name, Local: kind.Make(data.Of(kind.Name), ports.Of))).ToList();
            await Task.WhenAll(engines.Select(engine => engine.Local.Engine.PrepareAsync(CancellationToken.None)));
            return new([.. engines.Select(engine => builder.AddLocalEngine(engine.Name, engine.Local))])
            {
                StoragePath = data.Of(ResourceNames.MessageApi),
                DirectorySecret = ReferenceExpression.Create($"{KeptSecret.ReadOrMake(data.Of(ResourceNames.DirectorySecret))}"),
            };
        }
        catch (Exception cause) when (cause is MissingEngineException or InvalidOperationException or IOException or UnauthorizedAccessException)
        {
            throw new BadOptionException(cause.Message, cause) { NeedsUsage = false };
        }
    }

    private static Engine AddLocalEngine(this IDistributedApplicationBuilder builder, string name, LocalEngine local)
    {
        var process = local.Engine.Process;
        var resource = builder.AddService<Projects.EngineHost>(name)
            .WithOwnPort(local.Port)
            .WithProtocolCheck(async cancel => await local.Engine.IsReadyAsync(cancel)
                ? HealthCheckResult.Healthy() : HealthCheckResult.Unhealthy("It does not serve its clients."))
            .WithEnvironment("EngineHost__Program", process.FileName)
            .WithEnvironment("EngineHost__WorkingDirectory", process.WorkingDirectory)
            .WithEnvironment("EngineHost__RunAs", process.RunAs?.ToString() ?? "")
            .WithEnvironment("EngineHost__StopSignal", process.StopSignal.ToString(CultureInfo.InvariantCulture));
        for (var i = 0; i < process.Arguments.Count; i++)
            resource.WithEnvironment($"EngineHost__Arguments__{i}", process.Arguments[i]);
        foreach (var (variable, value) in process.Environment)
            resource.WithEnvironment(variable, value);
        return new(name, ReferenceExpression.Create($"{local.Connection}"), resource);
    }
}
