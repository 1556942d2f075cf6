namespace WhatsAspire.Cql;

public readonly partial struct CqlValue
{
    /// <summary>For a list column. Elements can be neither null nor unset.</summary>
    public static CqlValue List(params ReadOnlySpan<CqlValue> elements) => new(CqlValueKind.List, reference: elements.ToArray());

    /// <summary>For a set column. The server sorts, and drops what is there twice.</summary>
    public static CqlValue Set(params ReadOnlySpan<CqlValue> elements) => new(CqlValueKind.Set, reference: elements.ToArray());

    /// <summary>For a map column.</summary>
    public static CqlValue Map(params ReadOnlySpan<(CqlValue Key, CqlValue Value)> entries)
    {
        var flat = new CqlValue[entries.Length * 2];
        for (var i = 0; i < entries.Length; i++)
            (flat[2 * i], flat[(2 * i) + 1]) = entries[i];
        return new(CqlValueKind.Map, reference: flat);
    }

    /// <summary>For a tuple column, one value per component; components may be null.</summary>
    public static CqlValue Tuple(params ReadOnlySpan<CqlValue> components) => new(CqlValueKind.Tuple, reference: components.ToArray());

    /// <summary>For a column of a user-defined type. Fields that are not named become null.</summary>
    public static CqlValue Udt(params ReadOnlySpan<(string Name, CqlValue Value)> fields) => new(CqlValueKind.Udt, reference: fields.ToArray());

    /// <summary>For a vector column of any element type, exactly as many as the column has dimensions.</summary>
    public static CqlValue Vector(params ReadOnlySpan<CqlValue> elements) => new(CqlValueKind.Vector, reference: elements.ToArray());

    /// <summary>For a vector column of floats.</summary>
    public static CqlValue Vector(ReadOnlySpan<float> elements) => new(CqlValueKind.FloatVector, reference: elements.ToArray());
}

internal enum CqlValueKind : byte
{
    Null,
    Unset,
    Guid,
    Int64,
    Int32,
    Int16,
    SByte,
    Boolean,
    Double,
    Single,
    String,
    Bytes,
    Timestamp,
    Date,
    Time,
    BigInteger,
    Decimal,
    BigDecimal,
    Inet,
    Duration,
    List,
    Set,
    Map,
    Tuple,
    Udt,
    Vector,
    FloatVector,
}
