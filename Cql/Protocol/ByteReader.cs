using System.Buffers.Binary;
using System.Net;
using System.Text;

namespace WhatsAspire.Cql.Protocol;

/// <summary>Reads the protocol's notations (section 3). Whatever it is given, it reads inside of its bytes or throws
/// <see cref="CqlProtocolException"/>, and allocates no more than the bytes can stand for.</summary>
internal ref struct ByteReader(ReadOnlySpan<byte> bytes)
{
    private readonly ReadOnlySpan<byte> _bytes = bytes;

    public int Position { get; private set; }

    public readonly int Remaining => _bytes.Length - Position;

    public static int Int32At(byte[] bytes, int at) => BinaryPrimitives.ReadInt32BigEndian(bytes.AsSpan(at));

    public ReadOnlySpan<byte> Take(int count)
    {
        if ((uint)count > (uint)Remaining)
            throw new CqlProtocolException($"The body ends after {Remaining} bytes where {count} are announced.");
        var taken = _bytes.Slice(Position, count);
        Position += count;
        return taken;
    }

    public byte Byte() => Take(1)[0];

    public int UInt16() => BinaryPrimitives.ReadUInt16BigEndian(Take(2));

    public int Int32() => BinaryPrimitives.ReadInt32BigEndian(Take(4));

    public long Int64() => BinaryPrimitives.ReadInt64BigEndian(Take(8));

    /// <summary>[int] that counts things of at least so many bytes each, none of which has been read.</summary>
    public int Count(int leastBytesEach)
    {
        var count = Int32();
        if (count < 0 || (long)count * leastBytesEach > Remaining)
            throw new CqlProtocolException($"A count of {count} does not fit the {Remaining} bytes that are left.");
        return count;
    }

    public string String() => Encoding.UTF8.GetString(Take(UInt16()));

    public ReadOnlySpan<byte> ShortBytes() => Take(UInt16());

    /// <summary>[bytes]; false for null.</summary>
    public bool TryBytes(out ReadOnlySpan<byte> value)
    {
        var length = Int32();
        value = length < 0 ? default : Take(length);
        return length >= 0;
    }

    public string[] StringList()
    {
        var count = UInt16();
        var list = new List<string>(Math.Min(count, Remaining / 2));
        for (var i = 0; i < count; i++)
            list.Add(String());
        return [.. list];
    }

    public Dictionary<string, string[]> StringMultimap()
    {
        var map = new Dictionary<string, string[]>(StringComparer.Ordinal);
        for (var left = UInt16(); left > 0; left--)
        {
            var key = String();
            map[key] = StringList();
        }

        return map;
    }

    public Dictionary<string, ReadOnlyMemory<byte>> BytesMap()
    {
        var map = new Dictionary<string, ReadOnlyMemory<byte>>(StringComparer.Ordinal);
        for (var left = UInt16(); left > 0; left--)
        {
            var key = String();
            map[key] = TryBytes(out var value) ? value.ToArray() : default;
        }

        return map;
    }

    /// <summary>[inetaddr]</summary>
    public IPAddress Address()
    {
        var length = Byte();
        if (length is not (4 or 16))
            throw new CqlProtocolException($"An address has 4 or 16 bytes, not {length}.");
        return new(Take(length));
    }

    /// <summary>[inet]</summary>
    public IPEndPoint EndPoint()
    {
        var address = Address();
        var port = Int32();
        if (port is < IPEndPoint.MinPort or > IPEndPoint.MaxPort)
            throw new CqlProtocolException($"{port} is no port.");
        return new(address, port);
    }

    /// <summary>[unsigned vint]</summary>
    public ulong UnsignedVint()
    {
        var first = Byte();
        var extra = byte.LeadingZeroCount((byte)~first);
        ulong value = extra == 8 ? 0UL : first & (0xFFUL >> extra);
        foreach (var next in Take(extra))
            value = (value << 8) | next;
        return value;
    }

    /// <summary>[vint]</summary>
    public long Vint()
    {
        var value = UnsignedVint();
        return (long)(value >> 1) ^ -(long)(value & 1);
    }
}
