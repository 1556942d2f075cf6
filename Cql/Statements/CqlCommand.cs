namespace WhatsAspire.Cql;

/// <summary>A statement with its values, ready to run. Immutable; it may be run more than once.</summary>
public sealed record CqlCommand
{
    internal CqlCommand(CqlStatement statement, ReadOnlyMemory<CqlValue> values)
    {
        Statement = statement;
        Values = values;
    }

    public CqlStatement Statement { get; }

    public ReadOnlyMemory<CqlValue> Values { get; }

    /// <summary>The write's time in microseconds since 1970, which decides between two writes of one cell. Null: the
    /// session's clock, which never gives one value twice; for conditional statements the server's.</summary>
    public long? TimestampMicroseconds { get; init; }

    /// <summary>Where to go on, from <see cref="CqlResult.PagingState"/>. Empty: at the beginning.</summary>
    public ReadOnlyMemory<byte> PagingState { get; init; }

    /// <summary>Passed to the server as it is, for its own query handlers. Null: none.</summary>
    public IReadOnlyDictionary<string, ReadOnlyMemory<byte>>? CustomPayload { get; init; }
}
