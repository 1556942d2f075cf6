namespace WhatsAspire.AppHost;

/// <summary>Every name that resources, endpoints and connections have, once. A service finds an engine as
/// <c>ConnectionStrings:</c> and its name.</summary>
internal static class ResourceNames
{
    /// <summary>Sessions, presence, pub/sub.</summary>
    public const string Redis = "redis";

    /// <summary>The queue.</summary>
    public const string Kafka = "kafka";

    /// <summary>Accounts, devices, groups, settings.</summary>
    public const string Postgres = "postgres";

    /// <summary>The container that <see cref="Postgres"/> is a database of.</summary>
    public const string PostgresServer = "postgres-server";

    /// <summary>Conversation logs, positions, receipts.</summary>
    public const string Cassandra = "cassandra";

    /// <summary>Events between the services; embedded, a file of this name's folder.</summary>
    public const string Queue = "queue";

    /// <summary>REST and gRPC over the stores.</summary>
    public const string MessageApi = "message-api";

    /// <summary>The public door.</summary>
    public const string ChatEdge = "chat-edge";

    /// <summary>Brings the messages of large groups to their members.</summary>
    public const string FanoutWorker = "fanout-worker";

    /// <summary>Tells devices that are not connected.</summary>
    public const string PushWorker = "push-worker";

    /// <summary>Stands in for the providers of push notifications where none is set up.</summary>
    public const string PushGateways = "push-gateways";

    /// <summary>A service's HTTP/1.1 endpoint: REST, sockets, health.</summary>
    public const string Http = "http";

    /// <summary>A service's cleartext HTTP/2 endpoint, for the other services only.</summary>
    public const string Grpc = "grpc";

    /// <summary>An engine's own protocol.</summary>
    public const string Tcp = "tcp";

    /// <summary>The parameter that encrypts the keys that sign tokens.</summary>
    public const string DirectorySecret = "directory-secret";

    /// <summary>The parameter that is the password of a PostgreSQL of ours.</summary>
    public const string PostgresPassword = "postgres-password";
}
