namespace WhatsAspire.Cql.Cluster;

/// <summary>Waits that double after each failure, each shortened by a random part so that many clients don't come back at one moment.</summary>
internal sealed class Backoff(TimeSpan first, TimeSpan most)
{
    private int _failures;

    public void Reset() => _failures = 0;

    /// <returns>Half to all of what is due, at most the longest.</returns>
    public TimeSpan Next()
    {
        var due = Math.Min(most.TotalMilliseconds, first.TotalMilliseconds * Math.Pow(2, Math.Min(_failures++, 30)));
#pragma warning disable CA5394 // Jitter protects nothing.
        return TimeSpan.FromMilliseconds(due * (0.5 + (Random.Shared.NextDouble() / 2)));
#pragma warning restore CA5394
    }
}

/// <summary>One that waits, and others that wake it; a wake-up while it doesn't wait is kept.</summary>
internal sealed class Wakeup
{
    private TaskCompletionSource _source = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public void Set() => Volatile.Read(ref _source).TrySetResult();

    /// <returns>True when woken, false when the time is up.</returns>
    public async Task<bool> WaitAsync(TimeSpan timeout, TimeProvider time, CancellationToken cancellationToken)
    {
        try
        {
            await Volatile.Read(ref _source).Task.WaitAsync(timeout, time, cancellationToken);
        }
        catch (TimeoutException)
        {
            return false;
        }

        Volatile.Write(ref _source, new(TaskCreationOptions.RunContinuationsAsynchronously));
        return true;
    }
}
