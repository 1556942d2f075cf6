using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace WhatsAspire.Cql.Protocol;

/// <summary>A growing buffer from the pool, written in the protocol's notations (section 3). Not thread-safe.</summary>
internal sealed class ByteWriter : IDisposable
{
    private byte[] _buffer = [];

    public int Length { get; private set; }

    public ReadOnlySpan<byte> Written => _buffer.AsSpan(0, Length);

    public ReadOnlyMemory<byte> WrittenMemory => _buffer.AsMemory(0, Length);

    public void Clear() => Length = 0;

    /// <summary>Drops what was written after this length.</summary>
    public void Truncate(int length) => Length = length;

    public void Dispose()
    {
        if (_buffer.Length > 0)
            ArrayPool<byte>.Shared.Return(_buffer);
        (_buffer, Length) = ([], 0);
    }

    /// <summary>Room for exactly so many bytes, which count as written.</summary>
    public Span<byte> Append(int count)
    {
        if (_buffer.Length - Length < count)
            Grow(count);
        var room = _buffer.AsSpan(Length, count);
        Length += count;
        return room;
    }

    /// <summary>What was written from there on, to be changed.</summary>
    public Span<byte> At(int position) => _buffer.AsSpan(position, Length - position);

    public void Write(ReadOnlySpan<byte> bytes) => bytes.CopyTo(Append(bytes.Length));

    public void WriteByte(byte value) => Append(1)[0] = value;

    public void WriteUInt16(int value) => BinaryPrimitives.WriteUInt16BigEndian(Append(2), checked((ushort)value));

    public void WriteInt16(short value) => BinaryPrimitives.WriteInt16BigEndian(Append(2), value);

    public void WriteInt32(int value) => BinaryPrimitives.WriteInt32BigEndian(Append(4), value);

    public void WriteInt64(long value) => BinaryPrimitives.WriteInt64BigEndian(Append(8), value);

    /// <summary>[string]</summary>
    public void WriteString(string value)
    {
        var at = Length;
        WriteUInt16(0);
        BinaryPrimitives.WriteUInt16BigEndian(_buffer.AsSpan(at), checked((ushort)WriteUtf8(value)));
    }

    /// <summary>[long string]; also the [bytes] of a text.</summary>
    public void WriteLongString(string value)
    {
        var at = BeginBytes();
        WriteUtf8(value);
        EndBytes(at);
    }

    /// <summary>[short bytes]</summary>
    public void WriteShortBytes(ReadOnlySpan<byte> value)
    {
        WriteUInt16(value.Length);
        Write(value);
    }

    /// <summary>[bytes]</summary>
    public void WriteBytes(ReadOnlySpan<byte> value)
    {
        WriteInt32(value.Length);
        Write(value);
    }

    /// <summary>[bytes map]</summary>
    public void WriteBytesMap(IReadOnlyDictionary<string, ReadOnlyMemory<byte>> map)
    {
        WriteUInt16(map.Count);
        foreach (var (key, value) in map)
        {
            WriteString(key);
            WriteBytes(value.Span);
        }
    }

    /// <summary>[unsigned vint]: the leading ones of the first byte count the bytes that follow.</summary>
    public void WriteUnsignedVint(ulong value)
    {
        var bits = 64 - (int)ulong.LeadingZeroCount(value | 1);
        var extra = Math.Min(8, (bits - 1) / 7);
        var bytes = Append(extra + 1);
        for (var i = extra; i > 0; i--, value >>= 8)
            bytes[i] = (byte)value;
        bytes[0] = (byte)(value | (extra == 8 ? 0xFF : (0xFF00UL >> extra) & 0xFF));
    }

    /// <summary>[vint]</summary>
    public void WriteVint(long value) => WriteUnsignedVint((ulong)((value >> 63) ^ (value << 1)));

    /// <summary>Begins [bytes] whose length is known only at <see cref="EndBytes"/>.</summary>
    public int BeginBytes()
    {
        WriteInt32(0);
        return Length;
    }

    public void EndBytes(int begin) => BinaryPrimitives.WriteInt32BigEndian(_buffer.AsSpan(begin - sizeof(int)), Length - begin);

    private int WriteUtf8(string value)
    {
        var most = Encoding.UTF8.GetMaxByteCount(value.Length);
        if (_buffer.Length - Length < most)
            Grow(value.Length < 1024 ? most : Encoding.UTF8.GetByteCount(value));
        var written = Encoding.UTF8.GetBytes(value, _buffer.AsSpan(Length));
        Length += written;
        return written;
    }

    private void Grow(int count)
    {
        var wanted = Math.Max(Math.Max(256, checked(Length + count)), (int)Math.Min(_buffer.Length * 2L, Array.MaxLength));
        var larger = ArrayPool<byte>.Shared.Rent(wanted);
        Written.CopyTo(larger);
        if (_buffer.Length > 0)
            ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = larger;
    }
}
