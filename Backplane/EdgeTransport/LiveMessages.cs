using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Edge.V1;
using WhatsAspire.Contracts.Frames;
using WhatsAspire.Contracts.Messaging.V1;

namespace WhatsAspire.Backplane.EdgeTransport;

/// <summary>The live events that follow from what the store did.</summary>
public static class LiveMessages
{
    /// <summary>Whether a message moved its sender's read position over messages of others: then they get a receipt.</summary>
    public static bool ReadsOthers(long senderReadBefore, long seq) => senderReadBefore < seq - 1;

    /// <summary>A stored message goes to its recipients and to the sender's other devices, unless the queue brings it to all of
    /// them. Where it moved the sender's read position over messages of others, they get the receipt.</summary>
    /// <param name="live">Where events go.</param>
    /// <param name="sender">Who sent it.</param>
    /// <param name="sent">What the store answered.</param>
    /// <param name="text">The text, UTF-8.</param>
    /// <param name="except">The sending connection, if there is one.</param>
    /// <param name="traceParent">W3C traceparent, or null.</param>
    public static void Route(LiveEvents live, UserId sender, SendResult sent, ReadOnlySpan<byte> text,
        ConnectionId? except, string? traceParent)
    {
        ArgumentNullException.ThrowIfNull(live);
        ArgumentNullException.ThrowIfNull(sent);
        var entry = sent.Entry;
        var conversation = entry.ConversationId.ToConversationId();
        var users = new UserId[sent.Recipients.Count + 1];
        for (var i = 0; i < sent.Recipients.Count; i++) users[i] = sent.Recipients[i].ToUserId();
        users[^1] = sender;
        if (!sent.FannedOut)
            live.TryRoute(new()
            {
                Users = users,
                Kind = DeliveryKind.Message,
                Frame = FrameWriter.Message(entry, text),
                Conversation = conversation,
                Seq = entry.Seq,
                Except = except,
                PushesFrom = entry.Kind == EntryKind.Text ? sender : null,
                Group = sent.Kind == ConversationKind.Group && !sent.Duplicate
                    ? new(users.Length, DateTimeOffset.FromUnixTimeMilliseconds(entry.CreatedAtMs)) : null,
                TraceParent = traceParent,
            });
        if (!ReadsOthers(sent.SenderReadBefore, entry.Seq)) return;
        live.Read(sender, conversation, entry.Seq);
        // In a group they get one when the slowest has read it, from the message API.
        if (users.Length == 1 || sent.Kind == ConversationKind.Group) return;
        live.TryRoute(new()
        {
            Users = users[..^1],
            Kind = DeliveryKind.Receipt,
            Frame = FrameWriter.Receipt(entry.ConversationId.Span, sender, entry.Seq, entry.Seq, entry.CreatedAtMs),
            Conversation = conversation,
            DeliveredSeq = entry.Seq,
            ReadSeq = entry.Seq,
        });
    }

    /// <summary>A position that moved: the others get the receipt, the user's own other devices the conversation when
    /// it was read.</summary>
    public static void RouteReceipt(LiveEvents live, UserId user, Advanced advanced, ConnectionId? except)
    {
        ArgumentNullException.ThrowIfNull(live);
        ArgumentNullException.ThrowIfNull(advanced);
        if (!advanced.Moved) return;
        var conversation = advanced.ConversationId.ToConversationId();
        if (advanced.Others.Count > 0)
        {
            var others = new UserId[advanced.Others.Count];
            for (var i = 0; i < others.Length; i++) others[i] = advanced.Others[i].ToUserId();
            live.TryRoute(new()
            {
                Users = others,
                Kind = DeliveryKind.Receipt,
                Frame = FrameWriter.Receipt(user, advanced),
                Conversation = conversation,
                DeliveredSeq = advanced.DeliveredSeq,
                ReadSeq = advanced.ReadSeq,
            });
        }

        if (advanced.ReadMoved) live.Read(user, conversation, advanced.ReadSeq);
        if (advanced.ReadMoved && advanced.Summary is { } summary)
            live.TryRoute(new()
            {
                Users = [user],
                Kind = DeliveryKind.Conversation,
                Frame = FrameWriter.Conversation(summary, null),
                Conversation = conversation,
                Except = except,
            });
    }
}
