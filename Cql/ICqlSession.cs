namespace WhatsAspire.Cql;

/// <summary>What a store needs of Cassandra: run one statement, run a batch, read all pages. Thread-safe; one session serves
/// a whole process.</summary>
/// <remarks>
/// Calls fail with a <see cref="CqlException"/>, whose <see cref="CqlException.MayHaveBeenApplied"/> says whether a write may
/// have taken effect; with an <see cref="ArgumentException"/> where the values don't fit the statement, before anything is sent;
/// and with an <see cref="OperationCanceledException"/> where the caller's token asked for it. After such a cancellation a write
/// may have taken effect or may still do.
/// Two calls that are in flight together have no order between them. A call that begins after another one has completed sees
/// what that one wrote as far as the consistency levels promise it.
/// </remarks>
public interface ICqlSession
{
    /// <summary>Runs one statement and gives its result, or its first page.</summary>
    Task<CqlResult> ExecuteAsync(CqlCommand command, CancellationToken cancellationToken = default);

    /// <summary>Runs a batch as one request.</summary>
    Task<CqlResult> ExecuteAsync(CqlBatch batch, CancellationToken cancellationToken = default);

    /// <summary>Reads all pages; the next page is asked for while the rows of the one before are read. At most two pages are
    /// held. Each page is a request of its own: it has its own time-out, and rows written meanwhile may or may not appear.</summary>
    IAsyncEnumerable<CqlRow> QueryAsync(CqlCommand command, CancellationToken cancellationToken = default);
}
