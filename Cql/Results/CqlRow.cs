using System.Net;
using System.Numerics;
using WhatsAspire.Cql.Protocol;

namespace WhatsAspire.Cql;

/// <summary>A row of a result, which it keeps in memory. Reading a value that is null, or one of another type, throws
/// <see cref="InvalidCastException"/> with the column's name; lossless widening is done.</summary>
public readonly partial struct CqlRow
{
    private readonly CqlResult _result;
    private readonly int _index;

    internal CqlRow(CqlResult result, int index)
    {
        _result = result;
        _index = index;
    }

    public int ColumnCount => _result.ColumnSet.Count;

    internal IEnumerable<string> ColumnNames => _result.Columns.Select(column => column.Name);

    /// <exception cref="ArgumentException">There is no column of that name. Upper and lower case matter.</exception>
    public int Ordinal(string name) => _result.ColumnSet.Find(name) is >= 0 and var ordinal
        ? ordinal
        : throw new ArgumentException(
            $"The result has no column '{name}', but {string.Join(", ", _result.Columns.Select(column => column.Name))}.", nameof(name));

    public bool IsNull(int ordinal) => !_result.TryGetCell(_index, ordinal, out _);

    /// <summary>uuid, timeuuid.</summary>
    public Guid GetGuid(int ordinal) => ValueReader.Guid(Cell(ordinal, out var column).Span, column);

    /// <summary>bigint, counter, and narrower integers; timestamp as milliseconds since 1970, time as nanoseconds since midnight.</summary>
    public long GetInt64(int ordinal) => ValueReader.Int64(Cell(ordinal, out var column).Span, column);

    /// <summary>int, smallint, tinyint.</summary>
    public int GetInt32(int ordinal) => ValueReader.Int32(Cell(ordinal, out var column).Span, column);

    /// <summary>smallint, tinyint.</summary>
    public short GetInt16(int ordinal) => ValueReader.Int16(Cell(ordinal, out var column).Span, column);

    /// <summary>tinyint.</summary>
    public sbyte GetSByte(int ordinal) => ValueReader.SByte(Cell(ordinal, out var column).Span, column);

    public bool GetBoolean(int ordinal) => ValueReader.Boolean(Cell(ordinal, out var column).Span, column);

    /// <summary>double, float.</summary>
    public double GetDouble(int ordinal) => ValueReader.Double(Cell(ordinal, out var column).Span, column);

    public float GetSingle(int ordinal) => ValueReader.Single(Cell(ordinal, out var column).Span, column);

    /// <summary>text, ascii.</summary>
    public string GetString(int ordinal) => ValueReader.String(Cell(ordinal, out var column).Span, column);

    /// <summary>The bytes of a blob or of a custom type, or the encoded form of any other. Not copied: valid as long as the
    /// result is referenced, which this memory does.</summary>
    public ReadOnlyMemory<byte> GetBytes(int ordinal) => Cell(ordinal, out _);

    /// <summary>timestamp, at offset zero.</summary>
    /// <exception cref="OverflowException">Outside of the years 1 to 9999; <see cref="GetInt64(int)"/> reads those.</exception>
    public DateTimeOffset GetTimestamp(int ordinal) => ValueReader.Timestamp(Cell(ordinal, out var column).Span, column);

    /// <summary>date.</summary>
    /// <exception cref="OverflowException">Outside of the years 1 to 9999.</exception>
    public DateOnly GetDate(int ordinal) => ValueReader.Date(Cell(ordinal, out var column).Span, column);

    /// <summary>time, cut to 100 ns; <see cref="GetInt64(int)"/> gives all of it.</summary>
    public TimeOnly GetTime(int ordinal) => ValueReader.Time(Cell(ordinal, out var column).Span, column);

    /// <summary>varint, and integers.</summary>
    public BigInteger GetBigInteger(int ordinal) => ValueReader.BigInteger(Cell(ordinal, out var column).Span, column);

    /// <summary>decimal.</summary>
    /// <exception cref="OverflowException">It doesn't fit; <see cref="GetCqlDecimal(int)"/> reads any.</exception>
    public decimal GetDecimal(int ordinal) => GetCqlDecimal(ordinal).ToDecimal();

    /// <summary>decimal of any size.</summary>
    public CqlDecimal GetCqlDecimal(int ordinal) => ValueReader.Decimal(Cell(ordinal, out var column).Span, column);

    public CqlDuration GetDuration(int ordinal) => ValueReader.Duration(Cell(ordinal, out var column).Span, column);

    /// <summary>inet.</summary>
    public IPAddress GetInet(int ordinal) => ValueReader.Inet(Cell(ordinal, out var column).Span, column);

    /// <summary>A list, set, or vector whose elements come as <see cref="GetValue(int)"/> gives them. Null reads as empty, since
    /// Cassandra knows no empty collection.</summary>
    public IReadOnlyList<T> GetList<T>(int ordinal) => _result.TryGetCell(_index, ordinal, out var value)
        ? ValueReader.List<T>(value, _result.Columns[ordinal])
        : [];

    /// <summary>A map. Null reads as empty.</summary>
    public IReadOnlyDictionary<TKey, TValue> GetMap<TKey, TValue>(int ordinal)
        where TKey : notnull => _result.TryGetCell(_index, ordinal, out var value)
        ? ValueReader.Map<TKey, TValue>(value, _result.Columns[ordinal])
        : new Dictionary<TKey, TValue>();

    /// <summary>The value as the .NET type that fits its CQL type; null for null. Lists, sets and tuples: <c>object?[]</c>; maps:
    /// <c>Dictionary&lt;object, object?&gt;</c>; user-defined types: <c>Dictionary&lt;string, object?&gt;</c>; vectors of floats:
    /// <c>float[]</c>, others <c>object?[]</c>; blobs and custom types: <c>byte[]</c>; decimals: <see cref="CqlDecimal"/>.</summary>
    public object? GetValue(int ordinal) => _result.TryGetCell(_index, ordinal, out var value)
        ? ValueReader.Object(value, _result.Columns[ordinal].Type, _result.Columns[ordinal].Name)
        : null;

    private ReadOnlyMemory<byte> Cell(int ordinal, out CqlColumn column)
    {
        if (!_result.TryGetCell(_index, ordinal, out var value))
            throw new InvalidCastException($"Column '{_result.Columns[ordinal].Name}' is null.");
        column = _result.ColumnSet.Columns[ordinal];
        return value;
    }
}
