namespace WhatsAspire.Contracts;

/// <summary>The limits that clients are told about in <c>welcome</c>.</summary>
public static class Limits
{
    /// <summary>Largest frame in either direction, bytes of payload.</summary>
    public const int FrameBytes = 64 * 1024;

    /// <summary>Longest text of a message, Unicode code points.</summary>
    public const int TextLength = 4096;

    /// <summary>Longest <c>client_message_id</c> and <c>ref</c>, characters of printable ASCII.</summary>
    public const int ClientMessageIdLength = 64;

    /// <summary>Ranges in one <c>pull</c>.</summary>
    public const int PullRanges = 50;

    /// <summary>Messages in all pages of one <c>pull</c>.</summary>
    public const int PullMessages = 500;

    /// <summary>Positions in one <c>ack</c>.</summary>
    public const int AckPositions = 500;

    /// <summary>Messages in one page of history over REST; 50 unless asked.</summary>
    public const int HistoryPage = 100;

    /// <summary>Conversations in one page over REST; 50 unless asked.</summary>
    public const int ConversationPage = 100;

    /// <summary>Longest preview in a summary, UTF-16 units.</summary>
    public const int PreviewLength = 100;

    /// <summary>A connection silent for this long is closed.</summary>
    public static readonly TimeSpan Silence = TimeSpan.FromSeconds(30);

    /// <summary>A connection that has not said hello after this long is closed.</summary>
    public static readonly TimeSpan Hello = TimeSpan.FromSeconds(10);

    /// <summary>How often a client that is otherwise silent should ping.</summary>
    public static readonly TimeSpan Heartbeat = TimeSpan.FromSeconds(25);
}
