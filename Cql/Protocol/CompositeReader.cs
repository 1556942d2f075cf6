using System.Buffers.Binary;

namespace WhatsAspire.Cql.Protocol;

/// <summary>Decodes values that are made of values.</summary>
internal static class CompositeReader
{
    public static object Object(ReadOnlyMemory<byte> bytes, CqlType type, string name)
    {
        var reader = new ByteReader(bytes.Span);
        return type.Code switch
        {
            CqlTypeCode.List or CqlTypeCode.Set => Elements(ref reader, bytes, type, name),
            CqlTypeCode.Map => Entries(ref reader, bytes, type, name),
            CqlTypeCode.Tuple => Components(ref reader, bytes, type, name),
            CqlTypeCode.Udt => Fields(ref reader, bytes, type, name),
            CqlTypeCode.Vector when type.Arguments[0].Code == CqlTypeCode.Float => Floats(ref reader, type),
            CqlTypeCode.Vector => Vector(ref reader, bytes, type, name),
            _ => throw new InvalidCastException($"Column '{name}' is {type}, which this client can't read."),
        };
    }

    private static object?[] Elements(ref ByteReader reader, ReadOnlyMemory<byte> bytes, CqlType type, string name)
    {
        var elements = new object?[reader.Count(sizeof(int))];
        for (var i = 0; i < elements.Length; i++)
            elements[i] = Next(ref reader, bytes, type.Arguments[0], name);
        return elements;
    }

    private static Dictionary<object, object?> Entries(ref ByteReader reader, ReadOnlyMemory<byte> bytes, CqlType type, string name)
    {
        var count = reader.Count(2 * sizeof(int));
        var entries = new Dictionary<object, object?>(count);
        for (var i = 0; i < count; i++)
        {
            var key = Next(ref reader, bytes, type.Arguments[0], name)
                ?? throw new CqlProtocolException($"Column '{name}' has a map with a null key.");
            entries[key] = Next(ref reader, bytes, type.Arguments[1], name);
        }

        return entries;
    }

    /// <summary>Components that are missing at the end were added to the type after the value was written: null.</summary>
    private static object?[] Components(ref ByteReader reader, ReadOnlyMemory<byte> bytes, CqlType type, string name)
    {
        var components = new object?[type.Arguments.Count];
        for (var i = 0; i < components.Length && reader.Remaining > 0; i++)
            components[i] = Next(ref reader, bytes, type.Arguments[i], name);
        return components;
    }

    private static Dictionary<string, object?> Fields(ref ByteReader reader, ReadOnlyMemory<byte> bytes, CqlType type, string name)
    {
        var fields = new Dictionary<string, object?>(type.FieldNames.Count, StringComparer.Ordinal);
        for (var i = 0; i < type.FieldNames.Count; i++)
            fields[type.FieldNames[i]] = reader.Remaining > 0 ? Next(ref reader, bytes, type.Arguments[i], name) : null;
        return fields;
    }

    private static float[] Floats(ref ByteReader reader, CqlType type)
    {
        var bytes = reader.Take(checked(type.Dimensions * sizeof(float)));
        var floats = new float[type.Dimensions];
        for (var i = 0; i < floats.Length; i++)
            floats[i] = BinaryPrimitives.ReadSingleBigEndian(bytes[(i * sizeof(float))..]);
        return floats;
    }

    private static object?[] Vector(ref ByteReader reader, ReadOnlyMemory<byte> bytes, CqlType type, string name)
    {
        var elementType = type.Arguments[0];
        var fixedLength = VectorElements.FixedLength(elementType);
        if (type.Dimensions > reader.Remaining)
            throw new CqlProtocolException($"Column '{name}' holds fewer than {type.Dimensions} elements.");
        var elements = new object?[type.Dimensions];
        for (var i = 0; i < elements.Length; i++)
        {
            var length = fixedLength > 0 ? fixedLength : (int)Math.Min(reader.UnsignedVint(), int.MaxValue);
            var start = reader.Position;
            reader.Take(length);
            elements[i] = ValueReader.Object(bytes.Slice(start, length), elementType, name);
        }

        return elements;
    }

    private static object? Next(ref ByteReader reader, ReadOnlyMemory<byte> bytes, CqlType type, string name) =>
        reader.TryBytes(out var value) ? ValueReader.Object(bytes.Slice(reader.Position - value.Length, value.Length), type, name) : null;
}
