using System.ComponentModel.DataAnnotations;

namespace WhatsAspire.Backplane;

/// <summary>How the processes find and reach each other.</summary>
public sealed class BackplaneOptions
{
    public const string SectionName = "Backplane";

    /// <summary>How long an edge counts as alive without a renewal. 1 to 300 s.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:05:00")]
    public TimeSpan LeaseTime { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>How often an edge renews its lease; less than a third of <see cref="LeaseTime"/>, so that two
    /// renewals may fail. 100 ms to 100 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.1", "00:01:40")]
    public TimeSpan LeaseRenewal { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>For how long another edge's lease is believed without a look at Redis. 0 to 10 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:00:10")]
    public TimeSpan LeaseCache { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>Live events that may wait for routing, for each of the router's lanes; what comes on top is redelivered over the queue.</summary>
    [Range(16, 1 << 20)]
    public int RouterQueue { get; set; } = 4096;

    /// <summary>Deliveries that may wait for one other edge; what comes on top is redelivered over the queue.</summary>
    [Range(16, 1 << 20)]
    public int EdgeQueue { get; set; } = 8192;

    /// <summary>Conversations whose failed deliveries may wait for the queue; what comes on top is left to the activity
    /// check. 16 to 1,048,576.</summary>
    [Range(16, 1 << 20)]
    public int RedeliveryBacklog { get; set; } = 4096;

    /// <summary>Users and conversations that may wait to be put on the queue for push; what comes on top is not pushed. 16 to
    /// 4,194,304.</summary>
    [Range(16, 1 << 22)]
    public int PushBacklog { get; set; } = 65536;
}
