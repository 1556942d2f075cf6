using System.Buffers.Binary;
using System.Text;

namespace WhatsAspire.MessageApi.Storage.Rocks;

/// <summary>Writes the fields of one stored value. The buffer belongs to the writer's thread and is used again for
/// the next row.</summary>
internal sealed class RowWriter
{
    private byte[] _buffer = new byte[1024];
    private int _length;

    public ReadOnlySpan<byte> Written => _buffer.AsSpan(0, _length);

    public RowWriter Start(byte version)
    {
        _length = 0;
        return Byte(version);
    }

    public RowWriter Byte(byte value)
    {
        Room(1)[0] = value;
        _length++;
        return this;
    }

    public RowWriter Id(Guid id)
    {
        id.TryWriteBytes(Room(16), bigEndian: true, out _);
        _length += 16;
        return this;
    }

    public RowWriter Time(DateTimeOffset time) => Fixed(unchecked((ulong)time.UtcTicks));

    public RowWriter Fixed(ulong value)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(Room(8), value);
        _length += 8;
        return this;
    }

    /// <summary>Seven bits a byte, the lowest first.</summary>
    public RowWriter Number(long value)
    {
        var rest = unchecked((ulong)value);
        var room = Room(10);
        var i = 0;
        for (; rest >= 0x80; rest >>= 7) room[i++] = (byte)(rest | 0x80);
        room[i++] = (byte)rest;
        _length += i;
        return this;
    }

    public RowWriter Bytes(ReadOnlySpan<byte> bytes)
    {
        Number(bytes.Length);
        bytes.CopyTo(Room(bytes.Length));
        _length += bytes.Length;
        return this;
    }

    public RowWriter Text(string text)
    {
        var length = Encoding.UTF8.GetByteCount(text);
        Number(length);
        Encoding.UTF8.GetBytes(text, Room(length));
        _length += length;
        return this;
    }

    private Span<byte> Room(int bytes)
    {
        if (_buffer.Length - _length < bytes) Array.Resize(ref _buffer, Math.Max(_buffer.Length * 2, _length + bytes));
        return _buffer.AsSpan(_length);
    }
}

/// <summary>Reads what <see cref="RowWriter"/> wrote. Bytes after the known fields are a newer version's and are left
/// alone; a row that is too short throws.</summary>
internal ref struct RowReader
{
    private ReadOnlySpan<byte> _rest;

    /// <exception cref="InvalidDataException">A version that this program does not know.</exception>
    public RowReader(ReadOnlySpan<byte> row, byte version)
    {
        _rest = row;
        var found = Byte();
        if (found != version)
            throw new InvalidDataException($"a stored row has version {found}; this program reads version {version}");
    }

    /// <summary>Whether there are no more fields: an older version knew none that come after these.</summary>
    public readonly bool IsAtEnd => _rest.IsEmpty;

    public byte Byte() => Take(1)[0];
    public Guid Id() => new(Take(16), bigEndian: true);
    public DateTimeOffset Time() => new(unchecked((long)Fixed()), TimeSpan.Zero);
    public ulong Fixed() => BinaryPrimitives.ReadUInt64LittleEndian(Take(8));

    public long Number()
    {
        ulong value = 0;
        for (var shift = 0; shift < 64; shift += 7)
        {
            var next = Byte();
            value |= (ulong)(next & 0x7f) << shift;
            if (next < 0x80) return unchecked((long)value);
        }

        throw new InvalidDataException("a stored number has more than ten bytes");
    }

    public ReadOnlySpan<byte> Bytes() => Take(checked((int)Number()));
    public string Text() => Encoding.UTF8.GetString(Bytes());

    private ReadOnlySpan<byte> Take(int bytes)
    {
        if ((uint)bytes > (uint)_rest.Length) throw new InvalidDataException("a stored row ends too early");
        var taken = _rest[..bytes];
        _rest = _rest[bytes..];
        return taken;
    }
}
