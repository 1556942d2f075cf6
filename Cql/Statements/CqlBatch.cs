namespace WhatsAspire.Cql;

/// <summary>How a batch is run.</summary>
public enum CqlBatchKind
{
    /// <summary>All of it takes effect in the end, or nothing.</summary>
    Logged = 0,

    /// <summary>Without that promise across partitions, and so cheaper; within one partition still atomic.</summary>
    Unlogged = 1,

    /// <summary>Of counter updates only.</summary>
    Counter = 2,
}

/// <summary>Several INSERT, UPDATE or DELETE statements as one request.</summary>
public sealed class CqlBatch
{
    /// <param name="commands">1 to 65,535. Their own time-outs, consistencies, paging states and time stamps are not looked at.</param>
    /// <param name="kind">How it is run.</param>
    /// <exception cref="ArgumentException">No commands, or too many.</exception>
    public CqlBatch(IReadOnlyList<CqlCommand> commands, CqlBatchKind kind = CqlBatchKind.Logged)
    {
        ArgumentNullException.ThrowIfNull(commands);
        if (commands.Count is 0 or > ushort.MaxValue)
            throw new ArgumentException($"A batch holds 1 to {ushort.MaxValue} commands, not {commands.Count}.", nameof(commands));
        Commands = commands;
        Kind = kind;
    }

    public CqlBatchKind Kind { get; }

    public IReadOnlyList<CqlCommand> Commands { get; }

    /// <summary>Null: the session's default.</summary>
    public CqlConsistency? Consistency { get; init; }

    /// <summary>For conditional batches. Null: the session's default.</summary>
    public CqlConsistency? SerialConsistency { get; init; }

    /// <summary>See <see cref="CqlStatement.IsIdempotent"/>. The statements' own marks are not looked at.</summary>
    public bool IsIdempotent { get; init; }

    /// <summary>See <see cref="CqlCommand.TimestampMicroseconds"/>.</summary>
    public long? TimestampMicroseconds { get; init; }

    /// <summary>The longest that the call waits, over all tries. Null: the session's default.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>Passed to the server as it is. Null: none.</summary>
    public IReadOnlyDictionary<string, ReadOnlyMemory<byte>>? CustomPayload { get; init; }
}
