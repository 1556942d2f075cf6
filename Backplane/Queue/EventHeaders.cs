using System.Collections.ObjectModel;
using System.Text;

namespace WhatsAspire.Backplane.Queue;

/// <summary>The names of headers that the queue itself writes. They are stored: never change one.</summary>
public static class EventHeaders
{
    /// <summary>W3C trace context.</summary>
    public const string TraceParent = "traceparent";

    /// <summary>W3C trace context.</summary>
    public const string TraceState = "tracestate";

    /// <summary>Of a replayed event: the only group that handles it.</summary>
    public const string OnlyGroup = "queue-only-group";

    /// <summary>Of a replayed event: partition and offset in the dead-letter topic.</summary>
    public const string ReplayOf = "queue-replay-of";

    internal const string Type = "queue-type";
    internal const string DeadReason = "queue-dead-reason";
    internal const string DeadTopic = "queue-dead-topic";
    internal const string DeadPartition = "queue-dead-partition";
    internal const string DeadOffset = "queue-dead-offset";
    internal const string DeadPublishedAt = "queue-dead-published-at";
    internal const string DeadGroup = "queue-dead-group";
    internal const string DeadAttempts = "queue-dead-attempts";
    internal const string Closes = "queue-closes";

    private const string Reserved = "queue-";

    /// <summary>No headers.</summary>
    public static IReadOnlyDictionary<string, string> None { get; } = ReadOnlyDictionary<string, string>.Empty;

    internal static bool IsOurs(string name) =>
        name is TraceParent or TraceState || name.StartsWith(Reserved, StringComparison.Ordinal);

    /// <summary>What is wrong with a publisher's headers, or null.</summary>
    internal static string? Check(IReadOnlyDictionary<string, string> headers)
    {
        if (headers.Count > 32) return $"an event has at most 32 headers, not {headers.Count}";
        var bytes = 0;
        foreach (var (name, value) in headers)
        {
            if (name.Length is 0 or > 128 || name.AsSpan().ContainsAnyExcept(NameLetters)) return $"'{name}' is no header name";
            if (IsOurs(name)) return $"the header '{name}' is the queue's own";
            bytes += name.Length + Encoding.UTF8.GetByteCount(value);
        }

        return bytes > 8 * 1024 ? $"an event's headers have at most 8 KiB, not {bytes} bytes" : null;
    }

    private static readonly System.Buffers.SearchValues<char> NameLetters =
        System.Buffers.SearchValues.Create("abcdefghijklmnopqrstuvwxyz0123456789-");
}
