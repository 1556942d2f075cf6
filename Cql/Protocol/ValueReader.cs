using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Numerics;
using System.Text;

namespace WhatsAspire.Cql.Protocol;

/// <summary>Decodes values by the column's type (section 6).</summary>
internal static class ValueReader
{
    private static readonly int EpochDay = new DateOnly(1970, 1, 1).DayNumber;

    public static Guid Guid(ReadOnlySpan<byte> bytes, CqlColumn column) =>
        column.Type.Code is CqlTypeCode.Uuid or CqlTypeCode.Timeuuid && bytes.Length == 16
            ? new(bytes, bigEndian: true)
            : throw Unfit(column, nameof(System.Guid), bytes.Length);

    public static long Int64(ReadOnlySpan<byte> bytes, CqlColumn column) => column.Type.Code switch
    {
        CqlTypeCode.Bigint or CqlTypeCode.Counter or CqlTypeCode.Timestamp or CqlTypeCode.Time when bytes.Length == 8 =>
            BinaryPrimitives.ReadInt64BigEndian(bytes),
        CqlTypeCode.Int or CqlTypeCode.Smallint or CqlTypeCode.Tinyint => Int32(bytes, column),
        _ => throw Unfit(column, nameof(System.Int64), bytes.Length),
    };

    public static int Int32(ReadOnlySpan<byte> bytes, CqlColumn column) => column.Type.Code switch
    {
        CqlTypeCode.Int when bytes.Length == 4 => BinaryPrimitives.ReadInt32BigEndian(bytes),
        CqlTypeCode.Smallint or CqlTypeCode.Tinyint => Int16(bytes, column),
        _ => throw Unfit(column, nameof(System.Int32), bytes.Length),
    };

    public static short Int16(ReadOnlySpan<byte> bytes, CqlColumn column) => column.Type.Code switch
    {
        CqlTypeCode.Smallint when bytes.Length == 2 => BinaryPrimitives.ReadInt16BigEndian(bytes),
        CqlTypeCode.Tinyint => SByte(bytes, column),
        _ => throw Unfit(column, nameof(System.Int16), bytes.Length),
    };

    public static sbyte SByte(ReadOnlySpan<byte> bytes, CqlColumn column) =>
        column.Type.Code == CqlTypeCode.Tinyint && bytes.Length == 1 ? (sbyte)bytes[0] : throw Unfit(column, nameof(System.SByte), bytes.Length);

    public static bool Boolean(ReadOnlySpan<byte> bytes, CqlColumn column) =>
        column.Type.Code == CqlTypeCode.Boolean && bytes.Length == 1 ? bytes[0] != 0 : throw Unfit(column, nameof(System.Boolean), bytes.Length);

    public static double Double(ReadOnlySpan<byte> bytes, CqlColumn column) => column.Type.Code switch
    {
        CqlTypeCode.Double when bytes.Length == 8 => BinaryPrimitives.ReadDoubleBigEndian(bytes),
        CqlTypeCode.Float => Single(bytes, column),
        _ => throw Unfit(column, nameof(System.Double), bytes.Length),
    };

    public static float Single(ReadOnlySpan<byte> bytes, CqlColumn column) =>
        column.Type.Code == CqlTypeCode.Float && bytes.Length == 4
            ? BinaryPrimitives.ReadSingleBigEndian(bytes)
            : throw Unfit(column, nameof(System.Single), bytes.Length);

    public static string String(ReadOnlySpan<byte> bytes, CqlColumn column) =>
        column.Type.Code is CqlTypeCode.Text or CqlTypeCode.Ascii
            ? Encoding.UTF8.GetString(bytes)
            : throw Unfit(column, nameof(System.String), bytes.Length);

    public static DateTimeOffset Timestamp(ReadOnlySpan<byte> bytes, CqlColumn column)
    {
        if (column.Type.Code != CqlTypeCode.Timestamp || bytes.Length != 8)
            throw Unfit(column, nameof(DateTimeOffset), bytes.Length);
        var milliseconds = BinaryPrimitives.ReadInt64BigEndian(bytes);
        return milliseconds >= DateTimeOffset.MinValue.ToUnixTimeMilliseconds() && milliseconds <= DateTimeOffset.MaxValue.ToUnixTimeMilliseconds()
            ? DateTimeOffset.FromUnixTimeMilliseconds(milliseconds)
            : throw new OverflowException($"Column '{column.Name}' has a time outside of the years 1 to 9999: {milliseconds} ms.");
    }

    public static DateOnly Date(ReadOnlySpan<byte> bytes, CqlColumn column)
    {
        if (column.Type.Code != CqlTypeCode.Date || bytes.Length != 4)
            throw Unfit(column, nameof(DateOnly), bytes.Length);
        var day = (long)(BinaryPrimitives.ReadInt32BigEndian(bytes) ^ int.MinValue) + EpochDay;
        return day >= DateOnly.MinValue.DayNumber && day <= DateOnly.MaxValue.DayNumber
            ? DateOnly.FromDayNumber((int)day)
            : throw new OverflowException($"Column '{column.Name}' has a date outside of the years 1 to 9999.");
    }

    public static TimeOnly Time(ReadOnlySpan<byte> bytes, CqlColumn column)
    {
        if (column.Type.Code != CqlTypeCode.Time || bytes.Length != 8)
            throw Unfit(column, nameof(TimeOnly), bytes.Length);
        var nanoseconds = BinaryPrimitives.ReadInt64BigEndian(bytes);
        return nanoseconds is >= 0 and < TimeSpan.TicksPerDay * TimeSpan.NanosecondsPerTick
            ? new TimeOnly(nanoseconds / TimeSpan.NanosecondsPerTick)
            : throw new OverflowException($"Column '{column.Name}' has a time outside of the day: {nanoseconds} ns.");
    }

