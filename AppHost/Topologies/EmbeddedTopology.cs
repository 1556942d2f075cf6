using System.Globalization;
using WhatsAspire.LocalEngines;

namespace WhatsAspire.AppHost.Topologies;

/// <summary>Nothing to install: Garnet in a process of its own, RocksDB and SQLite inside MessageApi.</summary>
internal static class EmbeddedTopology
{
    /// <summary>Adds the engines.</summary>
    /// <param name="builder">The application.</param>
    /// <param name="data">Where they keep what is durable.</param>
    public static Engines AddEmbeddedEngines(this IDistributedApplicationBuilder builder, DataFolder data)
    {
        var port = FreePorts.Take();
        var redis = builder.AddService<Projects.EmbeddedRedis>(ResourceNames.Redis)
            .WithOwnPort(port)
            .WithProtocolCheck(ProtocolProbe.Redis, port)
            .WithEnvironment("EmbeddedRedis__Port", port.ToString(CultureInfo.InvariantCulture))
            .WithEnvironment("EmbeddedRedis__DataPath", data.Of(ResourceNames.Redis));
        return new(new Engine(ResourceNames.Redis, redis.AtOwnPort(), redis))
        {
            StoragePath = data.Of(ResourceNames.MessageApi),
            QueuePath = Path.Combine(data.Of(ResourceNames.Queue), "queue.db"),
        };
    }
}
