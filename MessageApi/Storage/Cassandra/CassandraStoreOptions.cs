using System.ComponentModel.DataAnnotations;

namespace WhatsAspire.MessageApi.Storage.Cassandra;

/// <summary>Settings of the Cassandra store; how to reach the cluster is said by its connection string.</summary>
public sealed class CassandraStoreOptions
{
    /// <summary>The configuration section.</summary>
    public const string SectionName = "Cassandra:Store";

    /// <summary>The keyspace of the tables.</summary>
    [RegularExpression("^[a-z][a-z0-9_]{0,47}$", ErrorMessage = "Cassandra:Store:Keyspace must be 1 to 48 of a-z, 0-9 and _, a letter first.")]
    public string Keyspace { get; set; } = "whatsaspire";

    /// <summary>The replication with which the keyspace is made where it is missing, as CQL has it. For more than one node
    /// <c>{'class': 'NetworkTopologyStrategy', 'replication_factor': 3}</c>, or whatever the cluster needs; a keyspace that
    /// exists stays as it is.</summary>
    [Required(AllowEmptyStrings = false)]
    public string Replication { get; set; } = "{'class': 'NetworkTopologyStrategy', 'replication_factor': 1}";

    /// <summary>How long an append is tried, other writers' appends and time-outs included, before it fails as
    /// unavailable.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "00:05:00")]
    public TimeSpan AppendTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>How long one statement is waited for.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "00:05:00")]
    public TimeSpan StatementTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>Appends that may be under way or wait; callers beyond them wait for room.</summary>
    [Range(1, 1_000_000)]
    public int QueueLength { get; set; } = 8_192;

    /// <summary>Conversations whose heads are remembered: an append to one of them needs no look.</summary>
    [Range(1, 10_000_000)]
    public int HeadsRemembered { get; set; } = 100_000;

    /// <summary>Conversations that one call reads or writes at once.</summary>
    [Range(1, 1_024)]
    public int Parallelism { get; set; } = 32;

    /// <summary>How long the start waits for the cluster and for another process that applies migrations.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "01:00:00")]
    public TimeSpan MigrationTimeout { get; set; } = TimeSpan.FromMinutes(2);
}
