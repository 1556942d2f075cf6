using System.Threading.Channels;
using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Frames;

namespace WhatsAspire.Client;

/// <summary>Puts each conversation's messages in the order of their seq, each once, into a bounded queue for the app.
/// Knows what exists (<see cref="Log.Target"/>) even where it does not hold it, and so what is to be fetched. Not safe
/// for concurrent use, but for the reading end of <see cref="Queue"/>.</summary>
internal sealed class Inbox
{
    private readonly ChatClientOptions _options;
    private readonly Channel<MessageFrame> _queue;
    private readonly Dictionary<ConversationId, Log> _logs = [];
    private readonly HashSet<Log> _behind = [];
    private readonly HashSet<Log> _unacked = [];
    private readonly HashSet<Log> _unstored = [];
    private readonly Action<MessageFrame> _inOrder;
    private int _early;
    private bool _first;
    private bool _synced;

    /// <param name="options">Capacity and delays.</param>
    /// <param name="positions">What the app had in an earlier life.</param>
    /// <param name="hasCursor">There was one: what the sync names and is unknown is new.</param>
    /// <param name="inOrder">Told of each message as it goes into the queue.</param>
    public Inbox(
        ChatClientOptions options, IReadOnlyDictionary<ConversationId, long> positions, bool hasCursor, Action<MessageFrame> inOrder)
    {
        (_options, _inOrder) = (options, inOrder);
        _queue = Channel.CreateBounded<MessageFrame>(options.QueueCapacity);
        _first = !hasCursor;
        foreach (var (conversation, seq) in positions)
            _logs[conversation] = new(conversation) { HasBase = true, Held = seq, Taken = seq, Stored = seq, Acked = seq, Target = seq };
    }

    /// <summary>What the app reads.</summary>
    public ChannelReader<MessageFrame> Queue => _queue.Reader;

    public bool HasUnacked => _unacked.Count > 0;

    /// <summary>The first sync of a new device is not over: it is not known yet where its conversations begin.</summary>
    public bool IsFirst => _first;

    public bool HasUnstored => _unstored.Count > 0;

    /// <summary>Something exists that is not held.</summary>
    public bool IsBehind => _behind.Count > 0;

    public void Complete(Exception? error) => _queue.Writer.TryComplete(error);

    /// <summary>A message that came by itself, or an own one that was stored.</summary>
    public void Receive(MessageFrame message, long now)
    {
        var log = Get(message.ConversationId);
        // A conversation that the sync did not name is new: nothing of it is older.
        if (!log.HasBase && _synced) SetBase(log, 0, now);
        if (log.HasBase && message.Seq <= log.Held) return;
        log.Target = Math.Max(log.Target, message.Seq);
        if (!log.HasBase || message.Seq != log.Held + 1 || !Enqueue(log, message)) Keep(log, message);
        else Drain(log);
        Check(log, now);
    }

    /// <summary>What the server says of a conversation.</summary>
    public void Summarize(ConversationFrame summary, long now)
    {
        var log = Get(summary.ConversationId);
        log.Target = Math.Max(log.Target, summary.HeadSeq);
        if (!log.HasBase)
        {
            SetBase(log, !_first || _synced ? 0 : _options.FirstSync switch
            {
                FirstSync.FromStart => 0,
                FirstSync.Nothing => summary.HeadSeq,
                _ => summary.DeliveredSeq,
            }, now);
        }

        // An ack that was lost with its connection.
        if (summary.DeliveredSeq < log.Taken)
        {
            log.Acked = Math.Min(log.Acked, summary.DeliveredSeq);
            _unacked.Add(log);
        }
        else
        {
            log.Acked = Math.Max(log.Acked, Math.Min(summary.DeliveredSeq, log.Taken));
        }

        if (log.Held < log.Target) log.Urgent = true;
        Check(log, now);
    }

    /// <summary>A connection begins: what the sync says of unknown conversations is yet to come.</summary>
    public void BeginSync() => _synced = false;

