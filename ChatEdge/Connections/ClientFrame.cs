using System.Text.Json;
using Google.Protobuf;
using WhatsAspire.Contracts;

namespace WhatsAspire.ChatEdge.Connections;

/// <summary>A frame from a client, read in one pass without regard to the order of its members. Unknown members are
/// passed over, null is as absent. The first fault found is kept; the rest is still read, so that the answer can name
/// the frame's <c>ref</c>.</summary>
internal struct ClientFrame
{
    // Deep nesting has no use here; the limit bounds the parser's work.
    private static readonly JsonReaderOptions Options = new() { MaxDepth = 16 };

    public string? Type { get; private set; }
    public string? Ref { get; private set; }
    public string? ClientMessageId { get; private set; }
    public UserId? ToUser { get; private set; }
    public ConversationId? Conversation { get; private set; }
    public MessageId? ReplyTo { get; private set; }
    public ByteString? Text { get; private set; }
    public long? Seq { get; private set; }
    public long? Protocol { get; private set; }
    public string? Token { get; private set; }
    public string? Cursor { get; private set; }
    public List<(ConversationId Conversation, long Seq)>? Positions { get; private set; }
    public List<(ConversationId Conversation, long After, int? Limit)>? Ranges { get; private set; }

    /// <summary>Why the frame can't be used, or null.</summary>
    public Error? Fault { get; private set; }

    /// <summary>What an error frame about this one is to name.</summary>
    public readonly string? ErrorRef => Ref ?? ClientMessageId;

    public static ClientFrame Parse(ReadOnlySpan<byte> json)
    {
        var frame = new ClientFrame();
        var reader = new Utf8JsonReader(json, Options);
        try
        {
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
                frame.Fail(ErrorCode.BadFrame, "a frame is one JSON object");
            else
            {
                while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName) frame.ReadMember(ref reader);
                if (reader.Read()) frame.Fail(ErrorCode.BadFrame, "a frame is one JSON object");
            }
        }
        catch (InvalidOperationException)
        {
            // What the reader throws for an escape such as \ud800 alone in a name or an id.
            frame.Fault = new(ErrorCode.BadFrame, "a name or an id holds half of a surrogate pair");
        }
        catch (JsonException e)
        {
            frame.Fault = new(ErrorCode.BadFrame, $"not JSON: at byte {e.BytePositionInLine} of line {e.LineNumber}");
        }

