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

/// <summary>How a device is pushed to. Not a record, so that no log prints the token.</summary>
public sealed class PushRegistration
{
    private PushRegistration(string provider, string token) => (Provider, Token) = (provider, token);

    /// <summary><c>apns</c>, <c>fcm</c> or <c>webpush</c>.</summary>
    public string Provider { get; }

    /// <summary>What the platform gave the app; of a browser the subscription's endpoint.</summary>
    public string Token { get; }

    /// <summary>Of APNs: the app's bundle id; null: the server's default.</summary>
    public string? Topic { get; private init; }

    /// <summary>Of APNs: whether the token is of the development environment.</summary>
    public bool? Sandbox { get; private init; }

    /// <summary>Of a browser: the subscription's keys.</summary>
    public PushKeys? Keys { get; private init; }

    /// <summary><c>hidden</c>: neither sender nor text are in a notification; null: they are.</summary>
    public string? Content { get; private init; }

    /// <summary>An app on Apple's platforms.</summary>
    /// <param name="token">Hexadecimal.</param>
    /// <param name="topic">The bundle id; null: the server's default.</param>
    /// <param name="isSandbox">The token is of the development environment.</param>
    /// <param name="hidesContent">Notifications name neither sender nor text.</param>
    public static PushRegistration Apns(string token, string? topic = null, bool isSandbox = false, bool hidesContent = false) =>
        new("apns", token) { Topic = topic, Sandbox = isSandbox ? true : null, Content = Of(hidesContent) };

    /// <summary>An app on Android, or any other that Firebase Cloud Messaging reaches.</summary>
    public static PushRegistration Fcm(string token, bool hidesContent = false) => new("fcm", token) { Content = Of(hidesContent) };

    /// <summary>A browser's push subscription.</summary>
    /// <param name="endpoint">Its endpoint, an https address.</param>
    /// <param name="p256dh">Its public key, base64url without padding.</param>
    /// <param name="auth">Its secret, base64url without padding.</param>
    /// <param name="hidesContent">Notifications name neither sender nor text.</param>
    public static PushRegistration WebPush(string endpoint, string p256dh, string auth, bool hidesContent = false) =>
        new("webpush", endpoint) { Keys = new(p256dh, auth), Content = Of(hidesContent) };

    private static string? Of(bool hidesContent) => hidesContent ? "hidden" : null;
}

/// <summary>The keys of a browser's push subscription, base64url without padding.</summary>
public sealed class PushKeys(string p256dh, string auth)
{
    public string P256dh { get; } = p256dh;

    public string Auth { get; } = auth;
}

/// <summary>A group as one of its members sees it.</summary>
/// <param name="GroupId">Also the id of its conversation.</param>
/// <param name="Name">What it is called.</param>
/// <param name="Description">Null: none.</param>
/// <param name="Picture">An https address; null: none.</param>
/// <param name="WhoMaySend"><c>everyone</c> or <c>admins</c>.</param>
/// <param name="MemberCount">How many are in it.</param>
/// <param name="CreatedAt">When it was made.</param>
/// <param name="Role">The caller's: <c>admin</c> or <c>member</c>.</param>
public sealed record ChatGroup(
    ConversationId GroupId, string Name, string? Description, string? Picture, string WhoMaySend, int MemberCount, DateTimeOffset CreatedAt, string Role);

/// <param name="Members">In the order of their ids.</param>
/// <param name="NextCursor">Null on the last page.</param>
public sealed record GroupMemberPage(IReadOnlyList<GroupMember> Members, string? NextCursor);

/// <param name="UserId">Who.</param>
/// <param name="Role"><c>admin</c> or <c>member</c>.</param>
/// <param name="JoinedAt">Since when.</param>
public sealed record GroupMember(UserId UserId, string Role, DateTimeOffset JoinedAt);

/// <param name="InviteId">To revoke it with.</param>
/// <param name="Code">To join with: whoever has it may.</param>
/// <param name="ExpiresAt">Null: never.</param>
/// <param name="MaxUses">Null: any number.</param>
public sealed record GroupInvite(string InviteId, string Code, DateTimeOffset? ExpiresAt, int? MaxUses);

internal sealed record GroupBody(string Name, IReadOnlyList<UserId> MemberIds, string? Description, string ClientGroupId);

internal sealed record GroupChangeBody(string? Name, string? Description, string? Picture, string? WhoMaySend);

internal sealed record GroupMembersBody(IReadOnlyList<UserId> UserIds);

internal sealed record GroupRoleBody(string Role);

internal sealed record InviteBody(long? ExpiresIn, int? MaxUses);

internal sealed record AccountBody(string Username, string Password, string? DisplayName);

internal sealed record TokenBody(
    string? Username = null, string? Password = null, DeviceBody? Device = null, DeviceId? DeviceId = null, string? RefreshToken = null);

internal sealed record DeviceBody(string Name, string Platform);

internal sealed record MessageBody(
    string ClientMessageId, SendTarget? To, ConversationId? ConversationId, string Text, MessageId? ReplyTo);

internal sealed record ConversationSettingsBody(DateTimeOffset? MutedUntil, bool? Archived, bool? Pinned);

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
[JsonSerializable(typeof(ConversationSettingsBody))]
[JsonSerializable(typeof(ConversationFrame))]
[JsonSerializable(typeof(StatusBody))]
[JsonSerializable(typeof(BlockList))]
[JsonSerializable(typeof(DeviceList))]
[JsonSerializable(typeof(PushRegistration))]
[JsonSerializable(typeof(ChatGroup))]
[JsonSerializable(typeof(GroupMemberPage))]
[JsonSerializable(typeof(GroupInvite))]
[JsonSerializable(typeof(GroupBody))]
[JsonSerializable(typeof(GroupChangeBody))]
[JsonSerializable(typeof(GroupMembersBody))]
[JsonSerializable(typeof(GroupRoleBody))]
[JsonSerializable(typeof(InviteBody))]
[JsonSerializable(typeof(Problem))]
internal sealed partial class RestJson : JsonSerializerContext;