    /// <summary>All summaries are there.</summary>
    /// <returns>What was behind then: when all of it has come, the cursor may be kept.</returns>
    public List<(Log Log, long Target)> EndSync(long now)
    {
        _synced = true;
        _first = false;
        foreach (var log in _logs.Values)
            if (!log.HasBase) SetBase(log, 0, now);
        return [.. _logs.Values.Where(l => l.Stored < l.Target).Select(l => (l, l.Target))];
    }

    /// <summary>An own send moves one's own position on the server by itself.</summary>
    public void AckedByServer(ConversationId conversation, long seq)
    {
        var log = Get(conversation);
        log.Acked = Math.Max(log.Acked, seq);
    }

    /// <summary>Puts what a page holds into its place.</summary>
    /// <returns>Whether it brought anything.</returns>
    public bool Fill(PageFrame page, long after, long now)
    {
        var log = Get(page.ConversationId);
        log.Target = Math.Max(log.Target, page.HeadSeq);
        if (!log.HasBase || log.Held < after) return false;
        var held = log.Held;
        foreach (var message in page.Messages)
        {
            if (message.Seq <= log.Held) continue;
            // What a page leaves out between its messages does not exist for this user.
            if (!Enqueue(log, message)) break;
        }

        var whole = page.Messages.Count == 0 || log.Held >= page.Messages[^1].Seq;
        if (whole && !page.More && page.HeadSeq > log.Held) Skip(log, page.HeadSeq);
        Drain(log);
        Check(log, now);
        return log.Held > held;
    }

    /// <summary>The server will not give what lies between: goes on with what is held.</summary>
    public void GiveUp(ConversationId conversation, long now)
    {
        var log = Get(conversation);
        Skip(log, log.Early is { Count: > 0 } ? log.Early.Keys.First() - 1 : log.Target);
        Drain(log);
        Check(log, now);
    }

    /// <summary>The ranges that should be fetched now; null when there are none.</summary>
    /// <param name="now">A timestamp.</param>
    /// <param name="wait">Lowered to when a gap's grace ends.</param>
    public List<PullRange>? Missing(long now, ref TimeSpan wait)
    {
        if (_queue.Reader.Count > _options.QueueCapacity / 2) return null;
        var room = Math.Min(Limits.PullMessages, _options.QueueCapacity - _queue.Reader.Count);
        List<PullRange>? ranges = null;
        foreach (var log in _behind)
        {
            if (room <= 0 || ranges?.Count == Limits.PullRanges) break;
            // The next one is here already, and waits for room.
            if (!log.HasBase || log.Early?.ContainsKey(log.Held + 1) == true) continue;
            var grace = _options.GapGrace - _options.Time.GetElapsedTime(log.BehindSince, now);
            if (!log.Urgent && grace > TimeSpan.Zero)
            {
                if (grace < wait) wait = grace;
                continue;
            }

            var limit = (int)Math.Min(room, log.Target - log.Held);
            room -= limit;
            (ranges ??= []).Add(new(log.Id, log.Held, limit));
        }

        return ranges;
    }

    /// <summary>The app took a message out of the queue.</summary>
    /// <returns>Whether there is something new to do.</returns>
    public bool Take(MessageFrame message, long now)
    {
        var log = Get(message.ConversationId);
        log.Queued--;
        Advance(log, message.Seq);
        if (_behind.Count == 0 || _queue.Reader.Count > _options.QueueCapacity / 2) return log.Taken > log.Acked;
        foreach (var behind in _behind.ToList())
        {
            Drain(behind);
            Check(behind, now);
        }

        return true;
    }

    /// <summary>The app is done with a message.</summary>
    public void Store(ConversationId conversation, long seq)
    {
        var log = Get(conversation);
        seq = log.Queued == 0 && log.Taken == log.Held ? Math.Max(seq, log.Held) : seq;
        if (seq <= log.Stored) return;
        log.Stored = seq;
        _unstored.Add(log);
    }

