using System.Buffers.Binary;
using System.Text;
using WhatsAspire.Contracts;

namespace WhatsAspire.MessageApi.Storage.Rocks;

/// <summary>The keys of all rows. Ids are their sixteen bytes in network order and numbers eight bytes big-endian, so
/// that the order of the bytes is the order of the values.</summary>
internal static class Keys
{
    public const int Id = 16;
    public const int LogLength = Id + 8;
    public const int PairLength = Id + Id;
    public const int HiddenLength = PairLength + 8;
    public const int AdvanceLength = PairLength + 1 + 8;

    /// <summary>The longest key: a sender and the client message id in UTF-8.</summary>
    public const int DedupMaxLength = Id + (Limits.ClientMessageIdLength * 3);

    public static ReadOnlySpan<byte> Layout => "layout"u8;

    public static ReadOnlySpan<byte> Of(Guid id, Span<byte> key)
    {
        Write(id, key);
        return key[..Id];
    }

    public static ReadOnlySpan<byte> Log(ConversationId conversation, long seq, Span<byte> key)
    {
        Write(conversation.Value, key);
        BinaryPrimitives.WriteInt64BigEndian(key[Id..], seq);
        return key[..LogLength];
    }

    public static ReadOnlySpan<byte> Dedup(UserId sender, string clientMessageId, Span<byte> key)
    {
        Write(sender.Value, key);
        return key[..(Id + Encoding.UTF8.GetBytes(clientMessageId, key[Id..]))];
    }

    public static ReadOnlySpan<byte> Pair(Guid first, Guid second, Span<byte> key)
    {
        Write(first, key);
        Write(second, key[Id..]);
        return key[..PairLength];
    }

    public static ReadOnlySpan<byte> Hidden(ConversationId conversation, UserId user, long seq, Span<byte> key)
    {
        Pair(conversation.Value, user.Value, key);
        BinaryPrimitives.WriteInt64BigEndian(key[PairLength..], seq);
        return key[..HiddenLength];
    }

    public static ReadOnlySpan<byte> Advance(ConversationId conversation, UserId user, AdvanceKind kind, long seq, Span<byte> key)
    {
        Pair(conversation.Value, user.Value, key);
        key[PairLength] = (byte)kind;
        BinaryPrimitives.WriteInt64BigEndian(key[(PairLength + 1)..], seq);
        return key[..AdvanceLength];
    }

    /// <summary>The number that ends a key.</summary>
    public static long Seq(ReadOnlySpan<byte> key) => BinaryPrimitives.ReadInt64BigEndian(key[^8..]);

    public static Guid Guid(ReadOnlySpan<byte> bytes) => new(bytes[..Id], bigEndian: true);

    private static void Write(Guid id, Span<byte> key) => id.TryWriteBytes(key, bigEndian: true, out _);
}

/// <summary>Which positions one rise moved. The numbers are stored: never change one.</summary>
internal enum AdvanceKind : byte
{
    Delivered = 1,
    Read = 2,
    /// <summary>Both, to the same seq: by sending, or by reading what no device had confirmed before.</summary>
    Both = 3,
}
