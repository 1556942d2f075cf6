using System.Buffers.Binary;
using System.Numerics;
using System.Text;

namespace WhatsAspire.Cql.Protocol;

/// <summary>Encodes values by the column's type (section 6), and refuses those that don't fit.</summary>
internal static class ValueWriter
{
    private const int NullLength = -1;
    private const int UnsetLength = -2;
    private static readonly int EpochDay = new DateOnly(1970, 1, 1).DayNumber;

    /// <summary>Writes a [value]: its length and its bytes.</summary>
    /// <exception cref="ArgumentException">The value doesn't fit the type.</exception>
    public static void Write(ByteWriter writer, in CqlValue value, CqlType type, string column)
    {
        if (value.Kind <= CqlValueKind.Unset)
        {
            writer.WriteInt32(value.IsNull ? NullLength : UnsetLength);
            return;
        }

        var begin = writer.BeginBytes();
        WriteContent(writer, value, type, column);
        writer.EndBytes(begin);
    }

    /// <summary>Writes the bytes of a value that is neither null nor unset.</summary>
    public static void WriteContent(ByteWriter writer, in CqlValue value, CqlType type, string column)
    {
        switch (type.Code, value.Kind)
        {
            case (CqlTypeCode.Uuid, CqlValueKind.Guid):
                value.WriteGuid(writer.Append(16));
                break;
            case (CqlTypeCode.Timeuuid, CqlValueKind.Guid):
                var uuid = writer.Append(16);
                value.WriteGuid(uuid);
                if (uuid[6] >> 4 != 1)
                    throw Unfit(value, type, column, $"a UUID of version {uuid[6] >> 4}");
                break;
            case (CqlTypeCode.Bigint or CqlTypeCode.Counter, CqlValueKind.Int64 or CqlValueKind.Int32 or CqlValueKind.Int16 or CqlValueKind.SByte):
                writer.WriteInt64(value.AsInt64());
                break;
            case (CqlTypeCode.Int, CqlValueKind.Int32 or CqlValueKind.Int16 or CqlValueKind.SByte):
                writer.WriteInt32((int)value.AsInt64());
                break;
            case (CqlTypeCode.Smallint, CqlValueKind.Int16 or CqlValueKind.SByte):
                writer.WriteInt16((short)value.AsInt64());
                break;
            case (CqlTypeCode.Tinyint, CqlValueKind.SByte):
            case (CqlTypeCode.Boolean, CqlValueKind.Boolean):
                writer.WriteByte((byte)value.AsInt64());
                break;
            case (CqlTypeCode.Double, CqlValueKind.Double):
                BinaryPrimitives.WriteDoubleBigEndian(writer.Append(8), value.AsDouble());
                break;
            case (CqlTypeCode.Double, CqlValueKind.Single):
                BinaryPrimitives.WriteDoubleBigEndian(writer.Append(8), value.AsSingle());
                break;
            case (CqlTypeCode.Float, CqlValueKind.Single):
                BinaryPrimitives.WriteSingleBigEndian(writer.Append(4), value.AsSingle());
                break;
            case (CqlTypeCode.Text, CqlValueKind.String):
                WriteUtf8(writer, value.AsString());
                break;
            case (CqlTypeCode.Ascii, CqlValueKind.String):
                if (!Ascii.IsValid(value.AsString()))
                    throw Unfit(value, type, column, "a string with other characters than ASCII");
                WriteUtf8(writer, value.AsString());
                break;
            case (CqlTypeCode.Blob or CqlTypeCode.Custom, CqlValueKind.Bytes):
                writer.Write(value.AsBytes());
                break;
            case (CqlTypeCode.Timestamp, CqlValueKind.Timestamp):
                writer.WriteInt64(value.AsInt64());
                break;
            case (CqlTypeCode.Date, CqlValueKind.Date):
                writer.WriteInt32((int)(value.AsInt64() - EpochDay) ^ int.MinValue);
                break;
            case (CqlTypeCode.Time, CqlValueKind.Time):
                writer.WriteInt64(value.AsInt64() * TimeSpan.NanosecondsPerTick);
                break;
            case (CqlTypeCode.Varint, CqlValueKind.BigInteger):
                writer.Write(value.AsTwosComplement());
                break;
            case (CqlTypeCode.Varint, CqlValueKind.Int64 or CqlValueKind.Int32 or CqlValueKind.Int16 or CqlValueKind.SByte):
                WriteVarint(writer, value.AsInt64());
                break;
            case (CqlTypeCode.Decimal, CqlValueKind.Decimal):
                WriteDecimal(writer, value.AsDecimal());
                break;
            case (CqlTypeCode.Decimal, CqlValueKind.BigDecimal):
                writer.WriteInt32((int)value.AsInt64());
                writer.Write(value.AsTwosComplement());
                break;
            case (CqlTypeCode.Inet, CqlValueKind.Inet):
                var address = value.AsInet();
                address.TryWriteBytes(writer.Append(address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetworkV6 ? 16 : 4), out _);
                break;
            case (CqlTypeCode.Duration, CqlValueKind.Duration):
                var duration = value.AsDuration();
                writer.WriteVint(duration.Months);
                writer.WriteVint(duration.Days);
                writer.WriteVint(duration.Nanoseconds);
                break;
            default:
                CompositeWriter.WriteContent(writer, value, type, column);
                break;
        }
    }

    public static ArgumentException Unfit(in CqlValue value, CqlType type, string column, string? given = null) =>
        new($"Column '{column}' is {type}; {given ?? Describe(value.Kind)} doesn't fit it.");

    private static string Describe(CqlValueKind kind) => kind switch
    {
        CqlValueKind.Null => "null",
        CqlValueKind.Unset => "a value that is not set",
        CqlValueKind.Inet => "an IPAddress",
        CqlValueKind.Bytes => "an array of bytes",
        CqlValueKind.Timestamp => "a DateTimeOffset",
        CqlValueKind.Date => "a DateOnly",
        CqlValueKind.Time => "a TimeOnly",
        CqlValueKind.BigDecimal => "a CqlDecimal",
        CqlValueKind.Udt => "a value of a user-defined type",
        CqlValueKind.FloatVector => "a vector of floats",
        _ => kind.ToString() is var name && "AEIOU".Contains(name[0], StringComparison.Ordinal) ? $"an {name}" : $"a {kind}",
    };

    private static void WriteUtf8(ByteWriter writer, string text)
    {
        var begin = writer.Length;
        writer.Append(Encoding.UTF8.GetByteCount(text));
        Encoding.UTF8.GetBytes(text, writer.At(begin));
    }

    private static void WriteVarint(ByteWriter writer, long value)
    {
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteInt64BigEndian(bytes, value);
        var start = 0;
        // A leading byte that only repeats the next one's sign says nothing.
        while (start < 7 && bytes[start] == (byte)((sbyte)bytes[start + 1] >> 7))
            start++;
        writer.Write(bytes[start..]);
    }

    private static void WriteDecimal(ByteWriter writer, decimal value)
    {
        Span<int> parts = stackalloc int[4];
        decimal.GetBits(value, parts);
        writer.WriteInt32((parts[3] >> 16) & 0xFF);
        var unscaled = ((BigInteger)(uint)parts[2] << 64) | ((BigInteger)(uint)parts[1] << 32) | (uint)parts[0];
        Span<byte> bytes = stackalloc byte[13];
        (value < 0 ? -unscaled : unscaled).TryWriteBytes(bytes, out var written, isBigEndian: true);
        writer.Write(bytes[..written]);
    }
}
