using System.Buffers;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using WhatsAspire.Contracts.Messaging.V1;

namespace WhatsAspire.Contracts.Frames;

/// <summary>Writes the frames that a server sends, once, as the bytes that go on the wire. The frequent ones are
/// written straight from the protobuf messages; their form is that of the records beside this class, which the tests
/// hold against each other.</summary>
public static class FrameWriter
{
    private static readonly JsonWriterOptions Options = new()
    {
        // Frames are never put into HTML; escaping every non-ASCII letter would triple most of the world's texts.
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        SkipValidation = true,
    };

    private static readonly WireJson Json = new(new JsonSerializerOptions(WireJson.Default.Options) { Encoder = Options.Encoder });

    // One scratch buffer and writer for each thread: frames are small, and written at once.
    [ThreadStatic] private static ArrayBufferWriter<byte>? _buffer;
    [ThreadStatic] private static Utf8JsonWriter? _writer;

    /// <summary>Any frame by its record.</summary>
    public static byte[] Write<T>(T frame)
    {
        var writer = Begin();
        JsonSerializer.Serialize(writer, frame, (JsonTypeInfo<T>)Json.GetTypeInfo(typeof(T))!);
        return End(writer);
    }

    /// <summary>A <c>sent</c> frame.</summary>
    public static byte[] Sent(Entry entry, bool duplicate, string? reference)
    {
        ArgumentNullException.ThrowIfNull(entry);
        var writer = Begin();
        writer.WriteStartObject();
        writer.WriteString("type"u8, "sent"u8);
        if (reference is not null) writer.WriteString("ref"u8, reference);
        writer.WriteString("client_message_id"u8, entry.ClientMessageId);
        WriteId(writer, "conversation_id"u8, entry.ConversationId.Span);
        WriteId(writer, "message_id"u8, entry.MessageId.Span);
        writer.WriteNumber("seq"u8, entry.Seq);
        WriteTime(writer, "created_at"u8, entry.CreatedAtMs);
        writer.WriteBoolean("duplicate"u8, duplicate);
        writer.WriteEndObject();
        return End(writer);
    }

    /// <summary>A <c>message</c> frame.</summary>
    /// <param name="entry">The entry.</param>
    /// <param name="text">Its text in UTF-8, wherever it is kept.</param>
    public static byte[] Message(Entry entry, ReadOnlySpan<byte> text)
    {
        ArgumentNullException.ThrowIfNull(entry);
        var writer = Begin();
        WriteMessage(writer, entry, text);
        return End(writer);
    }

    /// <summary>A <c>page</c> frame with as many of the page's entries as <see cref="Limits.FrameBytes"/> allows; when
    /// some don't fit, <c>more</c> is true.</summary>
    public static byte[] Page(Page page, string? reference)
    {
        ArgumentNullException.ThrowIfNull(page);
        var count = page.Entries.Count;
        var frame = Page(page, count, reference);
        while (frame.Length > Limits.FrameBytes && count > 1)
        {
            // The share that would fit if all entries were alike, then a little less each time.
            count = Math.Clamp((int)((long)count * Limits.FrameBytes / frame.Length), 1, count - 1);
            frame = Page(page, count, reference);
        }

        return frame;
    }

    private static byte[] Page(Page page, int count, string? reference)
    {
        var writer = Begin();
        writer.WriteStartObject();
        writer.WriteString("type"u8, "page"u8);
        if (reference is not null) writer.WriteString("ref"u8, reference);
        WriteId(writer, "conversation_id"u8, page.ConversationId.Span);
        writer.WriteStartArray("messages"u8);
        for (var i = 0; i < count; i++) WriteMessage(writer, page.Entries[i], page.Entries[i].Text.Span);
        writer.WriteEndArray();
        writer.WriteBoolean("more"u8, page.More || count < page.Entries.Count);
        writer.WriteNumber("head_seq"u8, page.HeadSeq);
        writer.WriteEndObject();
        return End(writer);
    }

