namespace WhatsAspire.AppHost.Topologies;

/// <summary>One Cassandra node in a container.</summary>
internal sealed class CassandraResource(string name) : ContainerResource(name), IResourceWithConnectionString
{
    private EndpointReference? _endpoint;

    /// <summary>Where it speaks CQL.</summary>
    public EndpointReference Endpoint => _endpoint ??= new(this, ResourceNames.Tcp);

    /// <summary>The node as a contact point.</summary>
    public ReferenceExpression ConnectionStringExpression =>
        ReferenceExpression.Create($"Contact Points={Endpoint.Property(EndpointProperty.HostAndPort)}");
}

/// <summary>Adds Cassandra.</summary>
internal static class CassandraResources
{
    private const int CqlPort = 9042;

    /// <summary>Adds a node that keeps its data in a volume.</summary>
    /// <param name="builder">The application.</param>
    /// <param name="name">Its name.</param>
    /// <param name="port">Its port on this machine; null where another platform will give it one.</param>
    /// <param name="volume">The volume's name.</param>
    public static IResourceBuilder<CassandraResource> AddCassandra(this IDistributedApplicationBuilder builder, string name, int? port, string volume)
    {
        var cassandra = builder.AddResource(new CassandraResource(name))
            .WithImage("cassandra", "5.0.8")
            .WithEndpoint(port: port, targetPort: CqlPort, scheme: "tcp", name: ResourceNames.Tcp, isProxied: port is null)
            .WithVolume(volume, "/var/lib/cassandra")
            .WithEnvironment("CASSANDRA_CLUSTER_NAME", "whatsaspire")
            .WithEnvironment("CASSANDRA_DC", "datacenter1")
            .WithEnvironment("CASSANDRA_ENDPOINT_SNITCH", "GossipingPropertyFileSnitch")
            // By itself it takes a quarter of the machine's memory.
            .WithEnvironment("MAX_HEAP_SIZE", "1G")
            .WithEnvironment("HEAP_NEWSIZE", "256M");
        return port is { } own ? cassandra.WithProtocolCheck(ProtocolProbe.Cassandra, own) : cassandra;
    }
}
