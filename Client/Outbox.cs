using WhatsAspire.Contracts;

namespace WhatsAspire.Client;

/// <summary>Messages until the server has them: a queue for each conversation, of which only the first is on its way, so
/// that a later one can't overtake one that was refused for now. Not safe for concurrent use.</summary>
internal sealed class Outbox(ChatClientOptions options, UserId me)
{
    private readonly Dictionary<ConversationId, Queue<OutgoingMessage>> _lanes = [];
    private readonly Dictionary<string, OutgoingMessage> _byId = [];
    private readonly LinkedList<ConversationId> _ready = [];
    private readonly HashSet<OutgoingMessage> _flying = [];

    public int Count => _byId.Count;

    public bool IsIdle => _flying.Count == 0;

    public IEnumerable<OutgoingMessage> All => _byId.Values;

    public OutgoingMessage? Find(string clientMessageId) => _byId.GetValueOrDefault(clientMessageId);

    public void Add(OutgoingMessage message)
    {
        _byId.Add(message.ClientMessageId, message);
        var lane = message.Entry.Lane(me);
        if (!_lanes.TryGetValue(lane, out var queue)) _lanes.Add(lane, queue = new());
        queue.Enqueue(message);
        if (queue.Count == 1) _ready.AddLast(lane);
    }

    /// <summary>The next message to send, which is then on its way; null when none is due.</summary>
    /// <param name="now">A timestamp.</param>
    /// <param name="wait">Lowered to when the next one is due.</param>
    public OutgoingMessage? Next(long now, ref TimeSpan wait)
    {
        if (_flying.Count >= options.SendWindow) return null;
        for (var node = _ready.First; node is not null; node = node.Next)
        {
            var head = _lanes[node.Value].Peek();
            if (!head.IsStored) continue;
            if (head.NotBefore > now)
            {
                Lower(ref wait, options.Time.GetElapsedTime(now, head.NotBefore));
                continue;
            }

            _ready.Remove(node);
            head.InFlight = true;
            head.SentAt = now;
            head.Tries++;
            _flying.Add(head);
            return head;
        }

        return null;
    }

    /// <summary>The server has it, or refused it for good.</summary>
    public OutgoingMessage? Remove(string clientMessageId)
    {
        if (!_byId.TryGetValue(clientMessageId, out var message)) return null;
        var lane = message.Entry.Lane(me);
        var queue = _lanes[lane];
        _byId.Remove(clientMessageId);
        if (queue.Peek() != message)
        {
            // It could not be written down, and waits behind others.
            _lanes[lane] = new(queue.Where(m => m != message));
            return message;
        }

        queue.Dequeue();
        if (!_flying.Remove(message)) _ready.Remove(lane);
        message.InFlight = false;
        if (queue.Count == 0) _lanes.Remove(lane);
        else _ready.AddLast(lane);
        return message;
    }

    /// <summary>It was refused for now: it is due again after a while.</summary>
    public void Retry(OutgoingMessage message, long now, TimeSpan? after)
    {
        if (!message.InFlight) return;
        var wait = options.Backoff(message.Tries - 1);
        if (after > wait) wait = after.Value;
        message.NotBefore = now + (long)(wait.TotalSeconds * options.Time.TimestampFrequency);
        Release(message);
    }

    /// <summary>The connection is gone: what was on its way is due on the next one, at once.</summary>
    public void ConnectionLost()
    {
        foreach (var message in _flying.ToList())
        {
            message.NotBefore = 0;
            Release(message);
        }
    }

    /// <summary>The messages that have been on their way for too long.</summary>
    /// <param name="now">A timestamp.</param>
    /// <param name="wait">Lowered to when the next one will have been.</param>
    public List<OutgoingMessage>? TimedOut(long now, ref TimeSpan wait)
    {
        List<OutgoingMessage>? late = null;
        foreach (var message in _flying)
        {
            var left = options.SendTimeout - options.Time.GetElapsedTime(message.SentAt, now);
            if (left <= TimeSpan.Zero) (late ??= []).Add(message);
            else Lower(ref wait, left);
        }

        return late;
    }

    private void Release(OutgoingMessage message)
    {
        message.InFlight = false;
        _flying.Remove(message);
        _ready.AddFirst(message.Entry.Lane(me));
    }

    private static void Lower(ref TimeSpan wait, TimeSpan to)
    {
        if (to < wait) wait = to;
    }
}
