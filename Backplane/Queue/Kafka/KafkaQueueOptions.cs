using System.ComponentModel.DataAnnotations;
using Confluent.Kafka;

namespace WhatsAspire.Backplane.Queue.Kafka;

/// <summary>How Kafka is reached and used.</summary>
public sealed class KafkaQueueOptions
{
    public const string SectionName = "Queue:Kafka";

    /// <summary><c>host:port</c> of some brokers, separated by commas: the connection string.</summary>
    public string BootstrapServers { get; set; } = "";

    /// <summary>Whether topics that are missing are made, with <see cref="QueueOptions.Partitions"/>. Where it is off they
    /// are the operator's affair, the ones for dead letters with one partition.</summary>
    public bool CreateTopics { get; set; } = true;

    /// <summary>Replicas of a topic that is made; -1 leaves it to the broker's default. What is acknowledged survives the
    /// loss of a broker only with 3 here and 2 in <see cref="MinInSyncReplicas"/>. -1 to 10.</summary>
    [Range(-1, 10)]
    public short ReplicationFactor { get; set; } = -1;

    /// <summary>How many replicas must have an event before it is acknowledged, for topics that are made; 0 leaves it to
    /// the broker's default. 0 to 10.</summary>
    [Range(0, 10)]
    public int MinInSyncReplicas { get; set; }

    /// <summary>How long dead letters are kept, for dead-letter topics that are made. 1 min to 3,660 days.</summary>
    [Range(typeof(TimeSpan), "00:01:00", "3660.00:00:00")]
    public TimeSpan DeadLetterRetention { get; set; } = TimeSpan.FromDays(30);

    /// <summary>How long a partition stays with a member that is silent. The broker has bounds of its own, by default 6 s to
    /// 30 min. 1 s to 30 min.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:30:00")]
    public TimeSpan SessionTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>How often what is done is committed while work goes on. 10 ms to 1 min.</summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "00:01:00")]
    public TimeSpan CommitInterval { get; set; } = TimeSpan.FromMilliseconds(500);

    /// <summary>How long the first event of a batch waits for others. 0 to 1 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:00:01")]
    public TimeSpan Linger { get; set; } = TimeSpan.FromMilliseconds(2);

    /// <summary>How often the client's own statistics become metrics; 0: never. 0 to 1 h.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "01:00:00")]
    public TimeSpan StatisticsInterval { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>Plaintext, Ssl, SaslPlaintext or SaslSsl.</summary>
    public SecurityProtocol SecurityProtocol { get; set; } = SecurityProtocol.Plaintext;

    /// <summary>Plain, ScramSha256 or ScramSha512; only with a Sasl protocol.</summary>
    public SaslMechanism SaslMechanism { get; set; } = SaslMechanism.ScramSha512;

    /// <summary>Azure Event Hubs has <c>$ConnectionString</c> here, and Plain as the mechanism.</summary>
    public string? SaslUsername { get; set; }

    public string? SaslPassword { get; set; }

    internal bool IsSasl => SecurityProtocol is SecurityProtocol.SaslPlaintext or SecurityProtocol.SaslSsl;

    /// <summary>What every client of ours has.</summary>
    internal T Apply<T>(T config) where T : ClientConfig
    {
        config.BootstrapServers = BootstrapServers;
        config.ClientId = "whatsaspire";
        config.SecurityProtocol = SecurityProtocol;
        // Idle connections are cut by balancers and firewalls without a word.
        config.SocketKeepaliveEnable = true;
        // By default it waits up to 10 s, for a broker that is back after two.
        config.ReconnectBackoffMs = 100;
        config.ReconnectBackoffMaxMs = 2000;
        config.AllowAutoCreateTopics = false;
        if (!IsSasl) return config;
        config.SaslMechanism = SaslMechanism;
        config.SaslUsername = SaslUsername;
        config.SaslPassword = SaslPassword;
        return config;
    }
}
