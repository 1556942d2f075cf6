using System.Text.Json;
using System.Text.Json.Serialization;

namespace WhatsAspire.SystemHarness.Crash;

/// <summary>The wire as its description has it, read without the code under test: a frame or a body with whichever
/// members came.</summary>
internal sealed record Frame
{
    public string? Type { get; init; }
    public string? Ref { get; init; }
    public string? ClientMessageId { get; init; }
    public string? ConversationId { get; init; }
    public string? MessageId { get; init; }
    public string? SenderId { get; init; }
    public string? UserId { get; init; }
    public string? Kind { get; init; }
    public string? Text { get; init; }
    public string? Cursor { get; init; }
    public string? NextCursor { get; init; }
    public string? Code { get; init; }
    public string? Message { get; init; }
    public string? AccessToken { get; init; }
    public long Seq { get; init; }
    public long HeadSeq { get; init; }
    public long DeliveredSeq { get; init; }
    public long ReadSeq { get; init; }
    public long UnreadCount { get; init; }
    public DateTimeOffset CreatedAt { get; init; }
    public bool Duplicate { get; init; }
    public bool Retryable { get; init; }
    public Others? Others { get; init; }

    /// <summary>Whether somebody wrote it: what the server itself puts into a group's log counts for nothing.</summary>
    public bool IsText => Kind is null or "text";

    public IReadOnlyList<Frame>? Messages { get; init; }
    public IReadOnlyList<Frame>? Conversations { get; init; }
    public IReadOnlyList<Place>? Positions { get; init; }
}

internal sealed record Others(long DeliveredSeq, long ReadSeq);

internal sealed record Place(string ConversationId, long Seq);

internal static class Wire
{
    public static JsonSerializerOptions Json { get; } = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    };

    public static Frame Read(ReadOnlySpan<byte> frame) => JsonSerializer.Deserialize<Frame>(frame, Json)!;

    public static byte[] Write(object frame) => JsonSerializer.SerializeToUtf8Bytes(frame, Json);
}
