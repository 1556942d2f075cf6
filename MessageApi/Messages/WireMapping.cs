using System.Text;
using Google.Protobuf;
using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Messaging.V1;
using WhatsAspire.MessageApi.Storage;
using WireEntryKind = WhatsAspire.Contracts.Messaging.V1.EntryKind;

namespace WhatsAspire.MessageApi.Messages;

/// <summary>What the store holds, as the other services and clients get it.</summary>
internal static class WireMapping
{
    /// <param name="entry">The entry.</param>
    /// <param name="withText">Whether the caller needs the text.</param>
    /// <param name="hidden">The user who asks deleted it for himself: it looks deleted.</param>
    public static Entry ToWire(this LogEntry entry, bool withText = true, bool hidden = false)
    {
        var wire = new Entry
        {
            ConversationId = entry.Conversation.ToBytes(),
            Seq = entry.Seq,
            MessageId = entry.Id.ToBytes(),
            SenderId = entry.Sender.ToBytes(),
            ClientMessageId = entry.ClientMessageId,
            Kind = (WireEntryKind)(int)entry.Kind,
            CreatedAtMs = entry.CreatedAt.ToUnixTimeMilliseconds(),
            EditedAtMs = entry.EditedAt?.ToUnixTimeMilliseconds() ?? 0,
            Deleted = entry.Deleted || hidden,
            TargetSeq = entry.TargetSeq,
        };
        if (withText && !wire.Deleted) wire.Text = UnsafeByteOperations.UnsafeWrap(entry.Text);
        if (entry.ReplyTo is { } reply) wire.ReplyTo = reply.ToBytes();
        if (entry.Target is { } target) wire.TargetId = target.ToBytes();
        return wire;
    }

    public static Summary ToWire(this ConversationView view, UserId user)
    {
        var summary = new Summary
        {
            ConversationId = view.Shape.Id.ToBytes(),
            Kind = view.Shape.Kind == Storage.ConversationKind.Group
                ? Contracts.Messaging.V1.ConversationKind.Group : Contracts.Messaging.V1.ConversationKind.Direct,
            HeadSeq = view.HeadSeq,
            ReadSeq = view.Member.ReadSeq,
            DeliveredSeq = view.Member.DeliveredSeq,
            ClearedSeq = view.Member.ClearedSeq,
            UnreadCount = view.UnreadCount,
            Preview = view.Preview ?? "",
            LastMessageAtMs = view.LastMessageAt.ToUnixTimeMilliseconds(),
            OthersDeliveredSeq = view.OthersDeliveredSeq,
            OthersReadSeq = view.OthersReadSeq,
        };
        if (view.Shape.Kind == Storage.ConversationKind.Direct)
            summary.OtherUserId = (view.Shape.Members.Count == 1 || view.Shape.Members[0] != user
                ? view.Shape.Members[0] : view.Shape.Members[1]).ToBytes();
        return summary;
    }

    public static SendResult ToWire(this SendOutcome outcome)
    {
        var duplicate = outcome.Append.Status == AppendStatus.Duplicate;
        var result = new SendResult
        {
            // The sender has the text of what it just sent; a message sent before may have been deleted since.
            Entry = outcome.Append.Entry.ToWire(withText: duplicate),
            Duplicate = duplicate,
            SenderReadBefore = outcome.Append.SenderReadBefore,
        };
        foreach (var recipient in outcome.Recipients) result.Recipients.Add(recipient.ToBytes());
        return result;
    }

    /// <summary>Strict UTF-8: null where the text holds half of a surrogate pair.</summary>
    public static byte[]? ToUtf8(string text)
    {
        try
        {
            return StrictUtf8.GetBytes(text);
        }
        catch (EncoderFallbackException)
        {
            return null;
        }
    }

    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);
}
