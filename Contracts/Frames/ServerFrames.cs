using System.Text.Json;
using System.Text.Json.Serialization;

namespace WhatsAspire.Contracts.Frames;

/// <summary>An entry of a conversation's log as clients see it: the <c>message</c> frame, and the elements of
/// <c>page.messages</c> and of history.</summary>
public sealed record MessageFrame
{
    /// <summary>Absent in the bodies of REST.</summary>
    public string? Type { get; init; } = "message";
    public required ConversationId ConversationId { get; init; }
    public required MessageId MessageId { get; init; }

    /// <summary>From 1, without gaps within the conversation.</summary>
    public required long Seq { get; init; }

    public required UserId SenderId { get; init; }
    public required string ClientMessageId { get; init; }

    /// <summary><c>text</c>, <c>system</c> or <c>delete</c>; a client ignores kinds that it does not know.</summary>
    public required string Kind { get; init; }

    /// <summary>Absent once the message is deleted.</summary>
    public string? Text { get; init; }

    public MessageId? ReplyTo { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }
    public DateTimeOffset? EditedAt { get; init; }

    /// <summary>Its content is gone: deleted for everyone, or by this user for himself.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool Deleted { get; init; }

    /// <summary>Of kind <c>delete</c>: the message that it deletes.</summary>
    public MessageTarget? Target { get; init; }

    /// <summary>Of kind <c>system</c>: what changed in the group.</summary>
    public GroupChange? Change { get; init; }
}

/// <summary>The entry that another entry is about.</summary>
public sealed record MessageTarget(MessageId MessageId, long Seq);

/// <summary>A conversation as one of its members sees it: the <c>conversation</c> frame, and the elements of
/// <c>GET /conversations</c>.</summary>
public sealed record ConversationFrame
{
    /// <summary>Absent in the bodies of REST.</summary>
    public string? Type { get; init; } = "conversation";

    /// <summary>Of the <c>read</c> that this answers, if it had one.</summary>
    public string? Ref { get; init; }

    public required ConversationId ConversationId { get; init; }

    /// <summary><c>direct</c> or <c>group</c>.</summary>
    public required string Kind { get; init; }

    /// <summary>The other one, in a direct conversation.</summary>
    public UserId? UserId { get; init; }

    /// <summary>Of a group.</summary>
    public string? Name { get; init; }

    /// <summary>Of a group: how many are in it.</summary>
    public int? MemberCount { get; init; }

    /// <summary>Of a group: this user is no member any more. He keeps what he saw.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool Left { get; init; }

    /// <summary>The newest entry's seq that this user may see.</summary>
    public required long HeadSeq { get; init; }

    public required long ReadSeq { get; init; }
    public required long DeliveredSeq { get; init; }

    /// <summary>Entries up to here were cleared by this user and are not shown to him.</summary>
    public long ClearedSeq { get; init; }

    /// <summary>Messages of others, of kinds that a person reads, after <see cref="ReadSeq"/>.</summary>
    public required long UnreadCount { get; init; }

    public string? Preview { get; init; }
    public required DateTimeOffset LastMessageAt { get; init; }
    public required OthersPositions Others { get; init; }

    /// <summary>This user is not pushed to for it until then; absent where he never muted it.</summary>
    public DateTimeOffset? MutedUntil { get; init; }

    public bool Archived { get; init; }
    public bool Pinned { get; init; }
}

/// <summary>The lowest watermarks among the other members; in a group among all.</summary>
public sealed record OthersPositions(long DeliveredSeq, long ReadSeq);

/// <summary>The first frame from the edge.</summary>
public sealed record WelcomeFrame
{
    public string Type { get; init; } = "welcome";
    public string? Ref { get; init; }
    public required UserId UserId { get; init; }
    public required DeviceId DeviceId { get; init; }
    public required string ConnectionId { get; init; }
    public required int HeartbeatMs { get; init; }
    public required DateTimeOffset ServerTime { get; init; }
    public required WelcomeLimits Limits { get; init; }
}

/// <summary>Sizes are bytes, lengths are Unicode code points, the rest are counts.</summary>
public sealed record WelcomeLimits(int FrameBytes, int TextLength, int PullRanges, int PullMessages, int AckPositions);

/// <summary>The summaries are complete.</summary>
public sealed record SyncedFrame
{
    public string Type { get; init; } = "synced";

    /// <summary>Opaque; goes into the next <c>hello</c>.</summary>
    public required string Cursor { get; init; }
}

/// <summary>The message is durable. Also the answer of <c>POST /messages</c>.</summary>
public sealed record SentFrame
{
    /// <summary>Absent in the bodies of REST.</summary>
    public string? Type { get; init; } = "sent";
    public string? Ref { get; init; }
    public required string ClientMessageId { get; init; }
    public required ConversationId ConversationId { get; init; }
    public required MessageId MessageId { get; init; }
    public required long Seq { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>It had been stored by an earlier try.</summary>
    public bool Duplicate { get; init; }
}

/// <summary>One range of a <c>pull</c>.</summary>
public sealed record PageFrame
{
    public string Type { get; init; } = "page";
    public string? Ref { get; init; }
    public required ConversationId ConversationId { get; init; }

    /// <summary>Ascending by seq.</summary>
    public required IReadOnlyList<MessageFrame> Messages { get; init; }

    /// <summary>There are entries after the last one here.</summary>
    public required bool More { get; init; }

    public required long HeadSeq { get; init; }
}

/// <summary>Watermarks of the others moved. In a group, the lowest of all: without a user.</summary>
public sealed record ReceiptFrame
{
    public string Type { get; init; } = "receipt";
    public required ConversationId ConversationId { get; init; }
    public UserId? UserId { get; init; }
    public required long DeliveredSeq { get; init; }
    public required long ReadSeq { get; init; }
    public required DateTimeOffset At { get; init; }
}

/// <summary>The answer to an <c>ack</c> that had a <c>ref</c>: what holds now for each of its positions.</summary>
public sealed record AckedFrame
{
    public string Type { get; init; } = "acked";
    public string? Ref { get; init; }
    public required IReadOnlyList<AckPosition> Positions { get; init; }
}

/// <summary>Something was refused.</summary>
public sealed record ErrorFrame
{
    public string Type { get; init; } = "error";
    public string? Ref { get; init; }
    public required string Code { get; init; }
    public required string Message { get; init; }
    public required bool Retryable { get; init; }
    public long? RetryAfterMs { get; init; }
}

/// <summary>Finish, leave, and come back after <see cref="AfterMs"/> milliseconds.</summary>
public sealed record ReconnectFrame
{
    public string Type { get; init; } = "reconnect";
    public required int AfterMs { get; init; }
    public required string Reason { get; init; }
}

/// <summary>The answer to <c>ping</c>.</summary>
public sealed record PongFrame
{
    public string Type { get; init; } = "pong";
    public string? Ref { get; init; }
    public required DateTimeOffset ServerTime { get; init; }
}

/// <summary>RFC 3339 in UTC with milliseconds, as every time on the wire.</summary>
public sealed class WireTimeConverter : JsonConverter<DateTimeOffset>
{
    /// <summary>The one format: <c>2026-11-24T10:15:30.123Z</c>.</summary>
    public const string Format = "yyyy-MM-dd'T'HH:mm:ss.fff'Z'";

    public override DateTimeOffset Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.GetDateTimeOffset().ToUniversalTime();

    public override void Write(Utf8JsonWriter writer, DateTimeOffset value, JsonSerializerOptions options)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.WriteStringValue(value.UtcDateTime.ToString(Format, System.Globalization.CultureInfo.InvariantCulture));
    }
}
