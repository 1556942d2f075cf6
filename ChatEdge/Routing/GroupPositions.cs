using System.Collections.Concurrent;
using Microsoft.Extensions.Options;
using WhatsAspire.Backplane.EdgeTransport;
using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Frames;
using WhatsAspire.Contracts.Messaging.V1;

namespace WhatsAspire.ChatEdge.Routing;

/// <summary>Joins what this edge's connections ack and read in a group: one operation for many members. While it is with
/// MessageApi the next ones collect; after one that had many it waits until a window has passed since its start, so that of a
/// member who reads along in a busy group only the newest position is written. The first of a quiet group goes at once.
///
/// <para>Acks that are lost with the edge are acked again by the clients, as those of direct conversations are.</para></summary>
internal sealed class GroupPositions(
    MessageApiLink api, LiveEvents live, EdgeMetrics metrics, IOptions<EdgeOptions> options, TimeProvider time, IHostApplicationLifetime lifetime)
{
    /// <summary>Positions that may wait in all; what comes on top is refused.</summary>
    private const int Capacity = 262_144;

    /// <summary>Positions of one operation.</summary>
    private const int Most = 500;

    /// <summary>From this many on it is worth to wait for more.</summary>
    private const int Many = 8;

    private static readonly TimeSpan Retry = TimeSpan.FromMilliseconds(500);

    private readonly ConcurrentDictionary<ConversationId, Lane> _lanes = new();
    private int _waiting;

    /// <summary>Takes a position, without waiting.</summary>
    /// <param name="from">Who acked or read.</param>
    /// <param name="user">Whose connection it is.</param>
    /// <param name="conversation">A group.</param>
    /// <param name="delivered">0: not this one.</param>
    /// <param name="read">0: not this one.</param>
    /// <param name="answer">Is told what became of it; null where nobody waits.</param>
    /// <returns>False when too many wait: nothing happens then.</returns>
    public bool TryAdd(IPositionSource from, UserId user, ConversationId conversation, long delivered, long read, IPositionAnswer? answer)
    {
        if (Volatile.Read(ref _waiting) >= Capacity) return false;
        while (!_lanes.GetOrAdd(conversation, static (id, owner) => new(owner, id), this).TryAdd(from, user, delivered, read, answer))
        {
            // The lane has just run empty and is being removed; the next round makes a new one.
        }

        return true;
    }

    /// <summary>What one connection wants to have raised.</summary>
    private sealed class Waiting(IPositionSource from, UserId user)
    {
        public IPositionSource From => from;
        public UserId User => user;
        public long Delivered { get; set; }
        public long Read { get; set; }
        public List<IPositionAnswer>? Answers { get; set; }
    }

    /// <summary>One group's positions. It lives while there are any.</summary>
    private sealed class Lane(GroupPositions owner, ConversationId conversation)
    {
        private readonly Lock _gate = new();
        private Dictionary<IPositionSource, Waiting> _next = [];
        private bool _running;
        private bool _retired;

        public bool TryAdd(IPositionSource from, UserId user, long delivered, long read, IPositionAnswer? answer)
        {
            lock (_gate)
            {
                if (_retired) return false;
                Add(from, user, delivered, read, answer);
                if (_running) return true;
                _running = true;
            }

            _ = RunAsync();
            return true;
        }

        private void Add(IPositionSource from, UserId user, long delivered, long read, IPositionAnswer? answer)
        {
            if (!_next.TryGetValue(from, out var waiting))
            {
                _next[from] = waiting = new(from, user);
                Interlocked.Increment(ref owner._waiting);
            }

            waiting.Delivered = Math.Max(waiting.Delivered, delivered);
            waiting.Read = Math.Max(waiting.Read, read);
            if (answer is not null) (waiting.Answers ??= []).Add(answer);
        }

        private async Task RunAsync()
        {
            var (time, stopping) = (owner.Time, owner.Stopping);
            while (true)
            {
                List<Waiting> round;
                lock (_gate)
                {
                    round = Take();
                    if (round.Count == 0)
                    {
                        _retired = true;
                        owner._lanes.TryRemove(conversation, out _);
                        return;
                    }
                }

                owner.Metrics.GroupRound(round.Count);
                var started = time.GetTimestamp();
                var pending = new PendingRound(owner, conversation, round);
                await owner.Api.SubmitAsync(pending);
                var wait = TimeSpan.Zero;
                if (!await pending.Task)
                {
                    lock (_gate)
                        foreach (var one in round)
                            if (one.Delivered > 0) Add(one.From, one.User, one.Delivered, 0, null);
                    wait = Retry;
                }
                else if (round.Count >= Many)
                {
                    wait = owner.Window - time.GetElapsedTime(started);
                }

                if (wait > TimeSpan.Zero)
                    await Task.Delay(wait, time, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }

        /// <summary>Of a user with several connections one goes, the others wait: one that is refused must not take another
        /// with it.</summary>
        private List<Waiting> Take()
        {
            var (round, users) = (new List<Waiting>(Math.Min(_next.Count, Most)), new HashSet<UserId>());
            foreach (var waiting in _next.Values)
            {
                if (round.Count == Most) break;
                if (users.Add(waiting.User)) round.Add(waiting);
            }

            if (round.Count == _next.Count) _next = [];
            else foreach (var one in round) _next.Remove(one.From);
            Interlocked.Add(ref owner._waiting, -round.Count);
            return round;
        }
    }

    private sealed class PendingRound(GroupPositions owner, ConversationId conversation, List<Waiting> round)
        : PendingOperation(new Operation { AdvanceMembers = ToOperation(conversation, round) })
    {
        private readonly TaskCompletionSource<bool> _end = new(TaskCreationOptions.RunContinuationsAsynchronously);

        /// <summary>Whether it was answered.</summary>
        public Task<bool> Task => _end.Task;

        public override void Complete(Result result)
        {
            try
            {
                if (result.AdvancedMembers is { } advanced) Complete(advanced);
                else Refuse(Faults.ToError(result.Fault));
            }
            finally
            {
                // The next round waits for this one.
                _end.TrySetResult(true);
            }
        }

        private void Complete(AdvanceResult advanced)
        {
            for (var i = 0; i < round.Count; i++)
            {
                var (one, waiting) = (advanced.Advanced[i], round[i]);
                if (one.Fault is { } fault)
                {
                    var error = Faults.ToError(fault);
                    if (waiting.Answers is null) waiting.From.Tell(FrameWriter.Error(error, null));
                    foreach (var answer in waiting.Answers ?? []) answer.Fail(error);
                    continue;
                }

                LiveMessages.RouteReceipt(owner.Live, waiting.User, one, waiting.Answers is null ? null : waiting.From.Id);
                foreach (var answer in waiting.Answers ?? []) answer.Complete(one);
            }
        }

        public override void Fail(Error error)
        {
            foreach (var waiting in round)
                foreach (var answer in waiting.Answers ?? []) answer.Fail(error);
            _end.TrySetResult(false);
        }

        private void Refuse(Error error)
        {
            foreach (var waiting in round)
            {
                if (waiting.Answers is null) waiting.From.Tell(FrameWriter.Error(error, null));
                foreach (var answer in waiting.Answers ?? []) answer.Fail(error);
            }
        }

        private static AdvanceMembers ToOperation(ConversationId conversation, List<Waiting> round)
        {
            var advance = new AdvanceMembers { ConversationId = conversation.ToBytes() };
            foreach (var one in round)
                advance.Positions.Add(new MemberPosition
                {
                    UserId = one.User.ToBytes(),
                    DeliveredSeq = one.Delivered,
                    ReadSeq = one.Read,
                    AnswerHeld = one.Answers is not null,
                });
            return advance;
        }
    }

    private MessageApiLink Api => api;
    private LiveEvents Live => live;
    private EdgeMetrics Metrics => metrics;
    private TimeProvider Time => time;
    private TimeSpan Window { get; } = options.Value.GroupPositionWindow;
    private CancellationToken Stopping => lifetime.ApplicationStopping;
}
