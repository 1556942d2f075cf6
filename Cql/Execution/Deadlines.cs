using System.Collections.Concurrent;

namespace WhatsAspire.Cql.Execution;

/// <summary>Time-outs of calls. Their sources are used again where no call's end still hangs on them.</summary>
internal sealed class Deadlines(TimeProvider time)
{
    private const int MostKept = 1024;

    private readonly ConcurrentQueue<CancellationTokenSource> _kept = new();

    /// <param name="timeout">From now on.</param>
    /// <param name="cancellationToken">The caller's, which ends the call as well.</param>
    public Deadline Start(TimeSpan timeout, CancellationToken cancellationToken)
    {
        CancellationTokenSource? source;
        // Only the system's timers can be set back.
        if (time != TimeProvider.System)
            source = new(timeout, time);
        else if (_kept.TryDequeue(out source))
            source.CancelAfter(timeout);
        else
            source = new(timeout);
        var registration = cancellationToken.UnsafeRegister(static state => ((CancellationTokenSource)state!).Cancel(), source);
        return new(source, registration);
    }

    /// <param name="deadline">Of a call that has ended.</param>
    /// <param name="isStillUsed">Some try of the call goes on: it is given up now.</param>
    public void End(in Deadline deadline, bool isStillUsed)
    {
        deadline.Registration.Dispose();
        if (isStillUsed)
            deadline.Source.Cancel();
        if (!isStillUsed && time == TimeProvider.System && _kept.Count < MostKept && deadline.Source.TryReset())
            _kept.Enqueue(deadline.Source);
        else
            deadline.Source.Dispose();
    }
}

internal readonly record struct Deadline(CancellationTokenSource Source, CancellationTokenRegistration Registration)
{
    public CancellationToken Token => Source.Token;
}
