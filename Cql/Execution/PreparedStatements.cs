using System.Runtime.CompilerServices;
using WhatsAspire.Cql.Cluster;
using WhatsAspire.Cql.Connections;
using WhatsAspire.Cql.Protocol;

namespace WhatsAspire.Cql.Execution;

/// <summary>What the cluster said of each statement, as long as the caller keeps the statement. Callers that need the same one at
/// the same time share one PREPARE.</summary>
internal sealed class PreparedStatements(CqlCluster cluster, CqlOptions options, TimeProvider time)
{
    private readonly ConditionalWeakTable<CqlStatement, Entry> _entries = [];

    /// <summary>Null where it is not prepared yet.</summary>
    public PreparedStatement? Find(CqlStatement statement) =>
        _entries.TryGetValue(statement, out var entry) ? entry.Prepared : null;

    public void Set(CqlStatement statement, PreparedStatement prepared) =>
        _entries.GetValue(statement, static _ => new()).Prepared = prepared;

    /// <summary>Prepares it on some node; the others know it by the same id, or say that they don't.</summary>
    public Task<PreparedStatement> PrepareAsync(CqlStatement statement, CancellationToken cancellationToken)
    {
        var entry = _entries.GetValue(statement, static _ => new());
        Task<PreparedStatement> preparing;
        lock (entry)
            preparing = entry.Preparing ??= PrepareSharedAsync(statement, entry);
        return preparing.WaitAsync(cancellationToken);
    }

    /// <summary>Prepares it on the node that has forgotten it.</summary>
    public async Task<PreparedStatement> PrepareAgainAsync(CqlStatement statement, CqlConnection connection, CancellationToken cancellationToken)
    {
        var prepared = await connection.PrepareAsync(statement.Text, cancellationToken);
        Set(statement, prepared);
        return prepared;
    }

    /// <summary>No caller's cancellation ends it, since others may wait for it too; its own time-out does.</summary>
    private async Task<PreparedStatement> PrepareSharedAsync(CqlStatement statement, Entry entry)
    {
        // Not under the caller's lock.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        using var timeout = new CancellationTokenSource(options.RequestTimeout, time);
        try
        {
            var call = new Call(cluster.Map, [], (uint)Environment.TickCount, keepsOrder: false, options.UseRemoteDatacenters);
            while (call.TryNext(out var node, out var connection))
            {
                try
                {
                    await connection.UseKeyspaceAsync(options.Keyspace, timeout.Token);
                    var prepared = await connection.PrepareAsync(statement.Text, timeout.Token);
                    Set(statement, prepared);
                    return prepared;
                }
                catch (CqlException failure) when (failure is CqlConnectionException or CqlBusyException or CqlOverloadedException or CqlBootstrappingException or CqlServerException)
                {
                    failure.MayHaveBeenApplied = false;
                    call.Failed(node, failure);
                }
            }

            cluster.TrySoon();
            throw call.NoHost(cluster.Errors());
        }
        catch (OperationCanceledException given)
        {
            throw new CqlTimeoutException($"A statement could not be prepared within {options.RequestTimeout}: {statement.Text}", given) { Timeout = options.RequestTimeout };
        }
        finally
        {
            lock (entry)
                entry.Preparing = null;
        }
    }

    private sealed class Entry
    {
        private PreparedStatement? _prepared;

        public PreparedStatement? Prepared
        {
            get => Volatile.Read(ref _prepared);
            set => Volatile.Write(ref _prepared, value);
        }

        public Task<PreparedStatement>? Preparing { get; set; }
    }
}
