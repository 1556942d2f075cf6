using System.Text;
using Google.Protobuf;
using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Messaging.V1;
using WhatsAspire.MessageApi.Conversations;
using WhatsAspire.MessageApi.Storage;
using WireConversationKind = WhatsAspire.Contracts.Messaging.V1.ConversationKind;
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

    /// <param name="view">The conversation.</param>
    /// <param name="user">Who sees it so.</param>
    /// <param name="title">Of a group, as far as it is known; see <see cref="Summaries"/>.</param>
    public static Summary ToWire(this ConversationView view, UserId user, GroupTitle? title)
    {
        var summary = new Summary
        {
            ConversationId = view.Shape.Id.ToBytes(),
            Kind = view.Shape.Kind.ToWire(),
            Name = title?.Name ?? "",
            Left = view.Member.LeftSeq > 0,
            MemberCount = view.Member.LeftSeq > 0 ? 0 : title?.MemberCount ?? 0,
            HeadSeq = view.HeadSeq,
            ReadSeq = view.Member.ReadSeq,
            DeliveredSeq = view.Member.DeliveredSeq,
            ClearedSeq = view.Member.ClearedSeq,
            UnreadCount = view.UnreadCount,
            Preview = view.Preview ?? "",
            LastMessageAtMs = view.LastMessageAt.ToUnixTimeMilliseconds(),
            OthersDeliveredSeq = view.OthersDeliveredSeq,
            OthersReadSeq = view.OthersReadSeq,
            MutedUntilMs = view.Settings.MutedUntil?.ToUnixTimeMilliseconds() ?? 0,
            Archived = view.Settings.Archived ?? false,
            Pinned = view.Settings.Pinned ?? false,
        };
        if (view.Shape.Kind == Storage.ConversationKind.Direct)
            summary.OtherUserId = (view.Shape.Members.Count == 1 || view.Shape.Members[0] != user
                ? view.Shape.Members[0] : view.Shape.Members[1]).ToBytes();
        return summary;
    }

    private static WireConversationKind ToWire(this Storage.ConversationKind kind) =>
        kind == Storage.ConversationKind.Group ? WireConversationKind.Group : WireConversationKind.Direct;

    public static SendResult ToWire(this SendOutcome outcome)
    {
        var duplicate = outcome.Append.Status == AppendStatus.Duplicate;
        var result = new SendResult
        {
            // The sender has the text of what it just sent; a message sent before may have been deleted since.
            Entry = outcome.Append.Entry.ToWire(withText: duplicate),
            Duplicate = duplicate,
            SenderReadBefore = outcome.Append.SenderReadBefore,
            Kind = outcome.Kind.ToWire(),
            FannedOut = outcome.IsFannedOut,
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
