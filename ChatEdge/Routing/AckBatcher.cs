using WhatsAspire.Backplane.EdgeTransport;
using WhatsAspire.ChatEdge.Connections;
using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Frames;
using WhatsAspire.Contracts.Messaging.V1;

namespace WhatsAspire.ChatEdge.Routing;

/// <summary>Joins the acks of each connection: while one round of them is with MessageApi the next collects, one
/// position for each conversation. Those of a user's several connections stay apart: one that is refused must not take
/// another with it. What is lost with the edge is acked again by the clients, who compare the summaries of the next
/// sync with what they hold.</summary>
internal sealed class AckBatcher(MessageApiLink api, LiveEvents live, TimeProvider time) : BackgroundService
{
    // Positions per round; what comes on top waits for the next. And the most that may wait at all.
    private const int Round = 2048;
    private const int Capacity = 262_144;
    private static readonly TimeSpan Retry = TimeSpan.FromMilliseconds(500);
    private readonly Lock _gate = new();
    private readonly SemaphoreSlim _signal = new(0, 1);
    private Dictionary<(EdgeConnection From, ConversationId Conversation), (UserId User, long Seq)> _waiting = [];

    /// <summary>Takes a position, without waiting.</summary>
    public void Add(UserId user, ConversationId conversation, long seq, EdgeConnection from)
    {
        lock (_gate)
        {
            if (_waiting.TryGetValue((from, conversation), out var known) ? known.Seq >= seq : _waiting.Count >= Capacity) return;
            _waiting[(from, conversation)] = (user, seq);
            if (_signal.CurrentCount == 0) _signal.Release();
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (true)
        {
            try
            {
                await _signal.WaitAsync(stoppingToken);
                var failed = false;
                foreach (var round in Take().Chunk(Round)) failed |= !await SendAsync(round, stoppingToken);
                if (failed) await Task.Delay(Retry, time, stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
        }
    }

    private Dictionary<(EdgeConnection From, ConversationId Conversation), (UserId User, long Seq)> Take()
    {
        lock (_gate)
        {
            var taken = _waiting;
            _waiting = [];
            return taken;
        }
    }

    private async Task<bool> SendAsync(
        KeyValuePair<(EdgeConnection From, ConversationId Conversation), (UserId User, long Seq)>[] round, CancellationToken stopping)
    {
        var done = new RoundEnd(round.Length);
        foreach (var (key, (user, seq)) in round)
        {
            var advance = new Advance { UserId = user.ToBytes() };
            advance.Positions.Add(new Position { ConversationId = key.Conversation.ToBytes(), DeliveredSeq = seq });
            await api.SubmitAsync(new PendingAck(this, done, user, key.Conversation, seq, key.From, advance));
        }

        return await done.Task.WaitAsync(stopping);
    }

    /// <summary>Counts a round down; true when all were answered.</summary>
    private sealed class RoundEnd(int count)
    {
        private readonly TaskCompletionSource<bool> _end = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _left = count;
        private volatile bool _failed;

        public Task<bool> Task => _end.Task;

        public void One(bool answered)
        {
            if (!answered) _failed = true;
            if (Interlocked.Decrement(ref _left) == 0) _end.TrySetResult(!_failed);
        }
    }

    private sealed class PendingAck(
        AckBatcher owner, RoundEnd end, UserId user, ConversationId conversation, long seq, EdgeConnection from, Advance advance)
        : PendingOperation(new Operation { Advance = advance })
    {
        public override void Complete(Result result)
        {
            try
            {
                if (result.Advanced is { } advanced)
                {
                    foreach (var one in advanced.Advanced)
                        if (one.Fault is { } fault) from.Tell(FrameWriter.Error(Faults.ToError(fault), null));
                        else LiveMessages.RouteReceipt(owner.Live, user, one, null);
                }
                else
                {
                    from.Tell(FrameWriter.Error(Faults.ToError(result.Fault), null));
                }
            }
            finally
            {
                // The next round waits for this one.
                end.One(true);
            }
        }

        public override void Fail(Error error)
        {
            owner.Add(user, conversation, seq, from);
            end.One(false);
        }
    }

    private LiveEvents Live => live;
}