    public static BigInteger BigInteger(ReadOnlySpan<byte> bytes, CqlColumn column) => column.Type.Code switch
    {
        CqlTypeCode.Varint => new BigInteger(bytes, isBigEndian: true),
        CqlTypeCode.Bigint or CqlTypeCode.Counter or CqlTypeCode.Int or CqlTypeCode.Smallint or CqlTypeCode.Tinyint => Int64(bytes, column),
        _ => throw Unfit(column, nameof(System.Numerics.BigInteger), bytes.Length),
    };

    public static CqlDecimal Decimal(ReadOnlySpan<byte> bytes, CqlColumn column) =>
        column.Type.Code == CqlTypeCode.Decimal && bytes.Length >= 4
            ? new(new BigInteger(bytes[4..], isBigEndian: true), BinaryPrimitives.ReadInt32BigEndian(bytes))
            : throw Unfit(column, nameof(CqlDecimal), bytes.Length);

    public static CqlDuration Duration(ReadOnlySpan<byte> bytes, CqlColumn column)
    {
        if (column.Type.Code != CqlTypeCode.Duration)
            throw Unfit(column, nameof(CqlDuration), bytes.Length);
        var reader = new ByteReader(bytes);
        try
        {
            return new(checked((int)reader.Vint()), checked((int)reader.Vint()), reader.Vint());
        }
        catch (Exception wrong) when (wrong is OverflowException or ArgumentException)
        {
            throw new CqlProtocolException($"Column '{column.Name}' holds no duration.", wrong);
        }
    }

    public static IPAddress Inet(ReadOnlySpan<byte> bytes, CqlColumn column) =>
        column.Type.Code == CqlTypeCode.Inet && bytes.Length is 4 or 16 ? new(bytes) : throw Unfit(column, nameof(IPAddress), bytes.Length);

    public static IReadOnlyList<T> List<T>(ReadOnlyMemory<byte> bytes, CqlColumn column)
    {
        if (column.Type.Code is not (CqlTypeCode.List or CqlTypeCode.Set or CqlTypeCode.Vector))
            throw Unfit(column, "a list", bytes.Length);
        var decoded = Object(bytes, column.Type, column.Name);
        return decoded as T[] ?? Array.ConvertAll((object?[])decoded, element => Cast<T>(element, column));
    }

    public static IReadOnlyDictionary<TKey, TValue> Map<TKey, TValue>(ReadOnlyMemory<byte> bytes, CqlColumn column)
        where TKey : notnull
    {
        if (column.Type.Code != CqlTypeCode.Map)
            throw Unfit(column, "a map", bytes.Length);
        var decoded = (Dictionary<object, object?>)Object(bytes, column.Type, column.Name);
        return decoded.ToDictionary(entry => Cast<TKey>(entry.Key, column), entry => Cast<TValue>(entry.Value, column));
    }

    /// <summary>The value as the .NET type that fits; see <see cref="CqlRow.GetValue(int)"/>. An empty value of a type that has
    /// none (section 6, 'legacy') is read as an empty array of bytes.</summary>
    public static object Object(ReadOnlyMemory<byte> bytes, CqlType type, string name)
    {
        var span = bytes.Span;
        if (span.IsEmpty && type.Code is not (CqlTypeCode.Text or CqlTypeCode.Ascii or CqlTypeCode.Udt or CqlTypeCode.Tuple))
            return Array.Empty<byte>();
        var column = new CqlColumn(name, type);
        return type.Code switch
        {
            CqlTypeCode.Uuid or CqlTypeCode.Timeuuid => Guid(span, column),
            CqlTypeCode.Bigint or CqlTypeCode.Counter => Int64(span, column),
            CqlTypeCode.Int => Int32(span, column),
            CqlTypeCode.Smallint => Int16(span, column),
            CqlTypeCode.Tinyint => SByte(span, column),
            CqlTypeCode.Boolean => Boolean(span, column),
            CqlTypeCode.Double => Double(span, column),
            CqlTypeCode.Float => Single(span, column),
            CqlTypeCode.Text or CqlTypeCode.Ascii => String(span, column),
            CqlTypeCode.Timestamp => Timestamp(span, column),
            CqlTypeCode.Date => Date(span, column),
            CqlTypeCode.Time => Time(span, column),
            CqlTypeCode.Varint => BigInteger(span, column),
            CqlTypeCode.Decimal => Decimal(span, column),
            CqlTypeCode.Inet => Inet(span, column),
            CqlTypeCode.Duration => Duration(span, column),
            CqlTypeCode.Blob or CqlTypeCode.Custom => span.ToArray(),
            _ => CompositeReader.Object(bytes, type, name),
        };
    }

    public static InvalidCastException Unfit(CqlColumn column, string wanted, int length) =>
        new(string.Create(CultureInfo.InvariantCulture, $"Column '{column.Name}' is {column.Type} and has {length} bytes: it can't be read as {wanted}."));

    private static T Cast<T>(object? value, CqlColumn column) => value is T fits
        ? fits
        : throw new InvalidCastException(
            $"Column '{column.Name}' is {column.Type}: a {value?.GetType().Name ?? "null"} in it can't be read as {typeof(T).Name}.");
}
