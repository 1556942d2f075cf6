using WhatsAspire.Backplane.EdgeTransport;
using WhatsAspire.Contracts;

namespace WhatsAspire.ChatEdge.Connections;

/// <summary>Messages that came before their turn, of one connection: those of a group come from several edges, and one that was
/// stored later may be here sooner. They wait a moment for what is still on its way. Bounded; not safe for concurrent
/// use.</summary>
internal sealed class EarlyMessages
{
    private const int Most = 32;
    private readonly Dictionary<ConversationId, SortedList<long, LiveEvent>> _waiting = [];
    private int _count;

    /// <summary>Where something waits, and the newest seq of it.</summary>
    public IEnumerable<(ConversationId Conversation, long Seq)> Newest => _waiting.Select(one => (one.Key, one.Value.GetKeyAtIndex(one.Value.Count - 1)));

    /// <summary>Keeps a message.</summary>
    /// <returns>False when there is no room.</returns>
    public bool TryAdd(LiveEvent live)
    {
        if (!_waiting.TryGetValue(live.Conversation, out var early))
        {
            if (_count >= Most) return false;
            _waiting[live.Conversation] = early = [];
        }
        else if (early.ContainsKey(live.Seq))
        {
            return true;
        }
        else if (_count >= Most)
        {
            return false;
        }

        early.Add(live.Seq, live);
        _count++;
        return true;
    }

    /// <summary>Takes the first one out, if its seq is not above this.</summary>
    public LiveEvent? Take(ConversationId conversation, long upTo)
    {
        if (!_waiting.TryGetValue(conversation, out var early) || early.GetKeyAtIndex(0) > upTo) return null;
        var first = early.GetValueAtIndex(0);
        early.RemoveAt(0);
        if (early.Count == 0) _waiting.Remove(conversation);
        _count--;
        return first;
    }
}
