namespace WhatsAspire.Contracts.Frames;

/// <summary>The first frame from the client.</summary>
public sealed record HelloFrame
{
    public string Type { get; init; } = "hello";
    public string? Ref { get; init; }

    /// <summary>1; there is no other yet.</summary>
    public int Protocol { get; init; } = 1;

    /// <summary>The access token, where the <c>Authorization</c> header could not carry it.</summary>
    public string? Token { get; init; }

    /// <summary>That of the last <c>synced</c>; absent: everything.</summary>
    public string? Cursor { get; init; }
}

/// <summary>A message to a user or into a conversation: exactly one of <see cref="To"/> and
/// <see cref="ConversationId"/>. Also the body of <c>POST /messages</c>.</summary>
public sealed record SendFrame
{
    public string Type { get; init; } = "send";
    public string? Ref { get; init; }

    /// <summary>The sender's own, 1 to 64 characters of printable ASCII; it makes retries one message.</summary>
    public required string ClientMessageId { get; init; }

    public SendTarget? To { get; init; }
    public ConversationId? ConversationId { get; init; }

    /// <summary>1 to 4,096 Unicode code points.</summary>
    public required string Text { get; init; }

    public MessageId? ReplyTo { get; init; }
}

/// <summary>Whom a message is for.</summary>
public sealed record SendTarget(UserId UserId);

/// <summary>This device holds everything up to these positions.</summary>
public sealed record AckFrame
{
    public string Type { get; init; } = "ack";
    public string? Ref { get; init; }
    public required IReadOnlyList<AckPosition> Positions { get; init; }
}

/// <summary>A place in a conversation's log.</summary>
public sealed record AckPosition(ConversationId ConversationId, long Seq);

/// <summary>The user has read everything up to <see cref="Seq"/>.</summary>
public sealed record ReadFrame
{
    public string Type { get; init; } = "read";
    public string? Ref { get; init; }
    public required ConversationId ConversationId { get; init; }
    public required long Seq { get; init; }
}

/// <summary>Asks for entries: at most 50 ranges, 500 messages in all.</summary>
public sealed record PullFrame
{
    public string Type { get; init; } = "pull";
    public string? Ref { get; init; }
    public required IReadOnlyList<PullRange> Ranges { get; init; }
}

/// <summary>Entries with a seq greater than <paramref name="After"/>, at most <paramref name="Limit"/>.</summary>
public sealed record PullRange(ConversationId ConversationId, long After, int? Limit = null);

/// <summary>A sign of life.</summary>
public sealed record PingFrame
{
    public string Type { get; init; } = "ping";
    public string? Ref { get; init; }
}
