using System.Buffers.Binary;
using System.Net;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace WhatsAspire.Cql;

/// <summary>A value for a marker of a statement: one of many types, without boxing. <c>default</c> is null. Whether it fits
/// the column is checked when the statement is run; lossless widening (int to bigint, float to double) is done by itself.</summary>
public readonly partial struct CqlValue
{
    private readonly object? _object;
    private readonly Bits _bits;

    private CqlValue(CqlValueKind kind, Bits bits = default, object? reference = null)
    {
        Kind = kind;
        _bits = bits;
        _object = reference;
    }

    /// <summary>Null: deletes the cell, which leaves a tombstone.</summary>
    public static CqlValue Null => default;

    /// <summary>Leaves the cell as it is.</summary>
    public static CqlValue Unset => new(CqlValueKind.Unset);

    internal CqlValueKind Kind { get; }

    public bool IsNull => Kind == CqlValueKind.Null;

    public bool IsUnset => Kind == CqlValueKind.Unset;

    public static implicit operator CqlValue(Guid value) => new(CqlValueKind.Guid, ToBits(value));

    public static implicit operator CqlValue(long value) => new(CqlValueKind.Int64, value);

    public static implicit operator CqlValue(int value) => new(CqlValueKind.Int32, value);

    public static implicit operator CqlValue(short value) => new(CqlValueKind.Int16, value);

    public static implicit operator CqlValue(sbyte value) => new(CqlValueKind.SByte, value);

    public static implicit operator CqlValue(bool value) => new(CqlValueKind.Boolean, value ? 1 : 0);

    public static implicit operator CqlValue(double value) => new(CqlValueKind.Double, BitConverter.DoubleToInt64Bits(value));

    public static implicit operator CqlValue(float value) => new(CqlValueKind.Single, BitConverter.SingleToInt32Bits(value));

    public static implicit operator CqlValue(string? value) => value is null ? default : new(CqlValueKind.String, reference: value);

    /// <summary>The array is not copied; don't change it before the call has completed.</summary>
    public static implicit operator CqlValue(byte[]? value) =>
        value is null ? default : new(CqlValueKind.Bytes, new(0, value.Length), value);

    /// <summary>The bytes are not copied; don't change them before the call has completed.</summary>
    public static implicit operator CqlValue(ReadOnlyMemory<byte> value) =>
        MemoryMarshal.TryGetArray(value, out var segment) && segment.Array is not null
            ? new CqlValue(CqlValueKind.Bytes, new(segment.Offset, segment.Count), segment.Array)
            : value.ToArray();

    /// <summary>Milliseconds are kept; what is finer is cut off.</summary>
    public static implicit operator CqlValue(DateTimeOffset value) => new(CqlValueKind.Timestamp, value.ToUnixTimeMilliseconds());

    public static implicit operator CqlValue(DateOnly value) => new(CqlValueKind.Date, value.DayNumber);

    public static implicit operator CqlValue(TimeOnly value) => new(CqlValueKind.Time, value.Ticks);

    public static implicit operator CqlValue(BigInteger value) =>
        new(CqlValueKind.BigInteger, reference: value.ToByteArray(isBigEndian: true));

    public static implicit operator CqlValue(decimal value) => new(CqlValueKind.Decimal, Unsafe.BitCast<decimal, Bits>(value));

    public static implicit operator CqlValue(CqlDecimal value) =>
        new(CqlValueKind.BigDecimal, value.Scale, value.Unscaled.ToByteArray(isBigEndian: true));

    public static implicit operator CqlValue(IPAddress? value) => value is null ? default : new(CqlValueKind.Inet, reference: value);

    public static implicit operator CqlValue(CqlDuration value) =>
        new(CqlValueKind.Duration, Unsafe.BitCast<CqlDuration, Bits>(value));

    public static implicit operator CqlValue(Guid? value) => value is { } some ? some : default(CqlValue);

    public static implicit operator CqlValue(long? value) => value is { } some ? some : default(CqlValue);

    public static implicit operator CqlValue(int? value) => value is { } some ? some : default(CqlValue);

    public static implicit operator CqlValue(short? value) => value is { } some ? some : default(CqlValue);

    public static implicit operator CqlValue(sbyte? value) => value is { } some ? some : default(CqlValue);

    public static implicit operator CqlValue(bool? value) => value is { } some ? some : default(CqlValue);

    public static implicit operator CqlValue(double? value) => value is { } some ? some : default(CqlValue);

    public static implicit operator CqlValue(float? value) => value is { } some ? some : default(CqlValue);

    public static implicit operator CqlValue(ReadOnlyMemory<byte>? value) => value is { } some ? some : default(CqlValue);

    public static implicit operator CqlValue(DateTimeOffset? value) => value is { } some ? some : default(CqlValue);

    public static implicit operator CqlValue(DateOnly? value) => value is { } some ? some : default(CqlValue);

    public static implicit operator CqlValue(TimeOnly? value) => value is { } some ? some : default(CqlValue);

    public static implicit operator CqlValue(BigInteger? value) => value is { } some ? some : default(CqlValue);

    public static implicit operator CqlValue(decimal? value) => value is { } some ? some : default(CqlValue);

    public static implicit operator CqlValue(CqlDecimal? value) => value is { } some ? some : default(CqlValue);

    public static implicit operator CqlValue(CqlDuration? value) => value is { } some ? some : default(CqlValue);

    internal Guid AsGuid()
    {
        Span<byte> bytes = stackalloc byte[16];
        WriteGuid(bytes);
        return new(bytes, bigEndian: true);
    }

    /// <summary>For a Guid: its 16 bytes in network order.</summary>
    internal void WriteGuid(Span<byte> to)
    {
        BinaryPrimitives.WriteInt64BigEndian(to, _bits.High);
        BinaryPrimitives.WriteInt64BigEndian(to[8..], _bits.Low);
    }

    internal long AsInt64() => _bits.Low;

    internal double AsDouble() => BitConverter.Int64BitsToDouble(_bits.Low);

    internal float AsSingle() => BitConverter.Int32BitsToSingle((int)_bits.Low);

    internal string AsString() => (string)_object!;

    internal decimal AsDecimal() => Unsafe.BitCast<Bits, decimal>(_bits);

    internal CqlDuration AsDuration() => Unsafe.BitCast<Bits, CqlDuration>(_bits);

    internal IPAddress AsInet() => (IPAddress)_object!;

    /// <summary>For bytes: the range of the array.</summary>
    internal ReadOnlySpan<byte> AsBytes() => ((byte[])_object!).AsSpan((int)_bits.High, (int)_bits.Low);

    /// <summary>For big integers and decimals: the two's complement, most significant byte first.</summary>
    internal byte[] AsTwosComplement() => (byte[])_object!;

    internal CqlValue[] AsElements() => (CqlValue[])_object!;

    internal float[] AsFloats() => (float[])_object!;

    internal (string Name, CqlValue Value)[] AsFields() => ((string Name, CqlValue Value)[])_object!;

    private static Bits ToBits(Guid value)
    {
        Span<byte> bytes = stackalloc byte[16];
        value.TryWriteBytes(bytes, bigEndian: true, out _);
        return new(BinaryPrimitives.ReadInt64BigEndian(bytes), BinaryPrimitives.ReadInt64BigEndian(bytes[8..]));
    }

    /// <summary>Sixteen bytes that hold whatever the kind says, aligned to eight so that a value takes 32.</summary>
    private readonly record struct Bits(long High, long Low)
    {
        public static implicit operator Bits(long low) => new(0, low);
    }
}
