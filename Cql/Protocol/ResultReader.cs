namespace WhatsAspire.Cql.Protocol;

/// <summary>What kind of result (section 4.2.5).</summary>
internal enum ResultKind
{
    Void = 1,
    Rows = 2,
    SetKeyspace = 3,
    Prepared = 4,
    SchemaChange = 5,
}

/// <summary>Reads RESULT messages (section 4.2.5).</summary>
internal static class ResultReader
{
    private const int GlobalTableFlag = 0x0001;
    private const int HasMorePagesFlag = 0x0002;
    private const int NoMetadataFlag = 0x0004;
    private const int MetadataChangedFlag = 0x0008;

    /// <param name="response">A RESULT.</param>
    /// <param name="version">The protocol's.</param>
    /// <param name="prepared">What was run, if it was prepared.</param>
    /// <param name="kind">What it is.</param>
    /// <param name="changed">The statement with the new columns of its result, where the server says that they have changed.</param>
    public static CqlResult Read(Response response, int version, PreparedStatement? prepared, out ResultKind kind, out PreparedStatement? changed)
    {
        changed = null;
        var reader = response.Open(out var warnings, out var customPayload);
        kind = (ResultKind)reader.Int32();
        if (kind == ResultKind.Rows)
            return ReadRows(ref reader, response.Body, version, prepared, warnings, customPayload, out changed);
        return warnings.Count == 0 && customPayload is null
            ? CqlResult.Void
            : new(ColumnSet.Empty, [], [], 0) { Warnings = warnings, CustomPayload = customPayload };
    }

    public static PreparedStatement ReadPrepared(Response response, int version)
    {
        var reader = response.Open();
        if ((ResultKind)reader.Int32() != ResultKind.Prepared)
            throw new CqlProtocolException("The answer to PREPARE is another result.");
        var id = reader.ShortBytes().ToArray();
        var resultId = version >= 5 ? reader.ShortBytes().ToArray() : [];
        var flags = reader.Int32();
        var markers = reader.Count(leastBytesEach: 0);
        var partitionKey = new int[reader.Count(leastBytesEach: sizeof(ushort))];
        for (var i = 0; i < partitionKey.Length; i++)
            partitionKey[i] = reader.UInt16();
        var columns = ReadColumns(ref reader, flags, markers);
        if (Array.Exists(partitionKey, marker => marker >= columns.Length))
            throw new CqlProtocolException("A partition key refers to a marker that does not exist.");

        flags = reader.Int32();
        var results = reader.Count(leastBytesEach: 0);
        var result = (flags & NoMetadataFlag) != 0 ? [] : ReadColumns(ref reader, flags, results);
        return new(id, resultId, columns, partitionKey, new(result));
    }

    private static CqlResult ReadRows(ref ByteReader reader, byte[] body, int version, PreparedStatement? prepared,
        IReadOnlyList<string> warnings, IReadOnlyDictionary<string, ReadOnlyMemory<byte>>? customPayload, out PreparedStatement? changed)
    {
        changed = null;
        var flags = reader.Int32();
        var columnCount = reader.Count(leastBytesEach: 0);
        var pagingState = (flags & HasMorePagesFlag) != 0 && reader.TryBytes(out var state) ? state.ToArray() : [];
        var newId = version >= 5 && (flags & MetadataChangedFlag) != 0 ? reader.ShortBytes().ToArray() : null;
        ColumnSet columns;
        if ((flags & NoMetadataFlag) != 0)
        {
            columns = prepared?.Result ?? ColumnSet.Empty;
            if (columns.Count != columnCount)
                throw new CqlProtocolException($"Rows have {columnCount} columns, and the statement {columns.Count}.");
        }
        else
        {
            columns = new(ReadColumns(ref reader, flags, columnCount));
            if (newId is not null && prepared is not null)
                changed = prepared with { ResultMetadataId = newId, Result = columns };
        }

        var rows = reader.Count(leastBytesEach: columnCount * sizeof(int));
        return new(columns, body, FindCells(ref reader, rows, columnCount), rows)
        {
            PagingState = pagingState,
            Warnings = warnings,
            CustomPayload = customPayload,
        };
    }

    private static int[] FindCells(ref ByteReader reader, int rows, int columns)
    {
        var cells = columns == 0 ? [] : GC.AllocateUninitializedArray<int>(checked(rows * columns));
        for (var i = 0; i < cells.Length; i++)
        {
            cells[i] = reader.Position;
            reader.TryBytes(out _);
        }

        return cells;
    }

    private static CqlColumn[] ReadColumns(ref ByteReader reader, int flags, int count)
    {
        var isGlobal = (flags & GlobalTableFlag) != 0;
        var (keyspace, table) = isGlobal ? (reader.String(), reader.String()) : ("", "");
        // A column takes 4 bytes at least: a name and a type.
        if (count * 4L > reader.Remaining)
            throw new CqlProtocolException($"{count} columns do not fit {reader.Remaining} bytes.");
        var columns = new CqlColumn[count];
        for (var i = 0; i < count; i++)
        {
            if (!isGlobal)
                (keyspace, table) = (reader.String(), reader.String());
            var name = reader.String();
            columns[i] = new(name, TypeReader.Read(ref reader), keyspace, table);
        }

        return columns;
    }
}