        if (frame.Fault is null && frame.Type is null) frame.Fail(ErrorCode.BadFrame, "a frame has a 'type'");
        return frame;
    }

    private void ReadMember(ref Utf8JsonReader reader)
    {
        if (reader.ValueTextEquals("type"u8)) Type = ReadWord(ref reader, "type", 32, ErrorCode.BadFrame);
        else if (reader.ValueTextEquals("ref"u8)) Ref = ReadWord(ref reader, "ref", Limits.ClientMessageIdLength);
        else if (reader.ValueTextEquals("client_message_id"u8))
            ClientMessageId = ReadWord(ref reader, "client_message_id", Limits.ClientMessageIdLength);
        else if (reader.ValueTextEquals("text"u8)) Text = ReadText(ref reader);
        else if (reader.ValueTextEquals("to"u8)) ReadTarget(ref reader);
        else if (reader.ValueTextEquals("conversation_id"u8))
            Conversation = ReadId(ref reader, "conversation_id") is { } id ? new(id) : null;
        else if (reader.ValueTextEquals("reply_to"u8)) ReplyTo = ReadId(ref reader, "reply_to") is { } id ? new(id) : null;
        else if (reader.ValueTextEquals("seq"u8)) Seq = ReadNumber(ref reader, "seq");
        else if (reader.ValueTextEquals("positions"u8)) ReadPositions(ref reader);
        else if (reader.ValueTextEquals("ranges"u8)) ReadRanges(ref reader);
        else if (reader.ValueTextEquals("protocol"u8)) Protocol = ReadNumber(ref reader, "protocol");
        else if (reader.ValueTextEquals("token"u8)) Token = ReadWord(ref reader, "token", 8192);
        else if (reader.ValueTextEquals("cursor"u8)) Cursor = ReadWord(ref reader, "cursor", 256);
        else reader.Skip();
    }

    private void ReadTarget(ref Utf8JsonReader reader)
    {
        if (!BeginsWith(ref reader, JsonTokenType.StartObject, "'to' must be an object such as {\"user_id\": …}")) return;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("user_id"u8)) ToUser = ReadId(ref reader, "to.user_id") is { } id ? new(id) : null;
            else reader.Skip();
        }

        if (ToUser is null) Fail(ErrorCode.InvalidArgument, "'to' must hold a 'user_id'");
    }

    private void ReadPositions(ref Utf8JsonReader reader)
    {
        if (!BeginsWith(ref reader, JsonTokenType.StartArray, "'positions' must be an array of {conversation_id, seq}")) return;
        Positions = [];
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (!ReadElement(ref reader, "positions", out var conversation, out var seq, out _, out _)) continue;
            if (seq is not >= 0) Fail(ErrorCode.InvalidArgument, "each of 'positions' must have a 'seq' of at least 0");
            else if (Positions.Count < Limits.AckPositions) Positions.Add((conversation, seq.Value));
            else Fail(ErrorCode.InvalidArgument, $"at most {Limits.AckPositions} positions in one frame");
        }
    }

    private void ReadRanges(ref Utf8JsonReader reader)
    {
        if (!BeginsWith(ref reader, JsonTokenType.StartArray, "'ranges' must be an array of {conversation_id, after, limit?}")) return;
        Ranges = [];
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (!ReadElement(ref reader, "ranges", out var conversation, out _, out var after, out var limit)) continue;
            if (after is not >= 0) Fail(ErrorCode.InvalidArgument, "each of 'ranges' must have an 'after' of at least 0");
            else if (limit is < 1 or > Limits.PullMessages)
                Fail(ErrorCode.InvalidArgument, $"'limit' must be from 1 to {Limits.PullMessages}");
            else if (Ranges.Count < Limits.PullRanges) Ranges.Add((conversation, after.Value, (int?)limit));
            else Fail(ErrorCode.InvalidArgument, $"at most {Limits.PullRanges} ranges in one frame");
        }
    }

    private bool ReadElement(ref Utf8JsonReader reader, string member,
        out ConversationId conversation, out long? seq, out long? after, out long? limit)
    {
        (conversation, seq, after, limit) = (default, null, null, null);
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            reader.Skip();
            Fail(ErrorCode.InvalidArgument, $"each of '{member}' must be an object");
            return false;
        }

        ConversationId? id = null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("conversation_id"u8))
                id = ReadId(ref reader, member + ".conversation_id") is { } guid ? new(guid) : null;
            else if (reader.ValueTextEquals("seq"u8)) seq = ReadNumber(ref reader, member + ".seq");
            else if (reader.ValueTextEquals("after"u8)) after = ReadNumber(ref reader, member + ".after");
            else if (reader.ValueTextEquals("limit"u8)) limit = ReadNumber(ref reader, member + ".limit");
            else reader.Skip();
        }

        conversation = id.GetValueOrDefault();
        if (id is null) Fail(ErrorCode.InvalidArgument, $"each of '{member}' must have a 'conversation_id'");
        return id is not null;
    }

    /// <returns>False, with the value passed over, when it is null or of another kind.</returns>
    private bool BeginsWith(ref Utf8JsonReader reader, JsonTokenType token, string otherwise)
    {
        reader.Read();
        if (reader.TokenType == token) return true;
        if (reader.TokenType != JsonTokenType.Null) Fail(ErrorCode.InvalidArgument, otherwise);
        reader.Skip();
        return false;
    }

    private string? ReadWord(ref Utf8JsonReader reader, string name, int maxLength, ErrorCode code = ErrorCode.InvalidArgument)
    {
        reader.Read();
        if (reader.TokenType == JsonTokenType.Null) return null;
        if (reader.TokenType != JsonTokenType.String)
        {
            reader.Skip();
            Fail(code, $"'{name}' must be a string");
            return null;
        }

        if (reader.ValueSpan.Length > maxLength * 6)
        {
            Fail(code, $"'{name}' is 1 to {maxLength} characters of printable ASCII");
            return null;
        }

        Span<byte> bytes = stackalloc byte[reader.ValueSpan.Length <= 512 ? 512 : reader.ValueSpan.Length];
        if (!TryCopy(ref reader, bytes, out var length) || length == 0 || length > maxLength
            || bytes[..length].ContainsAnyExceptInRange((byte)0x20, (byte)0x7e))
        {
            Fail(code, $"'{name}' is 1 to {maxLength} characters of printable ASCII");
            return null;
        }

        return System.Text.Encoding.ASCII.GetString(bytes[..length]);
    }

    private ByteString? ReadText(ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType == JsonTokenType.Null) return null;
        if (reader.TokenType != JsonTokenType.String)
        {
            reader.Skip();
            Fail(ErrorCode.InvalidArgument, "'text' must be a string");
            return null;
        }

        if (!reader.ValueIsEscaped) return ByteString.CopyFrom(reader.ValueSpan);
        var bytes = new byte[reader.ValueSpan.Length];
        if (TryCopy(ref reader, bytes, out var length)) return UnsafeByteOperations.UnsafeWrap(bytes.AsMemory(0, length));
        Fail(ErrorCode.InvalidArgument, "'text' holds half of a surrogate pair; it must be whole Unicode characters");
        return null;
    }

    private static bool TryCopy(ref Utf8JsonReader reader, scoped Span<byte> bytes, out int length)
    {
        try
        {
            length = reader.CopyString(bytes);
            return true;
        }
        catch (InvalidOperationException)
        {
            length = 0;   // a lone surrogate, escaped
            return false;
        }
    }

    private Guid? ReadId(ref Utf8JsonReader reader, string name)
    {
        reader.Read();
        if (reader.TokenType == JsonTokenType.Null) return null;
        // No id needs an escape, and reading one that is half of a surrogate pair throws.
        if (reader.TokenType == JsonTokenType.String && !reader.ValueIsEscaped && reader.TryGetGuid(out var id)) return id;
        reader.Skip();
        Fail(ErrorCode.InvalidArgument, $"'{name}' must be a UUID such as 6f1c2f0a-5b0e-4c55-9d6e-0d6c1b8f7a21");
        return null;
    }

    private long? ReadNumber(ref Utf8JsonReader reader, string name)
    {
        reader.Read();
        if (reader.TokenType == JsonTokenType.Null) return null;
        if (reader.TokenType == JsonTokenType.Number && reader.TryGetInt64(out var number)) return number;
        reader.Skip();
        Fail(ErrorCode.InvalidArgument, $"'{name}' must be a whole number");
        return null;
    }

    private void Fail(ErrorCode code, string message) => Fault ??= new(code, message);
}
