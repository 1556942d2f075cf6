using System.Net;
using Microsoft.Extensions.Logging;
using WhatsAspire.Cql.Connections;
using WhatsAspire.Cql.Protocol;

namespace WhatsAspire.Cql.Cluster;

/// <summary>Knows the nodes of a cluster and keeps connections to them. One connection of its own, the control connection, hears
/// of changes; when it breaks, another node is asked.</summary>
internal sealed class CqlCluster : IAsyncDisposable
{
    /// <summary>Events come in bursts, and a bit before the node can be reached (section 4.2.6).</summary>
    private static readonly TimeSpan RefreshDelay = TimeSpan.FromSeconds(1);

    private readonly CqlOptions _options;
    private readonly CqlMetrics _metrics;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly ConnectionFactory _factory;
    private readonly Wakeup _wakeup = new();
    private readonly CancellationTokenSource _stopping = new();
    private readonly TaskCompletionSource _firstAttempt = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Dictionary<string, Exception> _unreachable = [];
    private readonly Task _running;
    private ClusterMap _map = ClusterMap.Empty;
    private CqlConnection? _control;
    private bool _isStale;
    private long _triedAt;

    public CqlCluster(CqlOptions options, CqlMetrics metrics, TimeProvider time, ILogger logger)
    {
        (_options, _metrics, _time, _logger) = (options, metrics, time, logger);
        _factory = new(options, metrics, time);
        _running = RunAsync();
    }

    public ClusterMap Map => Volatile.Read(ref _map);

    /// <summary>Ends once it is known whether any node can be reached.</summary>
    public Task FirstAttempt => _firstAttempt.Task;

    public bool IsConnected => Map.Nodes.Any(node => node.IsUp);

    /// <summary>The node that tells of changes; null while there is none.</summary>
    public IPEndPoint? ControlNode => Volatile.Read(ref _control) is { IsOpen: true } control ? control.Node : null;

    /// <summary>Why nodes can't be reached, by their address.</summary>
    public IReadOnlyDictionary<string, Exception> Errors()
    {
        var errors = new Dictionary<string, Exception>();
        lock (_unreachable)
        {
            foreach (var (point, error) in _unreachable)
                errors[point] = error;
        }

        foreach (var node in Map.Nodes)
        {
            if (node.Pool is { IsUp: false, LastError: { } error })
                errors[node.ToString()] = error;
        }

        return errors;
    }

    /// <summary>A caller found no node: those that can't be reached are tried again before their time.</summary>
    public void TrySoon()
    {
        foreach (var node in Map.Nodes)
            node.Pool?.TrySoon();
        if (_control is not { IsOpen: true } && _time.GetElapsedTime(Interlocked.Read(ref _triedAt)) >= _options.ReconnectDelay)
            _wakeup.Set();
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _running;
        if (_control is { } control)
            await control.DisposeAsync();
        await Task.WhenAll(Map.Nodes.Select(node => node.Pool?.DisposeAsync().AsTask() ?? Task.CompletedTask));
        _stopping.Dispose();
    }

