using System.Globalization;
using System.Text;

namespace WhatsAspire.Cql.Protocol;

/// <summary>Reads types that the protocol has no code for, and that come as the name of Cassandra's Java class, such as
/// <c>org.apache.cassandra.db.marshal.VectorType(org.apache.cassandra.db.marshal.FloatType , 3)</c>.</summary>
internal static class MarshalTypeName
{
    private const string Package = "org.apache.cassandra.db.marshal.";

    private static readonly Dictionary<string, CqlType> Simple = new(StringComparer.Ordinal)
    {
        ["AsciiType"] = CqlType.Ascii,
        ["BooleanType"] = CqlType.Boolean,
        ["ByteType"] = CqlType.Tinyint,
        ["BytesType"] = CqlType.Blob,
        ["CounterColumnType"] = CqlType.Counter,
        ["DecimalType"] = CqlType.Decimal,
        ["DoubleType"] = CqlType.Double,
        ["DurationType"] = CqlType.Duration,
        ["FloatType"] = CqlType.Float,
        ["InetAddressType"] = CqlType.Inet,
        ["Int32Type"] = CqlType.Int,
        ["IntegerType"] = CqlType.Varint,
        ["LongType"] = CqlType.Bigint,
        ["ShortType"] = CqlType.Smallint,
        ["SimpleDateType"] = CqlType.Date,
        ["TimeType"] = CqlType.Time,
        ["TimeUUIDType"] = CqlType.Timeuuid,
        ["TimestampType"] = CqlType.Timestamp,
        ["UTF8Type"] = CqlType.Text,
        ["UUIDType"] = CqlType.Uuid,
    };

    /// <summary>What can't be read becomes a custom type of that name, whose values are bytes.</summary>
    public static CqlType Parse(string name)
    {
        try
        {
            return ParseType(name.AsSpan().Trim(), 0);
        }
        catch (FormatException)
        {
            return CqlType.Custom(name);
        }
    }

    private static CqlType ParseType(ReadOnlySpan<char> text, int depth)
    {
        if (depth > TypeReader.MaxDepth)
            throw new FormatException();
        var open = text.IndexOf('(');
        var name = Short(open < 0 ? text : text[..open]);
        if (Simple.TryGetValue(name, out var simple))
            return simple;
        if (open < 0 || text[^1] != ')')
            throw new FormatException();
        var arguments = Split(text[(open + 1)..^1].ToString());
        CqlType Argument(int i) => i < arguments.Count ? ParseType(arguments[i], depth + 1) : throw new FormatException();
        return name switch
        {
            "FrozenType" or "ReversedType" => Argument(0),
            "ListType" => CqlType.List(Argument(0)),
            "SetType" => CqlType.Set(Argument(0)),
            "MapType" => CqlType.Map(Argument(0), Argument(1)),
            "TupleType" => CqlType.Tuple([.. arguments.Select((_, i) => Argument(i))]),
            "VectorType" when arguments.Count == 2 && int.TryParse(arguments[1], CultureInfo.InvariantCulture, out var dimensions) && dimensions > 0 =>
                CqlType.Vector(Argument(0), dimensions),
            "UserType" when arguments.Count >= 2 => Udt(arguments, depth),
            _ => throw new FormatException(),
        };
    }

    /// <summary><c>keyspace,hex(name),hex(field):type,...</c></summary>
    private static CqlType Udt(List<string> arguments, int depth)
    {
        var fields = new List<(string, CqlType)>();
        foreach (var field in arguments.Skip(2))
        {
            var colon = field.IndexOf(':', StringComparison.Ordinal);
            if (colon < 0)
                throw new FormatException();
            fields.Add((FromHex(field[..colon]), ParseType(field.AsSpan(colon + 1).Trim(), depth + 1)));
        }

        return CqlType.Udt(arguments[0], FromHex(arguments[1]), fields);
    }

    private static string FromHex(string hex) => Encoding.UTF8.GetString(Convert.FromHexString(hex));

    private static string Short(ReadOnlySpan<char> name)
    {
        name = name.Trim();
        return (name.StartsWith(Package) ? name[Package.Length..] : name).ToString();
    }

    /// <summary>Splits at the commas that are in no brackets.</summary>
    private static List<string> Split(string text)
    {
        var (parts, depth, start) = (new List<string>(), 0, 0);
        for (var i = 0; i < text.Length; i++)
        {
            depth += text[i] switch { '(' => 1, ')' => -1, _ => 0 };
            if (text[i] != ',' || depth > 0)
                continue;
            parts.Add(text[start..i].Trim());
            start = i + 1;
        }

        parts.Add(text[start..].Trim());
        return parts;
    }
}
