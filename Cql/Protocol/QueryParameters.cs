namespace WhatsAspire.Cql.Protocol;

/// <summary>How a statement or a batch is to be run (sections 4.1.4 and 4.1.7).</summary>
internal readonly record struct QueryParameters(CqlConsistency Consistency)
{
    private const int ValuesFlag = 0x01;
    private const int SkipMetadataFlag = 0x02;
    private const int PageSizeFlag = 0x04;
    private const int PagingStateFlag = 0x08;
    private const int SerialConsistencyFlag = 0x10;
    private const int TimestampFlag = 0x20;

    /// <summary>Null: not sent.</summary>
    public CqlConsistency? SerialConsistency { get; init; }

    /// <summary>0: not sent.</summary>
    public int PageSize { get; init; }

    public ReadOnlyMemory<byte> PagingState { get; init; }

    /// <summary>Microseconds since 1970; null: the server's time.</summary>
    public long? Timestamp { get; init; }

    public IReadOnlyDictionary<string, ReadOnlyMemory<byte>>? CustomPayload { get; init; }

    /// <summary>Consistency and flags. The values follow, then <see cref="WriteRest"/>.</summary>
    public void Write(ByteWriter writer, int version, bool hasValues, bool skipMetadata)
    {
        writer.WriteUInt16((int)Consistency);
        WriteFlags(writer, version, CommonFlags
            | (hasValues ? ValuesFlag : 0)
            | (skipMetadata ? SkipMetadataFlag : 0)
            | (PageSize > 0 ? PageSizeFlag : 0)
            | (PagingState.IsEmpty ? 0 : PagingStateFlag));
    }

    public void WriteRest(ByteWriter writer)
    {
        if (PageSize > 0)
            writer.WriteInt32(PageSize);
        if (!PagingState.IsEmpty)
            writer.WriteBytes(PagingState.Span);
        WriteCommon(writer);
    }

    public void WriteForBatch(ByteWriter writer, int version)
    {
        writer.WriteUInt16((int)Consistency);
        WriteFlags(writer, version, CommonFlags);
        WriteCommon(writer);
    }

    private int CommonFlags => (SerialConsistency is null ? 0 : SerialConsistencyFlag) | (Timestamp is null ? 0 : TimestampFlag);

    /// <summary>Version 5 widened them.</summary>
    private static void WriteFlags(ByteWriter writer, int version, int flags)
    {
        if (version >= 5)
            writer.WriteInt32(flags);
        else
            writer.WriteByte((byte)flags);
    }

    private void WriteCommon(ByteWriter writer)
    {
        if (SerialConsistency is { } serial)
            writer.WriteUInt16((int)serial);
        if (Timestamp is { } timestamp)
            writer.WriteInt64(timestamp);
    }
}