    /// <summary>A <c>receipt</c> frame.</summary>
    /// <param name="user">Whose watermarks they are; null in groups.</param>
    /// <param name="advanced">The watermarks.</param>
    public static byte[] Receipt(UserId? user, Advanced advanced)
    {
        ArgumentNullException.ThrowIfNull(advanced);
        return Receipt(advanced.ConversationId.Span, user, advanced.DeliveredSeq, advanced.ReadSeq, advanced.AtMs);
    }

    /// <summary>A <c>receipt</c> frame; <paramref name="conversation"/> is an id's sixteen bytes.</summary>
    public static byte[] Receipt(ReadOnlySpan<byte> conversation, UserId? user, long delivered, long read, long atMs)
    {
        var writer = Begin();
        writer.WriteStartObject();
        writer.WriteString("type"u8, "receipt"u8);
        WriteId(writer, "conversation_id"u8, conversation);
        if (user is { } id) writer.WriteString("user_id"u8, id.Value);
        writer.WriteNumber("delivered_seq"u8, delivered);
        writer.WriteNumber("read_seq"u8, read);
        WriteTime(writer, "at"u8, atMs);
        writer.WriteEndObject();
        return End(writer);
    }

    /// <summary>A <c>conversation</c> frame.</summary>
    public static byte[] Conversation(Summary summary, string? reference) => Write(ToFrame(summary) with { Ref = reference });

    /// <summary>The record of a summary.</summary>
    public static ConversationFrame ToFrame(Summary summary)
    {
        ArgumentNullException.ThrowIfNull(summary);
        return new()
        {
            ConversationId = summary.ConversationId.ToConversationId(),
            Kind = summary.Kind == ConversationKind.Group ? "group" : "direct",
            UserId = summary.OtherUserId.IsEmpty ? null : summary.OtherUserId.ToUserId(),
            Name = summary.Name.Length == 0 ? null : summary.Name,
            MemberCount = summary.Kind == ConversationKind.Group ? summary.MemberCount : null,
            Left = summary.Left,
            HeadSeq = summary.HeadSeq,
            ReadSeq = summary.ReadSeq,
            DeliveredSeq = summary.DeliveredSeq,
            ClearedSeq = summary.ClearedSeq,
            UnreadCount = summary.UnreadCount,
            Preview = summary.Preview.Length == 0 ? null : summary.Preview,
            LastMessageAt = DateTimeOffset.FromUnixTimeMilliseconds(summary.LastMessageAtMs),
            Others = new(summary.OthersDeliveredSeq, summary.OthersReadSeq),
            MutedUntil = summary.MutedUntilMs == 0 ? null : DateTimeOffset.FromUnixTimeMilliseconds(summary.MutedUntilMs),
            Archived = summary.Archived,
            Pinned = summary.Pinned,
        };
    }

    /// <summary>The record of an entry.</summary>
    public static MessageFrame ToFrame(Entry entry)
    {
        ArgumentNullException.ThrowIfNull(entry);
        return new()
        {
            ConversationId = entry.ConversationId.ToConversationId(),
            MessageId = entry.MessageId.ToMessageId(),
            Seq = entry.Seq,
            SenderId = entry.SenderId.ToUserId(),
            ClientMessageId = entry.ClientMessageId,
            Kind = KindWord(entry.Kind),
            Text = HasText(entry) ? entry.Text.ToStringUtf8() : null,
            ReplyTo = entry.ReplyTo.IsEmpty ? null : entry.ReplyTo.ToMessageId(),
            CreatedAt = DateTimeOffset.FromUnixTimeMilliseconds(entry.CreatedAtMs),
            EditedAt = entry.EditedAtMs == 0 ? null : DateTimeOffset.FromUnixTimeMilliseconds(entry.EditedAtMs),
            Deleted = entry.Deleted,
            Target = entry.TargetId.IsEmpty ? null : new(entry.TargetId.ToMessageId(), entry.TargetSeq),
            Change = HasChange(entry) ? JsonSerializer.Deserialize(entry.Text.Span, WireJson.Default.GroupChange) : null,
        };
    }

