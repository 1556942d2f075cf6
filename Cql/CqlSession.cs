using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging;

namespace WhatsAspire.Cql;

/// <summary>A session with a cluster.</summary>
public sealed class CqlSession : ICqlSession, IAsyncDisposable
{
    public CqlSession(CqlOptions options, ILoggerFactory? loggers = null, IMeterFactory? meters = null, TimeProvider? time = null)
    {
    }

    public Task<CqlResult> ExecuteAsync(CqlCommand command, CancellationToken cancellationToken = default) =>
        throw new NotImplementedException();

    public Task<CqlResult> ExecuteAsync(CqlBatch batch, CancellationToken cancellationToken = default) =>
        throw new NotImplementedException();

    public IAsyncEnumerable<CqlRow> QueryAsync(CqlCommand command, CancellationToken cancellationToken = default) =>
        throw new NotImplementedException();

    public ValueTask DisposeAsync() => default;
}
