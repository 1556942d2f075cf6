namespace WhatsAspire.MessageApi.Storage.Cassandra;

/// <summary>A log is cut into partitions of <see cref="Size"/> entries each.</summary>
internal static class Buckets
{
    private const int Bits = 13;

    /// <summary>Entries of a full bucket: some MiB of usual messages, 128 MiB at the very most.</summary>
    public const long Size = 1L << Bits;

    /// <summary>Where the entry <paramref name="seq"/> lies; 0 for a log that has none.</summary>
    public static long Of(long seq) => seq <= 1 ? 0 : (seq - 1) >> Bits;

    /// <summary>The last seq that a bucket has room for.</summary>
    public static long End(long bucket) => (bucket + 1) << Bits;
}