    /// <summary>An <c>error</c> frame.</summary>
    public static byte[] Error(Error error, string? reference)
    {
        ArgumentNullException.ThrowIfNull(error);
        return Write(new ErrorFrame
        {
            Ref = reference,
            Code = error.Code.Word(),
            Message = error.Message,
            Retryable = error.Code.IsRetryable(),
            RetryAfterMs = (long?)error.RetryAfter?.TotalMilliseconds,
        });
    }

    private static string KindWord(EntryKind kind) => kind switch
    {
        EntryKind.Text => "text",
        EntryKind.Delete => "delete",
        _ => "system",
    };

    private static bool HasChange(Entry entry) => entry is { Kind: EntryKind.System, Text.IsEmpty: false };

    private static bool HasText(Entry entry) => entry.Kind == EntryKind.Text && !entry.Deleted;

    private static void WriteMessage(Utf8JsonWriter writer, Entry entry, ReadOnlySpan<byte> text)
    {
        writer.WriteStartObject();
        writer.WriteString("type"u8, "message"u8);
        WriteId(writer, "conversation_id"u8, entry.ConversationId.Span);
        WriteId(writer, "message_id"u8, entry.MessageId.Span);
        writer.WriteNumber("seq"u8, entry.Seq);
        WriteId(writer, "sender_id"u8, entry.SenderId.Span);
        writer.WriteString("client_message_id"u8, entry.ClientMessageId);
        writer.WriteString("kind"u8, KindWord(entry.Kind));
        if (HasText(entry)) writer.WriteString("text"u8, text);
        if (!entry.ReplyTo.IsEmpty) WriteId(writer, "reply_to"u8, entry.ReplyTo.Span);
        WriteTime(writer, "created_at"u8, entry.CreatedAtMs);
        if (entry.EditedAtMs != 0) WriteTime(writer, "edited_at"u8, entry.EditedAtMs);
        if (entry.Deleted) writer.WriteBoolean("deleted"u8, true);
        if (!entry.TargetId.IsEmpty)
        {
            writer.WriteStartObject("target"u8);
            WriteId(writer, "message_id"u8, entry.TargetId.Span);
            writer.WriteNumber("seq"u8, entry.TargetSeq);
            writer.WriteEndObject();
        }

        // Written by this system in the form of the frame, and checked then.
        if (HasChange(entry))
        {
            writer.WritePropertyName("change"u8);
            writer.WriteRawValue(entry.Text.Span, skipInputValidation: true);
        }

        writer.WriteEndObject();
    }

    private static void WriteId(Utf8JsonWriter writer, ReadOnlySpan<byte> name, ReadOnlySpan<byte> id) =>
        writer.WriteString(name, new Guid(id, bigEndian: true));

    private static void WriteTime(Utf8JsonWriter writer, ReadOnlySpan<byte> name, long unixMs)
    {
        Span<char> text = stackalloc char[24];
        DateTime.UnixEpoch.AddMilliseconds(unixMs).TryFormat(text, out var length, WireTimeConverter.Format, CultureInfo.InvariantCulture);
        writer.WriteString(name, text[..length]);
    }

    private static Utf8JsonWriter Begin()
    {
        var buffer = _buffer ??= new(1024);
        buffer.ResetWrittenCount();
        var writer = _writer ??= new(buffer, Options);
        writer.Reset(buffer);
        return writer;
    }

    private static byte[] End(Utf8JsonWriter writer)
    {
        writer.Flush();
        var frame = _buffer!.WrittenSpan.ToArray();
        if (_buffer.Capacity > 256 * 1024) (_buffer, _writer) = (null, null);
        return frame;
    }
}
