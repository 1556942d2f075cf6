using Microsoft.Extensions.Logging;
using WhatsAspire.Cql.Connections;

namespace WhatsAspire.Cql.Cluster;

/// <summary>The connections to one node. It keeps their number: what breaks is replaced, at once the first time and then with
/// growing waits. A node is up while it has one connection.</summary>
internal sealed class NodePool : IAsyncDisposable
{
    private readonly Node _node;
    private readonly CqlOptions _options;
    private readonly ConnectionFactory _factory;
    private readonly CqlMetrics _metrics;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Action<Node> _onDown;
    private readonly Lock _gate = new();
    private readonly Wakeup _wakeup = new();
    private readonly CancellationTokenSource _stopping = new();
    private readonly TaskCompletionSource _firstAttempt = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Task _maintaining;
    private CqlConnection[] _connections = [];
    private Exception? _lastError;
    private long _triedAt;

    public NodePool(Node node, CqlOptions options, ConnectionFactory factory, CqlMetrics metrics, TimeProvider time, ILogger logger, Action<Node> onDown)
    {
        (_node, _options, _factory, _metrics, _time, _logger, _onDown) = (node, options, factory, metrics, time, logger, onDown);
        _maintaining = MaintainAsync();
    }

    /// <summary>Also false between the end of the last connection and its removal here.</summary>
    public bool IsUp => Array.Exists(Volatile.Read(ref _connections), connection => connection.IsOpen);

    public int OpenConnections => Volatile.Read(ref _connections).Length;

    /// <summary>Ends when the first connection was made or could not be.</summary>
    public Task FirstAttempt => _firstAttempt.Task;

    /// <summary>Why there is no connection; null where nothing has gone wrong yet.</summary>
    public Exception? LastError => Array.Find(Volatile.Read(ref _connections), connection => !connection.IsOpen)?.Reason ?? _lastError;

    public int InFlight
    {
        get
        {
            var sum = 0;
            foreach (var connection in Volatile.Read(ref _connections))
                sum += connection.InFlight;
            return sum;
        }
    }

    /// <returns>The connection with the fewest requests; null where there is none.</returns>
    public CqlConnection? Pick()
    {
        CqlConnection? best = null;
        foreach (var connection in Volatile.Read(ref _connections))
        {
            if (connection.IsOpen && (best is null || connection.InFlight < best.InFlight))
                best = connection;
        }

        return best;
    }

    /// <summary>There is reason to believe that the node can be reached: no more waiting.</summary>
    public void TryNow() => _wakeup.Set();

    /// <summary>A caller could not be served: a wait that has grown ends at the shortest one's length, so that a node that is
    /// back serves at once, however long it was away.</summary>
    public void TrySoon()
    {
        if (!IsUp && _time.GetElapsedTime(Interlocked.Read(ref _triedAt)) >= _options.ReconnectDelay)
            TryNow();
    }

    /// <summary>Somebody says that the node is down: asks each connection for a sign of life.</summary>
    public void Doubt()
    {
        foreach (var connection in Volatile.Read(ref _connections))
            _ = connection.ProbeAsync(TimeSpan.Zero);
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _maintaining;
        CqlConnection[] connections;
        lock (_gate)
            (connections, _connections) = (_connections, []);
        foreach (var connection in connections)
        {
            _metrics.Connections(-1);
            await connection.DisposeAsync();
        }

        if (connections.Length > 0)
            _metrics.NodesUp(-1);
        _stopping.Dispose();
    }

    private async Task MaintainAsync()
    {
        // Not on the constructor's thread.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        var backoff = new Backoff(_options.ReconnectDelay, _options.MaxReconnectDelay);
        try
        {
            while (true)
            {
                if (OpenConnections >= _options.ConnectionsPerNode)
                {
                    await _wakeup.WaitAsync(Timeout.InfiniteTimeSpan, _time, _stopping.Token);
                    continue;
                }

                if (await TryAddAsync())
                {
                    backoff.Reset();
                    continue;
                }

                Interlocked.Exchange(ref _triedAt, _time.GetTimestamp());
                var delay = backoff.Next();
                _logger.NodeUnreachable(_node.EndPoint, delay, LastError?.Message ?? "");
                if (await _wakeup.WaitAsync(delay, _time, _stopping.Token))
                    backoff.Reset();
            }
        }
        catch (Exception) when (_stopping.IsCancellationRequested)
        {
        }
        finally
        {
            _firstAttempt.TrySetResult();
        }
    }

    private async Task<bool> TryAddAsync()
    {
        try
        {
            var connection = await _factory.ConnectAsync(_node.EndPoint, _node.Info.HostName, _stopping.Token);
            try
            {
                using var timeout = new CancellationTokenSource(_options.ConnectTimeout, _time);
                await connection.UseKeyspaceAsync(_options.Keyspace, timeout.Token);
            }
            catch
            {
                await connection.DisposeAsync();
                throw;
            }

            Add(connection);
            return true;
        }
        catch (Exception failure) when (!_stopping.IsCancellationRequested)
        {
            _lastError = failure;
            return false;
        }
        finally
        {
            _firstAttempt.TrySetResult();
        }
    }

    private void Add(CqlConnection connection)
    {
        bool isFirst;
        lock (_gate)
        {
            isFirst = _connections.Length == 0;
            Volatile.Write(ref _connections, [.. _connections, connection]);
        }

        _lastError = null;
        _metrics.Connections(1);
        _ = WatchAsync(connection);
        if (!isFirst)
            return;
        _metrics.NodesUp(1);
        _logger.NodeUp(_node.EndPoint);
    }

    /// <summary>Keeps a connection alive by asking for signs of life while it is silent, and drops it when it has ended.</summary>
    private async Task WatchAsync(CqlConnection connection)
    {
        await using (var heartbeat = _time.CreateTimer(state => _ = ((CqlConnection)state!).ProbeAsync(_options.HeartbeatInterval),
            connection, _options.HeartbeatInterval, _options.HeartbeatInterval))
            await connection.Closed;
        Remove(connection);
    }

    private void Remove(CqlConnection connection)
    {
        bool isLast;
        lock (_gate)
        {
            var rest = Array.FindAll(_connections, other => other != connection);
            if (rest.Length == _connections.Length)
                return;
            isLast = rest.Length == 0;
            Volatile.Write(ref _connections, rest);
        }

        _lastError = connection.Reason;
        _metrics.Connections(-1);
        _metrics.ConnectionFailed();
        _logger.ConnectionEnded(_node.EndPoint, connection.Reason?.Message ?? "");
        if (isLast)
        {
            _metrics.NodesUp(-1);
            _logger.NodeDown(_node.EndPoint, connection.Reason?.Message ?? "");
            _onDown(_node);
        }

        _wakeup.Set();
    }
}