    /// <summary>Positions to acknowledge: at most <see cref="Limits.AckPositions"/>, and each once.</summary>
    public List<AckPosition> Unacked()
    {
        var positions = new List<AckPosition>();
        foreach (var log in _unacked.Take(Limits.AckPositions).ToList())
        {
            _unacked.Remove(log);
            if (log.Taken <= log.Acked) continue;
            log.Acked = log.Taken;
            positions.Add(new(log.Id, log.Taken));
        }

        return positions;
    }

    /// <summary>Positions to write down, each once.</summary>
    public List<AckPosition> Unstored()
    {
        var positions = _unstored.Select(l => new AckPosition(l.Id, l.Stored)).ToList();
        _unstored.Clear();
        return positions;
    }

    private Log Get(ConversationId id) => _logs.TryGetValue(id, out var log) ? log : _logs[id] = new(id);

    private void SetBase(Log log, long seq, long now)
    {
        log.HasBase = true;
        log.Held = log.Taken = log.Stored = log.Acked = seq;
        log.Target = Math.Max(log.Target, seq);
        if (seq > 0) _unstored.Add(log);
        Drain(log);
        Check(log, now);
    }

    private bool Enqueue(Log log, MessageFrame message)
    {
        if (!_queue.Writer.TryWrite(message)) return false;
        log.Held = message.Seq;
        log.Queued++;
        _inOrder(message);
        return true;
    }

    // What does not fit is fetched again when there is room.
    private void Keep(Log log, MessageFrame message)
    {
        if (_early >= _options.QueueCapacity) return;
        if ((log.Early ??= []).TryAdd(message.Seq, message)) _early++;
    }

    private void Drain(Log log)
    {
        while (log.HasBase && log.Early is { Count: > 0 } early)
        {
            var (seq, message) = early.First();
            if (seq > log.Held + 1 || (seq == log.Held + 1 && !Enqueue(log, message))) return;
            early.Remove(seq);
            _early--;
        }
    }

    private void Skip(Log log, long to)
    {
        if (to <= log.Held) return;
        log.Held = to;
        if (log.Queued > 0) return;
        var stored = log.Stored == log.Taken;
        Advance(log, to);
        if (stored) Store(log.Id, to);
    }

    private void Advance(Log log, long seq)
    {
        log.Taken = log.Queued == 0 ? log.Held : seq;
        if (log.Taken > log.Acked) _unacked.Add(log);
    }

    private void Check(Log log, long now)
    {
        if (log.Held >= log.Target)
        {
            _behind.Remove(log);
            log.Urgent = false;
        }
        else if (_behind.Add(log))
        {
            log.BehindSince = now;
        }
    }

    /// <summary>One conversation.</summary>
    internal sealed class Log(ConversationId id)
    {
        public ConversationId Id => id;

        /// <summary>Where to begin is known.</summary>
        public bool HasBase { get; set; }

        /// <summary>Everything up to here is in the queue or was taken from it.</summary>
        public long Held { get; set; }

        /// <summary>The app was given everything up to here.</summary>
        public long Taken { get; set; }

        /// <summary>The app is done with everything up to here.</summary>
        public long Stored { get; set; }

        /// <summary>The server was told that everything up to here is held.</summary>
        public long Acked { get; set; }

        /// <summary>Everything up to here exists.</summary>
        public long Target { get; set; }

        /// <summary>Messages in the queue.</summary>
        public int Queued { get; set; }

        /// <summary>Messages after a gap, or that found the queue full.</summary>
        public SortedDictionary<long, MessageFrame>? Early { get; set; }

        /// <summary>Since when something is missing, a timestamp.</summary>
        public long BehindSince { get; set; }

        /// <summary>What is missing is not on its way by itself.</summary>
        public bool Urgent { get; set; }
    }
}
