using System.ComponentModel.DataAnnotations;

namespace WhatsAspire.MessageApi.Fanout;

/// <summary>Which way a group's messages take to its members. Can be changed while the service runs.</summary>
internal sealed class FanoutOptions
{
    public const string SectionName = "Fanout";

    /// <summary>Groups of more members than this go over the queue and the FanoutWorker, those of fewer from the sender's edge.
    /// 0 (all over the queue) to 1,000.</summary>
    [Range(0, 1000)]
    public int Threshold { get; set; } = 100;

    /// <summary>How long a send may wait for the queue before its message goes from the sender's edge all the same. 10 ms to
    /// 10 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "00:00:10")]
    public TimeSpan PublishTimeout { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>For how long a queue that failed is not asked again, so that not every send waits for it. 0 to 1 min.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:01:00")]
    public TimeSpan PublishRetry { get; set; } = TimeSpan.FromSeconds(5);
}
