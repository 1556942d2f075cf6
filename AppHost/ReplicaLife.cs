namespace WhatsAspire.AppHost;

/// <summary>What a new state of a replica means for its supervision.</summary>
internal enum ReplicaChange
{
    /// <summary>Nothing to do.</summary>
    None,

    /// <summary>It ended, and nobody had asked for that.</summary>
    EndedUnasked,

    /// <summary>After an end it runs as a new process.</summary>
    RunsAgain,
}

/// <summary>
/// Follows the states of one replica. The orchestrator says 'Stopping' before the end of a process that somebody told
/// it to stop, and says nothing before any other end.
/// </summary>
internal sealed class ReplicaLife(TimeProvider time)
{
    private const string ProcessIdProperty = "executable.pid";

    private bool _askedToStop;
    private bool _ended;
    private bool _expected;
    private long? _runningSince;

    /// <summary>Unasked ends in a row, without a good run in between.</summary>
    public int Deaths { get; private set; }

    /// <summary>The process that it runs as, or last ran as.</summary>
    public int ProcessId { get; private set; }

    /// <summary>Whether a state is one that a replica leaves only when it is started.</summary>
    public static bool IsEnd(string? state) => KnownResourceStates.TerminalStates.Contains(state);

    /// <summary>Takes in the next state; each end and each new run is reported once.</summary>
    public ReplicaChange Follow(CustomResourceSnapshot snapshot)
    {
        var state = snapshot.State?.Text;
        if (state == KnownResourceStates.Stopping)
            _askedToStop = true;
        else if (state == KnownResourceStates.Starting)
            _ended = _askedToStop = false;
        else if (state == KnownResourceStates.Running)
            return Runs(snapshot);
        else if (IsEnd(state) && !_ended)
            return Ends();
        return ReplicaChange.None;
    }

    private ReplicaChange Runs(CustomResourceSnapshot snapshot)
    {
        _ended = _askedToStop = false;
        _runningSince ??= time.GetTimestamp();
        var processId = snapshot.Properties.FirstOrDefault(property => property.Name == ProcessIdProperty)?.Value as int? ?? 0;
        if (processId == 0 || processId == ProcessId)
            return ReplicaChange.None;
        ProcessId = processId;
        if (!_expected)
            return ReplicaChange.None;
        _expected = false;
        return ReplicaChange.RunsAgain;
    }

    private ReplicaChange Ends()
    {
        var ran = _runningSince is { } since ? time.GetElapsedTime(since) : TimeSpan.Zero;
        _ended = true;
        _runningSince = null;
        if (_askedToStop)
            return ReplicaChange.None;
        Deaths = ran >= Backoff.GoodRun ? 1 : Deaths + 1;
        _expected = true;
        return ReplicaChange.EndedUnasked;
    }
}