    private async Task RunAsync()
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        var backoff = new Backoff(_options.ReconnectDelay, _options.MaxReconnectDelay);
        try
        {
            while (true)
            {
                if (_control is { IsOpen: true })
                {
                    await FollowAsync(_control);
                    continue;
                }

                if (await TryConnectAsync())
                {
                    backoff.Reset();
                    await FirstNodeAsync();
                    _firstAttempt.TrySetResult();
                    continue;
                }

                Interlocked.Exchange(ref _triedAt, _time.GetTimestamp());
                var delay = backoff.Next();
                _logger.ClusterUnreachable(delay, new CqlNoHostException("No node could be reached.", Errors()));
                _firstAttempt.TrySetResult();
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

    /// <summary>Reads the cluster anew when an event says so, until the control connection breaks.</summary>
    private async Task FollowAsync(CqlConnection control)
    {
        await using var heartbeat = _time.CreateTimer(_ => _ = control.ProbeAsync(_options.HeartbeatInterval), null,
            _options.HeartbeatInterval, _options.HeartbeatInterval);
        _ = control.Closed.ContinueWith(_ => _wakeup.Set(), TaskScheduler.Default);
        while (control.IsOpen)
        {
            await _wakeup.WaitAsync(Timeout.InfiniteTimeSpan, _time, _stopping.Token);
            if (!control.IsOpen || !Interlocked.Exchange(ref _isStale, false))
                continue;
            await Task.Delay(RefreshDelay, _time, _stopping.Token);
            Interlocked.Exchange(ref _isStale, false);
            try
            {
                await RefreshAsync(control, control.Node.Address.ToString());
            }
            catch (Exception failure) when (!_stopping.IsCancellationRequested)
            {
                _logger.RefreshFailed(failure);
                _ = control.ProbeAsync(TimeSpan.Zero);
            }
        }

        _logger.ControlConnectionLost(control.Node, control.Reason?.Message ?? "");
    }

    private async Task<bool> TryConnectAsync()
    {
        foreach (var (endPoint, hostName) in await CandidatesAsync())
        {
            CqlConnection? connection = null;
            try
            {
                connection = await _factory.ConnectAsync(endPoint, hostName, _stopping.Token);
                connection.OnEvent = OnEvent;
                using var timeout = new CancellationTokenSource(_options.ConnectTimeout, _time);
                await connection.RegisterAsync(timeout.Token);
                await RefreshAsync(connection, hostName);
                Volatile.Write(ref _control, connection);
                lock (_unreachable)
                    _unreachable.Clear();
                return true;
            }
            catch (Exception failure) when (!_stopping.IsCancellationRequested)
            {
                if (connection is not null)
                    await connection.DisposeAsync();
                Remember(endPoint.ToString(), failure);
            }
        }

        return false;
    }

    /// <summary>Ends when one node is up, or when none could be connected to.</summary>
    private async Task FirstNodeAsync()
    {
        var attempts = Map.Nodes.Where(node => node.Pool is not null).Select(node => node.Pool!.FirstAttempt).ToList();
        while (attempts.Count > 0 && !IsConnected)
            attempts.Remove(await Task.WhenAny(attempts).WaitAsync(_stopping.Token));
    }

    /// <summary>Nodes that are up, then those that the settings name, then all others.</summary>
    private async Task<IReadOnlyList<(IPEndPoint EndPoint, string HostName)>> CandidatesAsync()
    {
        var candidates = new List<(IPEndPoint EndPoint, string HostName)>();
        candidates.AddRange(Map.Local.Where(node => node.IsUp).Select(node => (node.EndPoint, node.Info.HostName)));
        foreach (var text in _options.ContactPoints)
        {
            if (!ContactPoint.TryParse(text, _options.Port, out var point))
                continue;
            try
            {
                candidates.AddRange((await point.ResolveAsync(_stopping.Token)).Select(endPoint => (endPoint, point.Host)));
            }
            catch (System.Net.Sockets.SocketException unknown)
            {
                Remember(text, new CqlConnectionException($"{point.Host} can't be resolved: {unknown.Message}", unknown));
            }
        }

        candidates.AddRange(Map.Nodes.Where(node => !node.IsUp).Select(node => (node.EndPoint, node.Info.HostName)));
        return [.. candidates.DistinctBy(candidate => candidate.EndPoint)];
    }

    private async Task RefreshAsync(CqlConnection connection, string hostName)
    {
        using var timeout = new CancellationTokenSource(_options.RequestTimeout, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, _stopping.Token);
        var description = await ClusterReader.ReadAsync(connection, hostName, _options.Port, either.Token);
        var before = Map;
        var local = _options.LocalDatacenter ?? (before.LocalDatacenter.Length > 0 ? before.LocalDatacenter : description.LocalDatacenter);
        var datacenters = description.Nodes.Select(node => node.Datacenter).Distinct().ToArray();
        if (!datacenters.Contains(local))
            _logger.DatacenterUnknown(local, string.Join(", ", datacenters));
        var nodes = description.Nodes.DistinctBy(node => node.HostId).Select(info => Merge(info, before)).ToArray();
        foreach (var node in nodes)
        {
            if (node.Pool is null && (node.Datacenter == local || _options.UseRemoteDatacenters))
                node.Pool = new(node, _options, _factory, _metrics, _time, _logger, OnNodeDown);
        }

        Volatile.Write(ref _map, new(nodes, local, description.Keyspaces, description.IsMurmur3));
        if (before.Nodes.Count == 0)
            _logger.ClusterConnected(description.Name, connection.Node, local, connection.Version);
        foreach (var gone in before.Nodes.Except(nodes))
        {
            _logger.NodeRemoved(gone.EndPoint);
            if (gone.Pool is { } pool)
                await pool.DisposeAsync();
        }
    }

    /// <summary>A node is the same as long as its id is, and its address; where two nodes know it by different addresses, the one
    /// that works is kept.</summary>
    private Node Merge(NodeInfo info, ClusterMap before)
    {
        if (before.Nodes.FirstOrDefault(node => node.HostId == info.HostId) is { } known && (known.IsUp || known.EndPoint.Equals(info.EndPoint)))
        {
            // The name by which it was first reached is the one that its certificate has.
            known.Info = info with { HostName = known.Info.HostName, EndPoint = known.EndPoint };
            return known;
        }

        if (before.Nodes.Count > 0)
            _logger.NodeAdded(info.EndPoint);
        return new(info);
    }

    /// <summary>On a connection's reading thread.</summary>
    private void OnEvent(ServerEvent happened)
    {
        if (happened is { Type: ServerEvent.Status, Change: "UP", Node: { } up } && Map.Find(up) is { } known)
            known.Pool?.TryNow();
        else if (happened is { Type: ServerEvent.Status, Change: "DOWN", Node: { } down } && Map.Find(down) is { } doubted)
            // Gossip can be wrong: the connections tell.
            doubted.Pool?.Doubt();
        else if (happened.Type != ServerEvent.Schema || happened.Keyspace is not null)
        {
            Interlocked.Exchange(ref _isStale, true);
            _wakeup.Set();
        }
    }

    private void OnNodeDown(Node node)
    {
        if (Volatile.Read(ref _control) is { } control && control.Node.Equals(node.EndPoint))
            _ = control.ProbeAsync(TimeSpan.Zero);
    }

    private void Remember(string point, Exception error)
    {
        lock (_unreachable)
            _unreachable[point] = error;
    }
}
