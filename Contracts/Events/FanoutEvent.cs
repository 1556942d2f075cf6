namespace WhatsAspire.Contracts.Events;

/// <summary>An entry of a large group's log that has to be brought to all of its members' devices. Never a text: whoever
/// delivers reads it from the log, as it is then. Handling it twice is harmless, since a connection passes over what it
/// has.</summary>
public sealed record FanoutEvent
{
    /// <summary>The topic; its key is the conversation.</summary>
    public const string Topic = "fanout";

    /// <summary>The topic of what some members lack; its key is the conversation and what holds it up. So nobody waits for
    /// an edge that he is not connected to.</summary>
    public const string RetryTopic = "fanout.retry";

    /// <summary>Says what the payload is. Part of what is stored: a change that old consumers can't read gets another.</summary>
    public const string Type = "fanout.v1";

    /// <summary>Where.</summary>
    public required ConversationId ConversationId { get; init; }

    /// <summary>Of the entry.</summary>
    public required long Seq { get; init; }

    /// <summary>Who wrote it.</summary>
    public required UserId SenderId { get; init; }

    /// <summary>The connection that it was sent over and that knows already; null where there is none.</summary>
    public ConnectionId? Except { get; init; }

    /// <summary>When it was put on the queue.</summary>
    public required DateTimeOffset At { get; init; }

    /// <summary>Of a retry: who lacks it. Null: all members.</summary>
    public IReadOnlyList<UserId>? To { get; init; }

    /// <summary>Of a retry: the one edge that has not confirmed it. Null: all edges.</summary>
    public string? Edge { get; init; }

    /// <summary>Of a retry: how many the group has.</summary>
    public int? Members { get; init; }
}
