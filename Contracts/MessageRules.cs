namespace WhatsAspire.Contracts;

/// <summary>What a message must be, the same over the socket and over REST.</summary>
public static class MessageRules
{
    /// <summary>The first rule that is broken, or null.</summary>
    /// <param name="clientMessageId">1 to 64 characters of printable ASCII.</param>
    /// <param name="text">Valid UTF-8, 1 to 4,096 code points.</param>
    /// <param name="to">Either the recipient…</param>
    /// <param name="conversation">…or the conversation.</param>
    public static Error? Check(string? clientMessageId, ReadOnlySpan<byte> text, UserId? to, ConversationId? conversation)
    {
        if (clientMessageId is null or "") return Error.Invalid("'client_message_id' is missing");
        if (clientMessageId.Length > Limits.ClientMessageIdLength || clientMessageId.AsSpan().ContainsAnyExceptInRange(' ', '~'))
            return Error.Invalid($"'client_message_id' is 1 to {Limits.ClientMessageIdLength} characters of printable ASCII");
        if (to.HasValue == conversation.HasValue) return Error.Invalid("exactly one of 'to' and 'conversation_id' must be given");
        if (text.IsEmpty) return Error.Invalid($"'text' must have 1 to {Limits.TextLength} characters");
        return CodePoints(text) is var length and > Limits.TextLength
            ? new(ErrorCode.TooLarge, $"'text' has {length} characters; at most {Limits.TextLength} are allowed")
            : null;
    }

    // Every byte of UTF-8 but the continuation bytes starts a code point.
    private static int CodePoints(ReadOnlySpan<byte> utf8)
    {
        var count = 0;
        foreach (var b in utf8)
            if ((b & 0xc0) != 0x80) count++;
        return count;
    }
}
