namespace WhatsAspire.Cql.Protocol;

/// <summary>Reads the type of a column, an [option] (section 4.2.5.2).</summary>
internal static class TypeReader
{
    /// <summary>Types within types; far more than anybody declares, few enough for the stack.</summary>
    public const int MaxDepth = 32;

    public static CqlType Read(ref ByteReader reader, int depth = 0)
    {
        if (depth > MaxDepth)
            throw new CqlProtocolException($"A type is nested more than {MaxDepth} times.");
        var code = reader.UInt16();
        switch ((CqlTypeCode)code)
        {
            case CqlTypeCode.Custom:
                return MarshalTypeName.Parse(reader.String());
            case CqlTypeCode.List:
                return CqlType.List(Read(ref reader, depth + 1));
            case CqlTypeCode.Set:
                return CqlType.Set(Read(ref reader, depth + 1));
            case CqlTypeCode.Map:
                var key = Read(ref reader, depth + 1);
                return CqlType.Map(key, Read(ref reader, depth + 1));
            case CqlTypeCode.Udt:
                return ReadUdt(ref reader, depth);
            case CqlTypeCode.Tuple:
                return ReadTuple(ref reader, depth);
            default:
                return CqlType.Find(code) ?? throw new CqlProtocolException($"Type 0x{code:X4} is unknown.");
        }
    }

    private static CqlType ReadUdt(ref ByteReader reader, int depth)
    {
        var (keyspace, name) = (reader.String(), reader.String());
        var fields = new List<(string, CqlType)>();
        for (var left = reader.UInt16(); left > 0; left--)
        {
            var field = reader.String();
            fields.Add((field, Read(ref reader, depth + 1)));
        }

        return CqlType.Udt(keyspace, name, fields);
    }

    private static CqlType ReadTuple(ref ByteReader reader, int depth)
    {
        var components = new List<CqlType>();
        for (var left = reader.UInt16(); left > 0; left--)
            components.Add(Read(ref reader, depth + 1));
        return CqlType.Tuple(components);
    }
}
