using System.ComponentModel.DataAnnotations;

namespace WhatsAspire.MessageApi.Storage.Rocks;

/// <summary>Settings of the RocksDB store.</summary>
public sealed class RocksStoreOptions
{
    /// <summary>The configuration section.</summary>
    public const string SectionName = "Storage";

    /// <summary>The folder that holds everything; made if it does not exist. One process owns it.</summary>
    [Required(AllowEmptyStrings = false)]
    public string Path { get; set; } = "";

    /// <summary>Operations that may wait for a commit; a caller beyond them waits for room.</summary>
    [Range(1, 1_000_000)]
    public int QueueLength { get; set; } = 2_048;

    /// <summary>Operations that one commit takes at most: bounds the time that the first of them waits.</summary>
    [Range(1, 100_000)]
    public int OperationsPerCommit { get; set; } = 1_024;

    /// <summary>Text that one commit takes at most before it is written, in KiB.</summary>
    [Range(64, 1_048_576)]
    public int CommitKibibytes { get; set; } = 4_096;

    /// <summary>Cache for blocks, indexes and filters of the tables on disk, in MiB.</summary>
    [Range(1, 1_048_576)]
    public int BlockCacheMebibytes { get; set; } = 64;

    /// <summary>All memtables together, in MiB. Beyond it the oldest is written to a table.</summary>
    [Range(1, 65_536)]
    public int MemtableMebibytes { get; set; } = 64;

    /// <summary>Write-ahead log that is kept at most before memtables are written to tables, in MiB: bounds the time
    /// that a start after a crash takes.</summary>
    [Range(1, 1_048_576)]
    public int WalMebibytes { get; set; } = 256;

    /// <summary>Table files that are kept open.</summary>
    [Range(16, 1_000_000)]
    public int OpenFiles { get; set; } = 512;

    /// <summary>Threads that write memtables and merge tables.</summary>
    [Range(1, 64)]
    public int BackgroundJobs { get; set; } = 2;

    /// <summary>How long the old bytes of a deleted message may stay in files, besides the time that their removal
    /// itself takes.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "30.00:00:00")]
    public TimeSpan PurgeInterval { get; set; } = TimeSpan.FromHours(1);

    /// <summary>After a failed write the folder is opened again at most this often.</summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "01:00:00")]
    public TimeSpan ReopenInterval { get; set; } = TimeSpan.FromSeconds(1);
}
