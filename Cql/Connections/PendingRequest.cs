using System.Threading.Tasks.Sources;
using WhatsAspire.Cql.Protocol;

namespace WhatsAspire.Cql.Connections;

/// <summary>The place of one stream id: who waits for its answer. Used again and again. The id is free once both the answer has
/// come and the caller has gone: so an answer that comes late is never taken for that of another request.</summary>
internal sealed class PendingRequest(CqlConnection connection, short stream) : IValueTaskSource<Response>
{
    private const int Idle = 0;
    private const int Waiting = 1;
    private const int Answered = 2;
    private const int GivenUp = 3;

    private ManualResetValueTaskSourceCore<Response> _core = new() { RunContinuationsAsynchronously = true };
    private int _state;
    private int _holders;

    public CqlConnection Connection => connection;

    public short Stream => stream;

    /// <summary>Which of the writer's buffers the request is in; those not yet taken to be sent never left.</summary>
    public long Buffer { get; set; }

    public bool IsWaiting => Volatile.Read(ref _state) == Waiting;

    public ValueTask<Response> Answer => new(this, _core.Version);

    public void Begin()
    {
        _core.Reset();
        _holders = 2;
        Volatile.Write(ref _state, Waiting);
    }

    /// <summary>It was not sent after all.</summary>
    public void Abandon() => Volatile.Write(ref _state, Idle);

    /// <returns>False where the caller has given up, or where no request waits at all.</returns>
    public bool TryAnswer(in Response response, out bool wasExpected)
    {
        var before = Interlocked.CompareExchange(ref _state, Answered, Waiting);
        if (before == Waiting)
            _core.SetResult(response);
        else if (before == GivenUp)
            // So that a second answer for this stream is not expected any more.
            Interlocked.Exchange(ref _state, Answered);
        wasExpected = before is Waiting or GivenUp;
        return before == Waiting;
    }

    public bool TryFail(Exception exception)
    {
        if (Interlocked.CompareExchange(ref _state, Answered, Waiting) != Waiting)
            return false;
        _core.SetException(exception);
        return true;
    }

    public bool TryGiveUp(CancellationToken cancellationToken)
    {
        if (Interlocked.CompareExchange(ref _state, GivenUp, Waiting) != Waiting)
            return false;
        _core.SetException(new OperationCanceledException(cancellationToken));
        return true;
    }

    /// <summary>The answer's side or the caller's side is done.</summary>
    /// <returns>True for the second of the two: the stream id is free.</returns>
    public bool Release()
    {
        if (Interlocked.Decrement(ref _holders) != 0)
            return false;
        Volatile.Write(ref _state, Idle);
        return true;
    }

    public Response GetResult(short token) => _core.GetResult(token);

    public ValueTaskSourceStatus GetStatus(short token) => _core.GetStatus(token);

    public void OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _core.OnCompleted(continuation, state, token, flags);
}
