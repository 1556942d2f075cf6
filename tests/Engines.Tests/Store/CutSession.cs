using System.Runtime.CompilerServices;
using WhatsAspire.Cql;

namespace WhatsAspire.Engines.Tests.Store;

/// <summary>A session of a process that dies at its n-th request: before it is sent, or after it was answered and before the
/// answer is heard. Nothing gets through any more from then on.</summary>
internal sealed class CutSession(ICqlSession inner, int dieAt, bool afterwards) : ICqlSession
{
    private int _requests;

    /// <summary>It did die: the n-th request came.</summary>
    public bool IsDead => Volatile.Read(ref _requests) >= dieAt;

    public Task<CqlResult> ExecuteAsync(CqlCommand command, CancellationToken cancellationToken = default) =>
        CutAsync(() => inner.ExecuteAsync(command, cancellationToken));

    public Task<CqlResult> ExecuteAsync(CqlBatch batch, CancellationToken cancellationToken = default) =>
        CutAsync(() => inner.ExecuteAsync(batch, cancellationToken));

    public async IAsyncEnumerable<CqlRow> QueryAsync(
        CqlCommand command, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        await CutAsync(() => Task.FromResult(0));
        await foreach (var row in inner.QueryAsync(command, cancellationToken)) yield return row;
    }

    private async Task<T> CutAsync<T>(Func<Task<T>> request)
    {
        var number = Interlocked.Increment(ref _requests);
        if (number < dieAt) return await request();
        if (number == dieAt && afterwards) await request();
        throw new CqlConnectionException("the process is dead");
    }
}
