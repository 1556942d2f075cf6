using System.Globalization;

namespace WhatsAspire.AppHost.Topologies;

/// <summary>One Kafka broker that is its own controller (KRaft), in a container. Clients outside of containers reach it at its
/// endpoint on this machine, other containers at the same endpoint's name in their network.</summary>
internal sealed class KafkaResource(string name) : ContainerResource(name), IResourceWithConnectionString
{
    private EndpointReference? _endpoint;

    /// <summary>Where its clients connect.</summary>
    public EndpointReference Endpoint => _endpoint ??= new(this, ResourceNames.Tcp);

    /// <summary>The bootstrap server, as <c>host:port</c>.</summary>
    public ReferenceExpression ConnectionStringExpression => ReferenceExpression.Create($"{Endpoint.Property(EndpointProperty.HostAndPort)}");
}

/// <summary>Adds Kafka.</summary>
internal static class KafkaResources
{
    private const int ClientPort = 9092;
    private const string Internal = "9093";
    private const string Controller = "9094";

    /// <summary>Adds a broker that keeps its log in a volume.</summary>
    /// <param name="builder">The application.</param>
    /// <param name="name">Its name, and in the containers' network its host name.</param>
    /// <param name="port">Its port on this machine, which it has to know, since it names itself to its clients; null where
    /// another platform will give it one.</param>
    /// <param name="volume">The volume's name.</param>
    public static IResourceBuilder<KafkaResource> AddKafka(this IDistributedApplicationBuilder builder, string name, int? port, string volume)
    {
        var kafka = builder.AddResource(new KafkaResource(name))
            .WithImage("apache/kafka", "4.3.1")
            .WithEndpoint(port: port, targetPort: ClientPort, scheme: "tcp", name: ResourceNames.Tcp, isProxied: port is null)
            .WithVolume(volume, "/var/lib/kafka/data")
            .WithEnvironment("CLUSTER_ID", "d2hhdHNhc3BpcmUta2Fma2E")
            .WithEnvironment("KAFKA_NODE_ID", "1")
            .WithEnvironment("KAFKA_PROCESS_ROLES", "broker,controller")
            .WithEnvironment("KAFKA_CONTROLLER_QUORUM_VOTERS", $"1@localhost:{Controller}")
            .WithEnvironment("KAFKA_CONTROLLER_LISTENER_NAMES", "CONTROLLER")
            .WithEnvironment("KAFKA_INTER_BROKER_LISTENER_NAME", "INTERNAL")
            .WithEnvironment("KAFKA_LISTENER_SECURITY_PROTOCOL_MAP", "CLIENT:PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT")
            .WithEnvironment("KAFKA_LISTENERS", $"CLIENT://0.0.0.0:9092,INTERNAL://0.0.0.0:{Internal},CONTROLLER://localhost:{Controller}")
            .WithEnvironment("KAFKA_LOG_DIRS", "/var/lib/kafka/data")
            // One broker holds everything: what a cluster replicates can't be replicated here.
            .WithEnvironment("KAFKA_DEFAULT_REPLICATION_FACTOR", "1")
            .WithEnvironment("KAFKA_MIN_INSYNC_REPLICAS", "1")
            .WithEnvironment("KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR", "1")
            .WithEnvironment("KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR", "1")
            .WithEnvironment("KAFKA_TRANSACTION_STATE_LOG_MIN_ISR", "1")
            .WithEnvironment("KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS", "0")
            // A topic that nobody made is a mistake in a name.
            .WithEnvironment("KAFKA_AUTO_CREATE_TOPICS_ENABLE", "false")
            .WithEnvironment("KAFKA_HEAP_OPTS", "-Xms256m -Xmx512m");
        return port is { } own
            ? kafka.WithEnvironment("KAFKA_ADVERTISED_LISTENERS", string.Create(CultureInfo.InvariantCulture, $"CLIENT://localhost:{own},INTERNAL://{name}:{Internal}"))
                .WithProtocolCheck(ProtocolProbe.Kafka, own)
            : kafka.WithEnvironment("KAFKA_ADVERTISED_LISTENERS", ReferenceExpression.Create(
                $"CLIENT://{kafka.Resource.Endpoint.Property(EndpointProperty.HostAndPort)},INTERNAL://localhost:{Internal}"));
    }
}
