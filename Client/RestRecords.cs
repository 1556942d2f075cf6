using System.Text.Json.Serialization;
using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Frames;

namespace WhatsAspire.Client;

/// <summary>An account as others see it.</summary>
public sealed record ChatUser(UserId UserId, string Username, string DisplayName, string? About = null);

/// <summary>The tokens of a signed-in device. Not a record, so that no log prints them.</summary>
public sealed class ChatTokens
{
    public required UserId UserId { get; init; }
    public required DeviceId DeviceId { get; init; }
    public required string AccessToken { get; init; }

    /// <summary>Seconds that the access token lives, from when it was issued.</summary>
    public required int ExpiresIn { get; init; }

    /// <summary>Good for one use: its answer holds the next one.</summary>
    public required string RefreshToken { get; init; }
}

/// <summary>A page of a conversation's history, newest first.</summary>
/// <param name="Messages">The messages.</param>
/// <param name="NextCursor">Continues with older ones; null at the end.</param>
public sealed record HistoryPage(IReadOnlyList<MessageFrame> Messages, string? NextCursor = null);

/// <summary>A page of the conversation list, newest first.</summary>
/// <param name="Conversations">The summaries.</param>
/// <param name="NextCursor">Continues; null at the end.</param>
public sealed record ConversationPage(IReadOnlyList<ConversationFrame> Conversations, string? NextCursor = null);

/// <summary>Who got a message and who read it.</summary>
/// <param name="Status"><c>sent</c>, <c>delivered</c> or <c>read</c>: the lowest of the recipients'.</param>
/// <param name="Recipients">Each recipient.</param>
public sealed record MessageInfo(string Status, IReadOnlyList<RecipientInfo> Recipients);

/// <summary>Times are null until it happened.</summary>
public sealed record RecipientInfo(UserId UserId, DateTimeOffset? DeliveredAt = null, DateTimeOffset? ReadAt = null);

/// <summary>What holds after a conversation was marked read.</summary>
public sealed record ReadInfo(long ReadSeq, long UnreadCount);

/// <summary>One of the user's own devices.</summary>
public sealed record ChatDevice(
    DeviceId DeviceId, string Name, string Platform, DateTimeOffset CreatedAt, DateTimeOffset LastTokenAt, bool Current);

internal sealed record AccountBody(string Username, string Password, string? DisplayName);

internal sealed record TokenBody(
    string? Username = null, string? Password = null, DeviceBody? Device = null, DeviceId? DeviceId = null, string? RefreshToken = null);

internal sealed record DeviceBody(string Name, string Platform);

internal sealed record MessageBody(
    string ClientMessageId, SendTarget? To, ConversationId? ConversationId, string Text, MessageId? ReplyTo);

internal sealed record ReadBody(long Seq);

internal sealed record StatusBody(string Status);

internal sealed record BlockList(IReadOnlyList<UserId> UserIds);

internal sealed record DeviceList(IReadOnlyList<ChatDevice> Devices);

/// <summary>Problem details (RFC 9457) with the wire's members.</summary>
internal sealed record Problem(string? Code, string? Message, bool Retryable, long? RetryAfterMs, string? Title, string? Detail);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    Converters = [typeof(WireTimeConverter)])]
[JsonSerializable(typeof(ChatUser))]
[JsonSerializable(typeof(ChatTokens))]
[JsonSerializable(typeof(HistoryPage))]
[JsonSerializable(typeof(ConversationPage))]
[JsonSerializable(typeof(MessageInfo))]
[JsonSerializable(typeof(ReadInfo))]
[JsonSerializable(typeof(SentFrame))]
[JsonSerializable(typeof(MessageFrame))]
[JsonSerializable(typeof(AccountBody))]
[JsonSerializable(typeof(TokenBody))]
[JsonSerializable(typeof(MessageBody))]
[JsonSerializable(typeof(ReadBody))]
[JsonSerializable(typeof(StatusBody))]
[JsonSerializable(typeof(BlockList))]
[JsonSerializable(typeof(DeviceList))]
[JsonSerializable(typeof(Problem))]
internal sealed partial class RestJson : JsonSerializerContext;
