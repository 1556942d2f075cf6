using System.ComponentModel.DataAnnotations;

namespace WhatsAspire.ChatEdge;

/// <summary>How an edge treats its connections.</summary>
public sealed class EdgeOptions
{
    public const string SectionName = "Edge";

    /// <summary>The address at which other processes reach this edge's gRPC; the configured endpoint
    /// <c>Kestrel:Endpoints:grpc:Url</c> unless set.</summary>
    public Uri? AdvertisedAddress { get; set; }

    /// <summary>Bytes that may wait for a connection whose transport is behind, before it falls into catch-up.
    /// 4 KiB to 1 MiB.</summary>
    [Range(4 * 1024, 1024 * 1024)]
    public int QueueBytes { get; set; } = 32 * 1024;

    /// <summary>Sends of one connection that may be under way; more wait in its socket. 1 to 4,096.</summary>
    [Range(1, 4096)]
    public int SendWindow { get; set; } = 128;

    /// <summary>Conversations whose order is remembered for a connection. 16 to 65,536.</summary>
    [Range(16, 65536)]
    public int TrackedConversations { get; set; } = 256;

    /// <summary>How often the activity marks are compared with what was delivered. 1 s to 10 min.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:10:00")]
    public TimeSpan ActivityCheck { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>How long a message that came before its turn waits for what is still on its way, so that the client need not
    /// pull it. 0 to 1 s; 0: not at all.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:00:01")]
    public TimeSpan GapPatience { get; set; } = TimeSpan.FromMilliseconds(50);

    /// <summary>Acks and reads of a group with many readers are written together at most this often. 0 to 5 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:00:05")]
    public TimeSpan GroupPositionWindow { get; set; } = TimeSpan.FromMilliseconds(250);

    /// <summary>How long an operation may wait for MessageApi before its client is told to try again. 1 s to 1 min.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:01:00")]
    public TimeSpan OperationTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>How long a failed delivery is tried again, from the failure on; then it is left to the activity check. 10 s
    /// to 1 h.</summary>
    [Range(typeof(TimeSpan), "00:00:10", "01:00:00")]
    public TimeSpan RedeliveryPatience { get; set; } = TimeSpan.FromMinutes(5);
}
