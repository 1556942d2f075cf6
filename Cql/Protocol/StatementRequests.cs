namespace WhatsAspire.Cql.Protocol;

/// <summary>A request that a caller asked for: what it is, and how it may be treated.</summary>
internal abstract class StatementRequest : Request
{
    /// <summary>SELECT, INSERT, BATCH, CREATE...</summary>
    public required string Operation { get; init; }

    public required bool IsRead { get; init; }

    public required bool IsConditional { get; init; }

    /// <summary>May be run twice; reads always.</summary>
    public required bool IsIdempotent { get; init; }

    public required QueryParameters Parameters { get; init; }

    public override IReadOnlyDictionary<string, ReadOnlyMemory<byte>>? CustomPayload => Parameters.CustomPayload;

    /// <summary>The statement whose columns the result has; null for batches and for what is not prepared.</summary>
    public virtual PreparedStatement? PreparedResult => null;

    /// <summary>Writes the partition key and says the keyspace; false where the statement doesn't tell.</summary>
    public virtual bool TryWriteRoutingKey(ByteWriter writer, out string keyspace)
    {
        keyspace = "";
        return false;
    }

    /// <summary>A copy, so that two tries at once don't share what is prepared anew.</summary>
    public StatementRequest Clone() => (StatementRequest)MemberwiseClone();
}

/// <summary>A statement that is not prepared, without values.</summary>
internal sealed class QueryRequest(string text) : StatementRequest
{
    public override Opcode Opcode => Opcode.Query;

    public override void Write(ByteWriter writer, int version)
    {
        writer.WriteLongString(text);
        Parameters.Write(writer, version, hasValues: false, skipMetadata: false);
        Parameters.WriteRest(writer);
    }
}

/// <summary>A prepared statement with its values (section 4.1.6).</summary>
internal sealed class ExecuteRequest(CqlCommand command, PreparedStatement prepared) : StatementRequest
{
    public CqlStatement Statement => command.Statement;

    public PreparedStatement Prepared { get; set; } = prepared;

    public override PreparedStatement PreparedResult => Prepared;

    public override Opcode Opcode => Opcode.Execute;

    public override void Write(ByteWriter writer, int version)
    {
        var values = command.Values.Span;
        writer.WriteShortBytes(Prepared.Id);
        if (version >= 5)
            writer.WriteShortBytes(Prepared.ResultMetadataId);
        var hasValues = values.Length > 0 || Prepared.Markers.Length > 0;
        Parameters.Write(writer, version, hasValues, Prepared.CanSkipMetadata(version));
        if (hasValues)
            Prepared.WriteValues(writer, values);
        Parameters.WriteRest(writer);
    }

    public override bool TryWriteRoutingKey(ByteWriter writer, out string keyspace)
    {
        keyspace = Prepared.Keyspace;
        return Prepared.TryWritePartitionKey(writer, command.Values.Span);
    }
}

/// <summary>Prepared statements with their values, as one (section 4.1.7).</summary>
internal sealed class BatchRequest(CqlBatch batch, PreparedStatement[] prepared) : StatementRequest
{
    private const byte PreparedKind = 1;

    public IReadOnlyList<CqlCommand> Commands => batch.Commands;

    /// <summary>In the commands' order.</summary>
    public PreparedStatement[] Prepared { get; set; } = prepared;

    public override Opcode Opcode => Opcode.Batch;

    public override void Write(ByteWriter writer, int version)
    {
        writer.WriteByte((byte)batch.Kind);
        writer.WriteUInt16(Commands.Count);
        for (var i = 0; i < Commands.Count; i++)
        {
            writer.WriteByte(PreparedKind);
            writer.WriteShortBytes(Prepared[i].Id);
            Prepared[i].WriteValues(writer, Commands[i].Values.Span);
        }

        Parameters.WriteForBatch(writer, version);
    }

    /// <summary>The first command that tells decides: where it matters, all are of one partition.</summary>
    public override bool TryWriteRoutingKey(ByteWriter writer, out string keyspace)
    {
        for (var i = 0; i < Commands.Count; i++)
        {
            keyspace = Prepared[i].Keyspace;
            if (Prepared[i].TryWritePartitionKey(writer, Commands[i].Values.Span))
                return true;
            writer.Clear();
        }

        keyspace = "";
        return false;
    }
}
