using System.Text.Json.Serialization;
using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Frames;

namespace WhatsAspire.MessageApi;

/// <summary>The body of <c>POST /messages</c>; a null member is one that is absent.</summary>
internal sealed record SendRequest(
    string? ClientMessageId, SendRequestTarget? To, string? ConversationId, string? Text, string? ReplyTo);

/// <summary>Whom a message is for.</summary>
internal sealed record SendRequestTarget(string? UserId);

/// <summary>A page of <c>GET /conversations</c>.</summary>
internal sealed record ConversationsResponse(IReadOnlyList<ConversationFrame> Conversations, string? NextCursor);

/// <summary>A page of a conversation's history, newest first.</summary>
internal sealed record MessagesResponse(IReadOnlyList<MessageFrame> Messages, string? NextCursor);

/// <summary>The body of <c>POST /conversations/{id}/read</c>.</summary>
internal sealed record ReadRequest(long? Seq);

/// <summary>What holds after it.</summary>
internal sealed record ReadResponse(long ReadSeq, long UnreadCount);

/// <summary>The body of <c>PATCH /conversations/{id}</c>: what is absent stays as it is.</summary>
internal sealed record ConversationSettingsRequest(string? MutedUntil, bool? Archived, bool? Pinned);

/// <summary>The body of <c>POST /messages/{id}/status</c>: <c>delivered</c> or <c>read</c>.</summary>
internal sealed record StatusRequest(string? Status);

/// <summary>What holds after it, for this user.</summary>
internal sealed record StatusResponse(ConversationId ConversationId, long Seq, string Status);

/// <summary>Of a message: the lowest status of its recipients, and each one's times.</summary>
internal sealed record MessageStatusResponse(string Status, IReadOnlyList<RecipientResponse> Recipients);

/// <summary>Times are absent until it happened.</summary>
internal sealed record RecipientResponse(UserId UserId, DateTimeOffset? DeliveredAt, DateTimeOffset? ReadAt);

/// <summary>Source-generated serialization of these bodies.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    Converters = [typeof(WireTimeConverter)])]
[JsonSerializable(typeof(SendRequest))]
[JsonSerializable(typeof(SentFrame))]
[JsonSerializable(typeof(MessageFrame))]
[JsonSerializable(typeof(ConversationsResponse))]
[JsonSerializable(typeof(MessagesResponse))]
[JsonSerializable(typeof(ReadRequest))]
[JsonSerializable(typeof(ConversationSettingsRequest))]
[JsonSerializable(typeof(ConversationFrame))]
[JsonSerializable(typeof(ReadResponse))]
[JsonSerializable(typeof(StatusRequest))]
[JsonSerializable(typeof(StatusResponse))]
[JsonSerializable(typeof(MessageStatusResponse))]
internal sealed partial class MessagingJson : JsonSerializerContext;
