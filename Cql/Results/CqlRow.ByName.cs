using System.Net;
using System.Numerics;

namespace WhatsAspire.Cql;

/// <summary>The same by the column's name.</summary>
public readonly partial struct CqlRow
{
    public bool IsNull(string name) => IsNull(Ordinal(name));

    public Guid GetGuid(string name) => GetGuid(Ordinal(name));

    public long GetInt64(string name) => GetInt64(Ordinal(name));

    public int GetInt32(string name) => GetInt32(Ordinal(name));

    public short GetInt16(string name) => GetInt16(Ordinal(name));

    public sbyte GetSByte(string name) => GetSByte(Ordinal(name));

    public bool GetBoolean(string name) => GetBoolean(Ordinal(name));

    public double GetDouble(string name) => GetDouble(Ordinal(name));

    public float GetSingle(string name) => GetSingle(Ordinal(name));

    public string GetString(string name) => GetString(Ordinal(name));

    public ReadOnlyMemory<byte> GetBytes(string name) => GetBytes(Ordinal(name));

    public DateTimeOffset GetTimestamp(string name) => GetTimestamp(Ordinal(name));

    public DateOnly GetDate(string name) => GetDate(Ordinal(name));

    public TimeOnly GetTime(string name) => GetTime(Ordinal(name));

    public BigInteger GetBigInteger(string name) => GetBigInteger(Ordinal(name));

    public decimal GetDecimal(string name) => GetDecimal(Ordinal(name));

    public CqlDecimal GetCqlDecimal(string name) => GetCqlDecimal(Ordinal(name));

    public CqlDuration GetDuration(string name) => GetDuration(Ordinal(name));

    public IPAddress GetInet(string name) => GetInet(Ordinal(name));

    public IReadOnlyList<T> GetList<T>(string name) => GetList<T>(Ordinal(name));

    public IReadOnlyDictionary<TKey, TValue> GetMap<TKey, TValue>(string name)
        where TKey : notnull => GetMap<TKey, TValue>(Ordinal(name));

    public object? GetValue(string name) => GetValue(Ordinal(name));
}
