using System.ComponentModel.DataAnnotations;

namespace WhatsAspire.Backplane.Queue.Sqlite;

/// <summary>Where the embedded queue lies, and what holds for it alone.</summary>
public sealed class SqliteQueueOptions
{
    public const string SectionName = QueueOptions.SectionName;

    /// <summary>The file, made if it is missing, or an existing folder to hold <c>queue.db</c>. On a local disk: the log
    /// beside it is shared memory. Every process of the machine that is to share the queue names the same.</summary>
    public string Path { get; set; } = "";

    /// <summary>How often a process looks whether another one has written. What it publishes itself it sees at once. 1 ms to
    /// 10 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.001", "00:00:10")]
    public TimeSpan PollInterval { get; set; } = TimeSpan.FromMilliseconds(50);

    /// <summary>How long a partition stays with an owner that does not renew its lease; renewed after a third of it. 300 ms
    /// to 5 min.</summary>
    [Range(typeof(TimeSpan), "00:00:00.300", "00:05:00")]
    public TimeSpan LeaseTime { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>How often what is done is committed while work goes on. 1 ms to 10 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.001", "00:00:10")]
    public TimeSpan CommitInterval { get; set; } = TimeSpan.FromMilliseconds(100);

    /// <summary>How long a write waits for those of other processes. 1 s to 1 min.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:01:00")]
    public TimeSpan WriteTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>How long an event is kept that some group has not consumed. 1 min to 366 days.</summary>
    [Range(typeof(TimeSpan), "00:01:00", "366.00:00:00")]
    public TimeSpan Retention { get; set; } = TimeSpan.FromDays(7);

    /// <summary>How long an event is kept that every group has consumed, for groups to come. 0 to 366 days.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "366.00:00:00")]
    public TimeSpan KeepConsumed { get; set; } = TimeSpan.FromHours(1);

    /// <summary>How long dead letters are kept. 1 min to 3,660 days.</summary>
    [Range(typeof(TimeSpan), "00:01:00", "3660.00:00:00")]
    public TimeSpan DeadLetterRetention { get; set; } = TimeSpan.FromDays(30);

    /// <summary>How often the log is trimmed. 100 ms to 1 day.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "1.00:00:00")]
    public TimeSpan TrimInterval { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>The file that <see cref="Path"/> means.</summary>
    internal string File => Directory.Exists(Path) ? System.IO.Path.Combine(Path, "queue.db") : Path;
}
