using System.Net.Security;

namespace WhatsAspire.Cql;

/// <summary>How a session reaches a cluster. Checked when the session is made; see <see cref="Validate"/>.</summary>
public sealed class CqlOptions
{
    /// <summary>The settings section of <c>AddCassandra</c>.</summary>
    public const string SectionName = "Cassandra:Client";

    /// <summary>Where to begin: <c>host</c> or <c>host:port</c>, an IPv6 address in brackets. One that answers is enough; the others of the cluster are found.</summary>
    public IList<string> ContactPoints { get; } = [];

    /// <summary>The port of contact points that name none, and of nodes whose own is not known. 1 to 65,535.</summary>
    public int Port { get; set; } = 9042;

    /// <summary>For names without a keyspace. It need not exist yet. Null: none.</summary>
    public string? Keyspace { get; set; }

    public string? Username { get; set; }

    public string? Password { get; set; }

    /// <summary>Only nodes of this data centre are asked. Null: that of the first node that answers.</summary>
    public string? LocalDatacenter { get; set; }

    /// <summary>Whether nodes of other data centres are asked when no local one can be.</summary>
    public bool UseRemoteDatacenters { get; set; }

    public CqlConsistency Consistency { get; set; } = CqlConsistency.LocalQuorum;

    /// <summary><see cref="CqlConsistency.LocalSerial"/> or <see cref="CqlConsistency.Serial"/>.</summary>
    public CqlConsistency SerialConsistency { get; set; } = CqlConsistency.LocalSerial;

    /// <summary>Rows in a page, 1 or more.</summary>
    public int PageSize { get; set; } = 5000;

    /// <summary>The longest that a call waits, over all tries.</summary>
    public TimeSpan RequestTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>The longest that making a connection takes, with its handshake.</summary>
    public TimeSpan ConnectTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>A connection that has been silent for so long is asked for a sign of life.</summary>
    public TimeSpan HeartbeatInterval { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>How long the sign of life may take before the connection is given up.</summary>
    public TimeSpan HeartbeatTimeout { get; set; } = TimeSpan.FromSeconds(3);

    /// <summary>The first wait before a node is tried again; doubled after each failure, with jitter.</summary>
    public TimeSpan ReconnectDelay { get; set; } = TimeSpan.FromMilliseconds(500);

    /// <summary>The longest wait before a node is tried again. A call that finds no node at all does not leave it at that: it cuts
    /// the waits to <see cref="ReconnectDelay"/>.</summary>
    public TimeSpan MaxReconnectDelay { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>How long a change of the schema waits for all nodes to take it over. Zero: not at all.</summary>
    public TimeSpan SchemaAgreementTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>An idempotent statement that has had no answer for so long is also sent to the next node. Null: never.</summary>
    public TimeSpan? SpeculativeDelay { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>How many further nodes are asked in that way, 1 to 10.</summary>
    public int MaxSpeculativeExecutions { get; set; } = 1;

    /// <summary>Connections to each node, 1 to 64.</summary>
    public int ConnectionsPerNode { get; set; } = 2;

    /// <summary>Requests in flight on one connection, 1 to 32,768.</summary>
    public int MaxRequestsPerConnection { get; set; } = 2048;

    /// <summary>Callers that may wait for a place on one connection; more fail at once with <see cref="CqlBusyException"/>.</summary>
    public int MaxWaitingPerConnection { get; set; } = 4096;

    /// <summary>A connection on which so many requests were given up without an answer is replaced. 1 or more.</summary>
    public int MaxOrphansPerConnection { get; set; } = 512;

    /// <summary>Bytes that may wait to be sent on one connection; beyond that, the next one is taken. 64 KiB or more.</summary>
    public int MaxUnsentBytesPerConnection { get; set; } = 32 * 1024 * 1024;

    /// <summary>The largest answer that is taken, in bytes; a longer one costs the connection. 1 KiB to 256 MiB.</summary>
    public int MaxResponseBytes { get; set; } = 256 * 1024 * 1024;

    /// <summary>Whether LZ4 is used where the server offers it.</summary>
    public bool UseCompression { get; set; }

    /// <summary>The highest protocol version to use: 5, or 4 for old servers. A server that doesn't know 5 is spoken to in 4 by itself.</summary>
    public int MaxProtocolVersion { get; set; } = 5;

    /// <summary>Whether connections are encrypted.</summary>
    public bool UseTls { get; set; }

    /// <summary>The name that the nodes' certificates must have. Null: the contact point's name, or the node's address.</summary>
    public string? TlsHostName { get; set; }

    /// <summary>For client certificates, own trust and the like; called for each connection. Null: the system's defaults.</summary>
    public Action<SslClientAuthenticationOptions>? ConfigureTls { get; set; }

    /// <summary>What the server shows for this client in system_views.clients. Null: nothing.</summary>
    public string? ApplicationName { get; set; }

    /// <summary>Reads a connection string, such as
    /// <c>Contact Points=127.0.0.1:9042,127.0.0.2;Keyspace=chat;Username=u;Password=p;Local Datacenter=dc1</c>. Other keys are
    /// these properties with or without spaces. What it doesn't name stays as it is.</summary>
    /// <exception cref="ArgumentException">A key that doesn't exist, or a value that can't be read.</exception>
    public void Apply(string connectionString) => CqlConnectionString.Apply(this, connectionString);

    /// <summary>What is wrong with the settings; empty where nothing is.</summary>
    public IReadOnlyList<string> Validate() => CqlOptionsValidator.Check(this);
}
