using System.ComponentModel.DataAnnotations;

namespace WhatsAspire.Backplane.Queue;

/// <summary>What holds for the queue on every engine.</summary>
public sealed class QueueOptions
{
    public const string SectionName = "Queue";

    /// <summary>The greatest payload, bytes. 1 KiB to 8 MiB.</summary>
    [Range(1024, 8 * 1024 * 1024)]
    public int MaxPayloadBytes { get; set; } = 512 * 1024;

    /// <summary>Partitions of a topic that is made; one that exists keeps its own number. It bounds how many processes can
    /// work on a topic at once. 1 to 1,000.</summary>
    [Range(1, 1000)]
    public int Partitions { get; set; } = 16;

    /// <summary>Publishes that may be under way or wait for the engine; further ones wait outside. 16 to 1,048,576.</summary>
    [Range(16, 1 << 20)]
    public int PublishQueue { get; set; } = 8192;

    /// <summary>How long a publish may take before it fails as unavailable. 1 s to 5 min.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:05:00")]
    public TimeSpan PublishTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>Handler calls that an event may cost by failing before it is a dead letter. 1 to 100.</summary>
    [Range(1, 100)]
    public int MaxAttempts { get; set; } = 5;

    /// <summary>The wait after the first failure; it doubles with each. 1 ms to 1 min.</summary>
    [Range(typeof(TimeSpan), "00:00:00.001", "00:01:00")]
    public TimeSpan FirstRetry { get; set; } = TimeSpan.FromMilliseconds(100);

    /// <summary>The longest wait between two attempts. 1 ms to 1 h.</summary>
    [Range(typeof(TimeSpan), "00:00:00.001", "01:00:00")]
    public TimeSpan LastRetry { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>Handler calls of one subscription that may be under way at once, on as many partitions. 1 to 1,000.</summary>
    [Range(1, 1000)]
    public int Concurrency { get; set; } = 16;

    /// <summary>Events of one partition that may be in memory between the lowest that is not done and the newest that was
    /// fetched. It bounds what comes again after a crash, too. 1 to 65,536.</summary>
    [Range(1, 65536)]
    public int Window { get; set; } = 256;

    /// <summary>Payload of one partition that may be in memory, KiB; one event always may. 1 KiB to 1 GiB.</summary>
    [Range(1, 1 << 20)]
    public int WindowKibibytes { get; set; } = 4096;

    /// <summary>How long a handler call may take before it is cancelled and counts as failed. 10 ms to 1 h.</summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "01:00:00")]
    public TimeSpan HandlerTimeout { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>How long a handler call may go on when its partition moves or the process ends, before it is cancelled; and
    /// once more as long until it is no longer waited for. 0 to 1 min.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:01:00")]
    public TimeSpan StopGrace { get; set; } = TimeSpan.FromSeconds(5);
}
