using System.Text.Json;
using WhatsAspire.Backplane.EdgeTransport;
using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Edge.V1;
using WhatsAspire.Contracts.Events;
using WhatsAspire.Contracts.Frames;

namespace WhatsAspire.Backplane.Redelivery;

/// <summary>What of one conversation did not get through, joined. Bounded: of more messages the newest are kept, since a
/// client that gets one asks by itself for those before it. Not safe for concurrent use.</summary>
internal sealed class Undelivered
{
    internal const int MaxMessages = 32;
    internal const int MaxReceipts = 32;

    private readonly SortedDictionary<long, (HashSet<UserId> To, ConnectionId? Except)> _messages = [];
    private readonly Dictionary<UserId, (UndeliveredReceipt Receipt, HashSet<UserId> To)> _receipts = [];
    private readonly HashSet<UserId> _changed = [];
    private readonly HashSet<LoggedOutDevice> _loggedOut = [];
    private ConversationId? _conversation;
    private string? _served;
    private bool _isNew = true;

    /// <summary>Whether it is of use later: that a device has a newer connection is not.</summary>
    public static bool CanBe(LiveEvent live) =>
        live.Kind is DeliveryKind.Message or DeliveryKind.Receipt or DeliveryKind.Conversation
        || (live.Kind is DeliveryKind.LoggedOut && live.CloseDevice is not null && live.Users.Count > 0);

    /// <summary>Adds an event.</summary>
    /// <param name="live">What was to be delivered.</param>
    /// <param name="served">The edge whose own connections have had it.</param>
    /// <returns>How many had to go for the bounds.</returns>
    public int Add(LiveEvent live, string? served)
    {
        _served = _isNew || _served == served ? served : null;
        _isNew = false;
        switch (live.Kind)
        {
            case DeliveryKind.Message:
                _conversation = live.Conversation;
                if (!_messages.TryGetValue(live.Seq, out var message)) _messages[live.Seq] = message = ([], live.Except);
                message.To.UnionWith(live.Users);
                return Shrink();
            case DeliveryKind.Receipt:
                _conversation = live.Conversation;
                return ReceiptOf(live) is { } receipt ? Add(receipt) : 1;
            case DeliveryKind.Conversation:
                _conversation = live.Conversation;
                _changed.UnionWith(live.Users);
                return 0;
            case DeliveryKind.LoggedOut when live.CloseDevice is { } device:
                foreach (var user in live.Users) _loggedOut.Add(new(user, device));
                return 0;
            default:
                return 1;
        }
    }

    /// <summary>Adds what an earlier one holds.</summary>
    public void Merge(Undelivered earlier)
    {
        _served = _isNew || _served == earlier._served ? earlier._served : null;
        _isNew = false;
        _conversation ??= earlier._conversation;
        foreach (var (seq, (to, except)) in earlier._messages)
            if (!_messages.TryAdd(seq, (to, except))) _messages[seq].To.UnionWith(to);
        foreach (var (receipt, to) in earlier._receipts.Values) Add(receipt with { To = [.. to] });
        _changed.UnionWith(earlier._changed);
        _loggedOut.UnionWith(earlier._loggedOut);
        Shrink();
    }

    public RedeliveryEvent ToEvent() => new()
    {
        ConversationId = _conversation,
        Messages = _messages.Count == 0 ? null : [.. _messages.Select(m => new UndeliveredMessage(m.Key, [.. m.Value.To], m.Value.Except))],
        Receipts = _receipts.Count == 0 ? null : [.. _receipts.Values.Select(r => r.Receipt with { To = [.. r.To] })],
        Changed = _changed.Count == 0 ? null : [.. _changed],
        LoggedOut = _loggedOut.Count == 0 ? null : [.. _loggedOut],
        Served = _served,
    };

    private int Add(UndeliveredReceipt receipt)
    {
        var reader = receipt.UserId ?? default;
        if (_receipts.TryGetValue(reader, out var known))
        {
            known.To.UnionWith(receipt.To);
            var newer = receipt.DeliveredSeq > known.Receipt.DeliveredSeq || receipt.ReadSeq > known.Receipt.ReadSeq ? receipt : known.Receipt;
            _receipts[reader] = (newer with
            {
                DeliveredSeq = Math.Max(receipt.DeliveredSeq, known.Receipt.DeliveredSeq),
                ReadSeq = Math.Max(receipt.ReadSeq, known.Receipt.ReadSeq),
            }, known.To);
            return 0;
        }

        if (_receipts.Count >= MaxReceipts) return 1;
        _receipts[reader] = (receipt, [.. receipt.To]);
        return 0;
    }

    private int Shrink()
    {
        var dropped = 0;
        for (; _messages.Count > MaxMessages; dropped++) _messages.Remove(_messages.Keys.First());
        return dropped;
    }

    // Whose receipt it is only its frame says.
    private static UndeliveredReceipt? ReceiptOf(LiveEvent live)
    {
        try
        {
            var frame = JsonSerializer.Deserialize(live.Frame.Span, WireJson.Default.ReceiptFrame)!;
            return new(frame.UserId, live.DeliveredSeq, live.ReadSeq, frame.At, live.Users);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
