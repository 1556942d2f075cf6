namespace WhatsAspire.Contracts.Events;

/// <summary>A user may have to be told something while none of his devices is connected. Never a text: whoever pushes looks
/// at what there is to say then, and whether anybody still needs to be told. Handling it twice is harmless.</summary>
public sealed record PushEvent
{
    /// <summary>The topic; its key is the user.</summary>
    public const string Topic = "push";

    /// <summary>Says what the payload is. Part of what is stored: a change that old consumers can't read gets another.</summary>
    public const string Type = "push.v1";

    /// <summary>Who.</summary>
    public required UserId UserId { get; init; }

    /// <summary>Where.</summary>
    public required ConversationId ConversationId { get; init; }

    /// <summary>Of a message: its seq. Of a read: up to where.</summary>
    public required long Seq { get; init; }

    /// <summary>False: a message came. True: the user read on another device what he may have been pushed.</summary>
    public bool IsRead { get; init; }

    /// <summary>The one device that it is tried again for; null: all.</summary>
    public DeviceId? Device { get; init; }

    /// <summary>When it was first tried; null: this is the first time.</summary>
    public DateTimeOffset? FirstTriedAt { get; init; }

    /// <summary>How often it was tried before.</summary>
    public int Tries { get; init; }

    /// <summary>Not to be tried before this; null: at once.</summary>
    public DateTimeOffset? NotBefore { get; init; }
}
