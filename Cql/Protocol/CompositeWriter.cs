using System.Buffers.Binary;

namespace WhatsAspire.Cql.Protocol;

/// <summary>Encodes values that are made of values: collections, tuples, user-defined types, vectors.</summary>
internal static class CompositeWriter
{
    public static void WriteContent(ByteWriter writer, in CqlValue value, CqlType type, string column)
    {
        switch (type.Code, value.Kind)
        {
            case (CqlTypeCode.List, CqlValueKind.List):
            case (CqlTypeCode.Set, CqlValueKind.Set):
                WriteElements(writer, value, type, column);
                break;
            case (CqlTypeCode.Map, CqlValueKind.Map):
                WriteEntries(writer, value, type, column);
                break;
            case (CqlTypeCode.Tuple, CqlValueKind.Tuple):
                WriteComponents(writer, value, type, column);
                break;
            case (CqlTypeCode.Udt, CqlValueKind.Udt):
                WriteFields(writer, value, type, column);
                break;
            case (CqlTypeCode.Vector, CqlValueKind.Vector):
                WriteVector(writer, value, type, column);
                break;
            case (CqlTypeCode.Vector, CqlValueKind.FloatVector) when type.Arguments[0].Code == CqlTypeCode.Float:
                var floats = value.AsFloats();
                CheckDimensions(value, floats.Length, type, column);
                foreach (var element in floats)
                    BinaryPrimitives.WriteSingleBigEndian(writer.Append(sizeof(float)), element);
                break;
            default:
                throw ValueWriter.Unfit(value, type, column);
        }
    }

    private static void WriteElements(ByteWriter writer, in CqlValue value, CqlType type, string column)
    {
        var elements = value.AsElements();
        writer.WriteInt32(elements.Length);
        foreach (var element in elements)
            WriteElement(writer, element, type.Arguments[0], column);
    }

    private static void WriteEntries(ByteWriter writer, in CqlValue value, CqlType type, string column)
    {
        var flat = value.AsElements();
        writer.WriteInt32(flat.Length / 2);
        for (var i = 0; i < flat.Length; i++)
            WriteElement(writer, flat[i], type.Arguments[i % 2], column);
    }

    private static void WriteComponents(ByteWriter writer, in CqlValue value, CqlType type, string column)
    {
        var components = value.AsElements();
        if (components.Length != type.Arguments.Count)
            throw ValueWriter.Unfit(value, type, column, $"a tuple of {components.Length}");
        for (var i = 0; i < components.Length; i++)
            WriteComponent(writer, components[i], type.Arguments[i], column);
    }

    private static void WriteFields(ByteWriter writer, in CqlValue value, CqlType type, string column)
    {
        var fields = value.AsFields();
        foreach (var (name, _) in fields)
        {
            if (!type.FieldNames.Contains(name))
                throw ValueWriter.Unfit(value, type, column, $"a value with a field '{name}'");
        }

        for (var i = 0; i < type.FieldNames.Count; i++)
        {
            var name = type.FieldNames[i];
            var field = Array.FindIndex(fields, candidate => candidate.Name == name);
            WriteComponent(writer, field < 0 ? CqlValue.Null : fields[field].Value, type.Arguments[i], $"{column}.{name}");
        }
    }

    private static void WriteVector(ByteWriter writer, in CqlValue value, CqlType type, string column)
    {
        var elements = value.AsElements();
        CheckDimensions(value, elements.Length, type, column);
        var elementType = type.Arguments[0];
        var fixedLength = VectorElements.FixedLength(elementType);
        foreach (var element in elements)
        {
            if (element.Kind <= CqlValueKind.Unset)
                throw ValueWriter.Unfit(element, elementType, column);
            if (fixedLength > 0)
            {
                ValueWriter.WriteContent(writer, element, elementType, column);
                continue;
            }

            // The length's own size depends on its value, so the element is encoded aside.
            using var aside = new ByteWriter();
            ValueWriter.WriteContent(aside, element, elementType, column);
            writer.WriteUnsignedVint((ulong)aside.Length);
            writer.Write(aside.Written);
        }
    }

    private static void CheckDimensions(in CqlValue value, int length, CqlType type, string column)
    {
        if (length != type.Dimensions)
            throw ValueWriter.Unfit(value, type, column, $"a vector of {length}");
    }

    private static void WriteElement(ByteWriter writer, in CqlValue element, CqlType type, string column)
    {
        if (element.Kind <= CqlValueKind.Unset)
            throw ValueWriter.Unfit(element, type, column);
        ValueWriter.Write(writer, element, type, column);
    }

    private static void WriteComponent(ByteWriter writer, in CqlValue component, CqlType type, string column)
    {
        if (component.IsUnset)
            throw ValueWriter.Unfit(component, type, column);
        ValueWriter.Write(writer, component, type, column);
    }
}

/// <summary>Elements of a vector stand side by side where their type has a fixed length, and after their length as an
/// [unsigned vint] where not. Which is which is Cassandra's <c>valueLengthIfFixed</c>: tinyint, smallint, date and time count
/// as variable there.</summary>
internal static class VectorElements
{
    /// <summary>Bytes of an element; 0 where they vary.</summary>
    public static int FixedLength(CqlType type) => type.Code switch
    {
        CqlTypeCode.Boolean => 1,
        CqlTypeCode.Int or CqlTypeCode.Float => 4,
        CqlTypeCode.Bigint or CqlTypeCode.Double or CqlTypeCode.Timestamp => 8,
        CqlTypeCode.Uuid or CqlTypeCode.Timeuuid => 16,
        CqlTypeCode.Vector => FixedLength(type.Arguments[0]) * type.Dimensions,
        _ => 0,
    };
}
