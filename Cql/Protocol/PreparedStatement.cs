namespace WhatsAspire.Cql.Protocol;

/// <summary>What the server said of a statement when it was prepared. Immutable.</summary>
/// <param name="Id">By which the server knows it: the same on all nodes.</param>
/// <param name="ResultMetadataId">Protocol v5: a digest of the result's columns, by which server and client notice that they have changed.</param>
/// <param name="Markers">What the values must be.</param>
/// <param name="PartitionKey">Which markers make up the partition key, in its order; empty where they don't.</param>
/// <param name="Result">The columns of its result; empty for anything but SELECT.</param>
internal sealed record PreparedStatement(byte[] Id, byte[] ResultMetadataId, CqlColumn[] Markers, int[] PartitionKey, ColumnSet Result)
{
    /// <summary>Of the table; empty where the statement has no markers.</summary>
    public string Keyspace => Markers.Length > 0 ? Markers[0].Keyspace : Result.Count > 0 ? Result.Columns[0].Keyspace : "";

    public string Table => Markers.Length > 0 ? Markers[0].Table : Result.Count > 0 ? Result.Columns[0].Table : "";

    /// <summary>Before version 5 nobody would notice that the columns have changed.</summary>
    public bool CanSkipMetadata(int version) => version >= 5 && Result.Count > 0;

    /// <summary>The number of values, and the values.</summary>
    /// <exception cref="ArgumentException">Too few or too many, or one doesn't fit.</exception>
    public void WriteValues(ByteWriter writer, ReadOnlySpan<CqlValue> values)
    {
        if (values.Length != Markers.Length)
            throw new ArgumentException($"{values.Length} values are bound to the statement's {Markers.Length} markers ({string.Join(", ", Markers.Select(marker => marker.Name))}).");
        writer.WriteUInt16(values.Length);
        for (var i = 0; i < values.Length; i++)
            ValueWriter.Write(writer, values[i], Markers[i].Type, Markers[i].Name);
    }

    /// <summary>Writes the partition key as Cassandra hashes it: the value itself, or, where it has several parts, each with its
    /// length in two bytes before it and a zero behind it.</summary>
    /// <returns>False where the statement doesn't say which partition it is about.</returns>
    public bool TryWritePartitionKey(ByteWriter writer, ReadOnlySpan<CqlValue> values)
    {
        if (PartitionKey.Length == 0)
            return false;
        foreach (var marker in PartitionKey)
        {
            // Too few values, or none where one must be: WriteValues says so, or the server.
            if (marker >= values.Length || values[marker].IsNull || values[marker].IsUnset)
                return false;
            var begin = writer.Length;
            if (PartitionKey.Length > 1)
                writer.WriteUInt16(0);
            var content = writer.Length;
            ValueWriter.WriteContent(writer, values[marker], Markers[marker].Type, Markers[marker].Name);
            if (PartitionKey.Length == 1)
                break;
            var length = writer.Length - content;
            if (length > ushort.MaxValue)
                return false;
            System.Buffers.Binary.BinaryPrimitives.WriteUInt16BigEndian(writer.At(begin), (ushort)length);
            writer.WriteByte(0);
        }

        return true;
    }
}
