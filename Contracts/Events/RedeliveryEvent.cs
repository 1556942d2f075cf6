namespace WhatsAspire.Contracts.Events;

/// <summary>Live deliveries of one conversation that did not get through: who lacks what. Never a text: whoever delivers
/// reads it from the log, as it is then. Handling it twice is harmless, since a connection passes over what it
/// has.</summary>
public sealed record RedeliveryEvent
{
    /// <summary>The topic; its key is the conversation, or the user where there is none.</summary>
    public const string Topic = "redelivery";

    /// <summary>Says what the payload is. Part of what is stored: a change that old consumers can't read gets another.</summary>
    public const string Type = "redelivery.v1";

    /// <summary>Null where only <see cref="LoggedOut"/> is there.</summary>
    public ConversationId? ConversationId { get; init; }

    /// <summary>Entries of the log, ascending.</summary>
    public IReadOnlyList<UndeliveredMessage>? Messages { get; init; }

    public IReadOnlyList<UndeliveredReceipt>? Receipts { get; init; }

    /// <summary>Users whose own devices lack a change of the conversation's summary.</summary>
    public IReadOnlyList<UserId>? Changed { get; init; }

    /// <summary>Devices whose connections must be closed.</summary>
    public IReadOnlyList<LoggedOutDevice>? LoggedOut { get; init; }

    /// <summary>The edge whose connections have had it all; null where there is none.</summary>
    public string? Served { get; init; }
}

/// <param name="Seq">Of the entry.</param>
/// <param name="To">Who lacks it.</param>
/// <param name="Except">The connection that caused it and knows already.</param>
public sealed record UndeliveredMessage(long Seq, IReadOnlyList<UserId> To, ConnectionId? Except = null);

/// <param name="UserId">Whose positions; null where it is not said.</param>
/// <param name="DeliveredSeq">Delivered up to here.</param>
/// <param name="ReadSeq">Read up to here.</param>
/// <param name="At">When the positions rose.</param>
/// <param name="To">Who lacks it.</param>
public sealed record UndeliveredReceipt(UserId? UserId, long DeliveredSeq, long ReadSeq, DateTimeOffset At, IReadOnlyList<UserId> To);

public sealed record LoggedOutDevice(UserId UserId, DeviceId DeviceId);
