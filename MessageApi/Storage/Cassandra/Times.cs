namespace WhatsAspire.MessageApi.Storage.Cassandra;

/// <summary>Times as Cassandra has them, and time stamps of writes.</summary>
internal static class Times
{
    /// <summary>To the millisecond, which is what CQL's <c>timestamp</c> has.</summary>
    public static DateTimeOffset Floor(DateTimeOffset time)
    {
        var utc = time.UtcTicks;
        return new(utc - (utc % TimeSpan.TicksPerMillisecond), TimeSpan.Zero);
    }

    /// <summary>The time stamp of a write that the latest time shall win, microseconds.</summary>
    public static long Latest(DateTimeOffset time) => time.ToUnixTimeMilliseconds() * 1000;

    /// <summary>The time stamp of a write that the earliest time shall win. Negative: time stamps of the future are
    /// refused by some servers.</summary>
    public static long Earliest(DateTimeOffset time) => -Latest(time);

    /// <summary>The time stamp of a write that the lowest seq shall win.</summary>
    public static long Lowest(long seq) => -seq;
}
