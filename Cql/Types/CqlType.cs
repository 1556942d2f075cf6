using System.Globalization;

namespace WhatsAspire.Cql;

/// <summary>The kinds of CQL types. The numbers are the native protocol's (section 4.2.5.2) except for vectors, which have none.</summary>
public enum CqlTypeCode
{
    Custom = 0x0000,
    Ascii = 0x0001,
    Bigint = 0x0002,
    Blob = 0x0003,
    Boolean = 0x0004,
    Counter = 0x0005,
    Decimal = 0x0006,
    Double = 0x0007,
    Float = 0x0008,
    Int = 0x0009,
    Timestamp = 0x000B,
    Uuid = 0x000C,
    Text = 0x000D,
    Varint = 0x000E,
    Timeuuid = 0x000F,
    Inet = 0x0010,
    Date = 0x0011,
    Time = 0x0012,
    Smallint = 0x0013,
    Tinyint = 0x0014,
    Duration = 0x0015,
    List = 0x0020,
    Map = 0x0021,
    Set = 0x0022,
    Udt = 0x0030,
    Tuple = 0x0031,
    Vector = 0x10000,
}

/// <summary>The type of a column or of a marker.</summary>
public sealed class CqlType
{
    private static readonly CqlType[] Simple = MakeSimple();

    private CqlType(CqlTypeCode code, string name, IReadOnlyList<CqlType>? arguments = null, IReadOnlyList<string>? fieldNames = null,
        int dimensions = 0)
    {
        Code = code;
        Name = name;
        Arguments = arguments ?? [];
        FieldNames = fieldNames ?? [];
        Dimensions = dimensions;
    }

    public CqlTypeCode Code { get; }

    /// <summary>As CQL writes it, such as <c>map&lt;text, int&gt;</c>; for a custom type its Java class.</summary>
    public string Name { get; }

    /// <summary>The element's type of a list, set or vector; key and value of a map; components of a tuple; fields of a user-defined type.</summary>
    public IReadOnlyList<CqlType> Arguments { get; }

    /// <summary>Of a user-defined type.</summary>
    public IReadOnlyList<string> FieldNames { get; }

    /// <summary>Of a vector; otherwise 0.</summary>
    public int Dimensions { get; }

    public static CqlType Ascii => Of(CqlTypeCode.Ascii);

    public static CqlType Bigint => Of(CqlTypeCode.Bigint);

    public static CqlType Blob => Of(CqlTypeCode.Blob);

    public static CqlType Boolean => Of(CqlTypeCode.Boolean);

    public static CqlType Counter => Of(CqlTypeCode.Counter);

    public static CqlType Decimal => Of(CqlTypeCode.Decimal);

    public static CqlType Double => Of(CqlTypeCode.Double);

    public static CqlType Float => Of(CqlTypeCode.Float);

    public static CqlType Int => Of(CqlTypeCode.Int);

    public static CqlType Timestamp => Of(CqlTypeCode.Timestamp);

    public static CqlType Uuid => Of(CqlTypeCode.Uuid);

    public static CqlType Text => Of(CqlTypeCode.Text);

    public static CqlType Varint => Of(CqlTypeCode.Varint);

    public static CqlType Timeuuid => Of(CqlTypeCode.Timeuuid);

    public static CqlType Inet => Of(CqlTypeCode.Inet);

    public static CqlType Date => Of(CqlTypeCode.Date);

    public static CqlType Time => Of(CqlTypeCode.Time);

    public static CqlType Smallint => Of(CqlTypeCode.Smallint);

    public static CqlType Tinyint => Of(CqlTypeCode.Tinyint);

    public static CqlType Duration => Of(CqlTypeCode.Duration);

    public static CqlType List(CqlType element) => new(CqlTypeCode.List, $"list<{element.Name}>", [element]);

    public static CqlType Set(CqlType element) => new(CqlTypeCode.Set, $"set<{element.Name}>", [element]);

    public static CqlType Map(CqlType key, CqlType value) => new(CqlTypeCode.Map, $"map<{key.Name}, {value.Name}>", [key, value]);

    public static CqlType Tuple(params IReadOnlyList<CqlType> components) =>
        new(CqlTypeCode.Tuple, $"tuple<{string.Join(", ", components.Select(component => component.Name))}>", components);

    public static CqlType Udt(string keyspace, string name, IReadOnlyList<(string Name, CqlType Type)> fields) =>
        new(CqlTypeCode.Udt, $"{keyspace}.{name}", [.. fields.Select(field => field.Type)], [.. fields.Select(field => field.Name)]);

    /// <param name="element">The type of its elements.</param>
    /// <param name="dimensions">How many, 1 or more.</param>
    public static CqlType Vector(CqlType element, int dimensions)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(dimensions, 1);
        return new(CqlTypeCode.Vector, string.Create(CultureInfo.InvariantCulture, $"vector<{element.Name}, {dimensions}>"), [element],
            dimensions: dimensions);
    }

    /// <summary>A type that only the server knows; its values are bytes.</summary>
    public static CqlType Custom(string javaClass) => new(CqlTypeCode.Custom, javaClass);

    /// <summary>The type without arguments that has this code, or null where there is none.</summary>
    internal static CqlType? Find(int code) => (uint)code < Simple.Length ? Simple[code] : null;

    public override string ToString() => Name;

    private static CqlType Of(CqlTypeCode code) => Simple[(int)code];

    private static CqlType[] MakeSimple()
    {
        var simple = new CqlType[(int)CqlTypeCode.Duration + 1];
        for (var code = CqlTypeCode.Ascii; code <= CqlTypeCode.Duration; code++)
        {
            if (Enum.IsDefined(code))
                simple[(int)code] = new(code, Enum.GetName(code)!.ToLowerInvariant());
        }

        return simple;
    }
}
