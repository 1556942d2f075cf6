using System.Globalization;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace WhatsAspire.AppHost.Topologies;

/// <summary>Nothing to install: Garnet in a process of its own, RocksDB and SQLite inside MessageApi.</summary>
internal static class EmbeddedTopology
{
    /// <summary>Adds the engines.</summary>
    /// <param name="builder">The application.</param>
    /// <param name="data">Where they keep what is durable.</param>
    public static Engines AddEmbeddedEngines(this IDistributedApplicationBuilder builder, DataFolder data)
    {
        var port = LocalPorts.Free();
        var health = $"{ResourceNames.Redis}-ping";
        builder.Services.AddHealthChecks()
            .Add(new HealthCheckRegistration(health, new RedisHealthCheck(port), failureStatus: null, tags: null));

        var redis = builder.AddService<Projects.EmbeddedRedis>(ResourceNames.Redis)
            .WithEndpoint(port: port, targetPort: port, scheme: "tcp", name: ResourceNames.Tcp, isProxied: false)
            .WithEndpoint(ResourceNames.Tcp, at => at.TargetHost = "127.0.0.1")
            .WithHealthCheck(health)
            .WithEnvironment("EmbeddedRedis__Port", port.ToString(CultureInfo.InvariantCulture))
            .WithEnvironment("EmbeddedRedis__DataPath", data.Of(ResourceNames.Redis));

        var connection = ReferenceExpression.Create(
            $"{redis.GetEndpoint(ResourceNames.Tcp).Property(EndpointProperty.HostAndPort)}");
        return new(redis, connection, data.Of(ResourceNames.MessageApi), Path.Combine(data.Of(ResourceNames.Queue), "queue.db"));
    }
}
