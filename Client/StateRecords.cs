using System.Text.Json.Serialization;
using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Frames;

namespace WhatsAspire.Client;

/// <summary>What the app asked to be sent.</summary>
internal sealed record OutboxEntry(
    string ClientMessageId, UserId? To, ConversationId? ConversationId, string Text, MessageId? ReplyTo)
{
    public bool SameContent(OutboxEntry other, UserId me) =>
        Text == other.Text && ReplyTo == other.ReplyTo && Lane(me) == other.Lane(me);

    /// <summary>The conversation, which for a one-to-one follows from the users.</summary>
    public ConversationId Lane(UserId me) => ConversationId ?? Contracts.ConversationId.Direct(me, To!.Value);
}

/// <summary>One line of the state file: exactly one member is set.</summary>
internal sealed record StateLine
{
    /// <summary>First line: whose file it is.</summary>
    public StateOwner? Owner { get; init; }

    /// <summary>A message that is to be sent.</summary>
    public OutboxEntry? Send { get; init; }

    /// <summary>The client message id of one that is sent, or refused for good.</summary>
    public string? Done { get; init; }

    /// <summary>The app has had everything of a conversation up to here.</summary>
    public AckPosition? Position { get; init; }

    /// <summary>That of a <c>synced</c> of which all was fetched.</summary>
    public string? Cursor { get; init; }
}

internal sealed record StateOwner(int Version, UserId UserId);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(StateLine))]
internal sealed partial class StateJson : JsonSerializerContext;
