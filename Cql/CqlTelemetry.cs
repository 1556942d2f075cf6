namespace WhatsAspire.Cql;

/// <summary>All names of the client's telemetry, once; by OpenTelemetry's semantic conventions for database clients where they
/// have one. They are an interface: dashboards and alerts use them.</summary>
public static class CqlTelemetry
{
    /// <summary>Of the meter and of the activity source.</summary>
    public const string SourceName = "WhatsAspire.Cql";

    public const string SystemName = "cassandra";

    // Instruments.
    public const string OperationDuration = "db.client.operation.duration";
    public const string ConnectionCount = "db.client.connection.count";
    public const string ConnectionFailures = "cassandra.client.connection.failures";
    public const string RequestsInFlight = "cassandra.client.requests.in_flight";
    public const string Retries = "cassandra.client.retries";
    public const string SpeculativeExecutions = "cassandra.client.speculative_executions";
    public const string Orphans = "cassandra.client.orphans";
    public const string NodesUp = "cassandra.client.nodes.up";

    // Attributes.
    public const string SystemNameAttribute = "db.system.name";
    public const string OperationNameAttribute = "db.operation.name";
    public const string NamespaceAttribute = "db.namespace";
    public const string CollectionAttribute = "db.collection.name";
    public const string StatusCodeAttribute = "db.response.status_code";
    public const string BatchSizeAttribute = "db.operation.batch.size";
    public const string ErrorTypeAttribute = "error.type";
    public const string ServerAddressAttribute = "server.address";
    public const string ServerPortAttribute = "server.port";
    public const string ConsistencyAttribute = "cassandra.consistency.level";
    public const string IdempotentAttribute = "cassandra.query.idempotent";
    public const string CoordinatorAttribute = "cassandra.coordinator.id";
    public const string DatacenterAttribute = "cassandra.coordinator.dc";
    public const string SpeculativeCountAttribute = "cassandra.speculative_execution.count";
}
