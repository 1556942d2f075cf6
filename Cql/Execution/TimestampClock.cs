namespace WhatsAspire.Cql.Execution;

/// <summary>Gives write times in microseconds since 1970, each greater than all before, also while the clock stands still or goes
/// back.</summary>
internal sealed class TimestampClock(TimeProvider time)
{
    private long _last;

    public long Next()
    {
        while (true)
        {
            var last = Volatile.Read(ref _last);
            var now = (time.GetUtcNow().UtcTicks - DateTime.UnixEpoch.Ticks) / TimeSpan.TicksPerMicrosecond;
            var next = Math.Max(now, last + 1);
            if (Interlocked.CompareExchange(ref _last, next, last) == last)
                return next;
        }
    }
}
