namespace WhatsAspire.Cql;

/// <summary>The text of a statement and how it is run. Made once and kept, in a static field for example: a session prepares
/// it on first use, and remembers what the server said by reference. Thread-safe.</summary>
/// <param name="text">One CQL statement, with <c>?</c> or <c>:name</c> where values go. Names of tables without a keyspace
/// belong to the session's keyspace. SELECT, INSERT, UPDATE, DELETE and BATCH are prepared; anything else, such as
/// CREATE TABLE, is sent as it is and takes no values.</param>
public sealed class CqlStatement(string text)
{
    private readonly StatementText _parsed = StatementText.Parse(text);

    public string Text { get; } = text;

    /// <summary>Null: the session's default.</summary>
    public CqlConsistency? Consistency { get; init; }

    /// <summary><see cref="CqlConsistency.Serial"/> or <see cref="CqlConsistency.LocalSerial"/>, for conditional statements.
    /// Null: the session's default.</summary>
    public CqlConsistency? SerialConsistency { get; init; }

    /// <summary>Running it twice is the same as running it once: it may be tried again on another node after an error that
    /// leaves its outcome open, and on a second node while the first is slow. False for counters, for appending to lists,
    /// for <c>now()</c>, and for conditional statements whose second run would see the first.</summary>
    public bool IsIdempotent { get; init; }

    /// <summary>Rows in a page, 1 or more. Null: the session's default.</summary>
    public int? PageSize { get; init; }

    /// <summary>The longest that a call waits, over all tries. Null: the session's default.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>The statement with values for its markers, in their order. They are checked against the columns' types when
    /// the command is run, since only the server knows those.</summary>
    public CqlCommand Bind(params ReadOnlySpan<CqlValue> values) => new(this, values.ToArray());

    /// <summary>The first word in capitals: SELECT, INSERT, CREATE...</summary>
    internal string Operation => _parsed.Operation;

    internal bool IsPrepared => _parsed.IsDataManipulation;

    internal bool IsRead => _parsed.IsRead;

    internal bool IsConditional => _parsed.IsConditional;

    public override string ToString() => Text;
}
