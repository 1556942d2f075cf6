using WhatsAspire.Contracts;

namespace WhatsAspire.ChatEdge.Connections;

/// <summary>What one connection was last given of each conversation, so that nothing is passed twice or out of order,
/// and what it was refused because it reads slowly. Bounded: the conversation that has been quiet for longest is
/// forgotten, and what can't be remembered as refused is left to a look at all that changed. Not safe for
/// concurrent use.</summary>
internal sealed class ConversationOrder(int capacity)
{
    // Own sends that are ahead of what came; more than this and a message before its turn is just passed on.
    private const int SentRemembered = 64;
    private readonly Dictionary<ConversationId, (long Seq, long Acked, long Known)> _passed = [];
    private Dictionary<ConversationId, SortedSet<long>>? _sent;
    private readonly LinkedList<ConversationId> _recent = [];
    private Dictionary<ConversationId, (long After, long Target)>? _missed;
    private Dictionary<ConversationId, (long Delivered, long Read)>? _receipts;

    /// <summary>Something was refused: the connection has to catch up.</summary>
    public bool IsBehind => _missed is not null;

    /// <summary>Whether it went out already, or something after it did.</summary>
    public bool IsLate(ConversationId conversation, long seq) => _passed.TryGetValue(conversation, out var last) && seq <= last.Seq;

    public void Passed(ConversationId conversation, long seq)
    {
        if (!_passed.TryGetValue(conversation, out var last))
        {
            if (_passed.Count >= capacity)
            {
                var oldest = _recent.First!.Value;
                _recent.RemoveFirst();
                _passed.Remove(oldest);
                _sent?.Remove(oldest);
            }

            _recent.AddLast(conversation);
        }

        _passed[conversation] = (seq, last.Acked, Absorb(conversation, Math.Max(seq, last.Known)));
    }

    /// <summary>The client has this entry: it is its own.</summary>
    public void Sent(ConversationId conversation, long seq)
    {
        if (!_passed.TryGetValue(conversation, out var last) || seq <= last.Known) return;
        if (seq == last.Known + 1)
        {
            _passed[conversation] = last with { Known = Absorb(conversation, seq) };
            return;
        }

        _sent ??= [];
        if (!_sent.TryGetValue(conversation, out var sent)) _sent[conversation] = sent = [];
        if (sent.Count < SentRemembered) sent.Add(seq);
    }

    /// <summary>Whether something between what the client has and this is not here yet. Unknown, and false, before anything
    /// of the conversation went out.</summary>
    public bool IsEarly(ConversationId conversation, long seq) => _passed.TryGetValue(conversation, out var last) && seq > last.Known + 1;

    /// <summary>Up to where the client has everything since the first that went out; 0 before that.</summary>
    public long Known(ConversationId conversation) => _passed.TryGetValue(conversation, out var last) ? last.Known : 0;

    /// <returns>Up to where the client has everything since the first that went out.</returns>
    private long Absorb(ConversationId conversation, long known)
    {
        if (_sent is null || !_sent.TryGetValue(conversation, out var sent)) return known;
        while (sent.Count > 0 && sent.Min <= known + 1)
        {
            known = Math.Max(known, sent.Min);
            sent.Remove(sent.Min);
        }

        if (sent.Count == 0) _sent.Remove(conversation);
        return known;
    }

    /// <summary>The client says that it holds everything up to here.</summary>
    public void Acked(ConversationId conversation, long seq)
    {
        if (_passed.TryGetValue(conversation, out var last) && seq > last.Acked) _passed[conversation] = last with { Acked = seq };
    }

    /// <summary>The conversations in which something went out, or was to go out, that the client has not acked, with the newest
    /// seq of it.</summary>
    public IEnumerable<(ConversationId Conversation, long Seq)> Unacked()
    {
        foreach (var (conversation, last) in _passed)
            if (last.Seq > last.Acked && _missed?.ContainsKey(conversation) is not true) yield return (conversation, last.Seq);
        foreach (var (conversation, owed) in _missed ?? []) yield return (conversation, owed.Target);
    }

    /// <summary>Takes note of a receipt that is about to go out.</summary>
    /// <returns>What it has to say: the greater of each position and of what was shown, since those of a group come from several
    /// processes, of which one may have seen more of the one position and another more of the other. Null when that is nothing
    /// new: it was overtaken, and would take a tick back.</returns>
    public (long Delivered, long Read)? Rises(ConversationId conversation, long delivered, long read)
    {
        _receipts ??= [];
        if (_receipts.TryGetValue(conversation, out var shown))
        {
            if (delivered <= shown.Delivered && read <= shown.Read) return null;
            (delivered, read) = (Math.Max(delivered, shown.Delivered), Math.Max(read, shown.Read));
        }
        else if (_receipts.Count >= capacity)
        {
            // Rare, and cheap to be wrong about: clients keep the greater position.
            _receipts.Clear();
        }

        _receipts[conversation] = (delivered, read);
        return (delivered, read);
    }

    /// <summary>The last seq that went out, or null when none is remembered.</summary>
    public long? LastPassed(ConversationId conversation) => _passed.TryGetValue(conversation, out var last) ? last.Seq : null;

    /// <summary>Remembers that everything after what was passed, up to this seq at least, is owed. Where nothing was
    /// passed before, only what comes from this seq on.</summary>
    public void Missed(ConversationId conversation, long seq)
    {
        _missed ??= [];
        if (_missed.TryGetValue(conversation, out var owed)) _missed[conversation] = (owed.After, Math.Max(owed.Target, seq));
        else if (_missed.Count < capacity) _missed[conversation] = (LastPassed(conversation) ?? seq - 1, seq);
    }

    /// <summary>Remembers that <paramref name="after"/> &lt; seq &lt;= <paramref name="target"/> is owed.</summary>
    public void Owe(ConversationId conversation, long after, long target)
    {
        Passed(conversation, Math.Max(after, LastPassed(conversation) ?? 0));
        Missed(conversation, target);
    }

    /// <summary>Something other than a message was refused.</summary>
    public void MissedOther() => _missed ??= [];

    /// <summary>One conversation in which something is owed, and the seq after which; null when there is none.</summary>
    public (ConversationId Conversation, long After)? NextMissed()
    {
        if (_missed is null) return null;
        foreach (var (conversation, owed) in _missed) return (conversation, owed.After);
        return null;
    }

    /// <summary>Everything up to <paramref name="seq"/> was passed while catching up.</summary>
    public void CaughtUpTo(ConversationId conversation, long seq)
    {
        if (LastPassed(conversation) is not { } last || seq > last) Passed(conversation, seq);
        if (_missed is null || !_missed.TryGetValue(conversation, out var owed)) return;
        if (seq >= owed.Target) _missed.Remove(conversation);
        else _missed[conversation] = (Math.Max(seq, owed.After), owed.Target);
    }

    /// <summary>What is owed of a conversation is not there any more, or not for this user. What comes later is new.</summary>
    public void NothingLeft(ConversationId conversation) => _missed?.Remove(conversation);

    /// <summary>Ends the catching up, if nothing is owed in any conversation.</summary>
    public bool TryEnd()
    {
        if (_missed is { Count: > 0 }) return false;
        _missed = null;
        return true;
    }
}
