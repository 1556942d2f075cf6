using System.Collections.Concurrent;
using System.IO.Pipelines;
using WhatsAspire.Backplane.EdgeTransport;
using WhatsAspire.Backplane.Sessions;
using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Edge.V1;

namespace WhatsAspire.ChatEdge.Connections;

/// <summary>All connections of this edge: where live events find them, and who watches that they are alive.</summary>
internal sealed class EdgeConnections(
    EdgeIdentity identity, ConnectionServices services, IHostApplicationLifetime lifetime) : BackgroundService, ILocalDelivery
{
    private static readonly TimeSpan Tick = TimeSpan.FromSeconds(1);
    private readonly ConcurrentDictionary<ConnectionId, EdgeConnection> _all = new();
    private readonly ConcurrentDictionary<UserId, UserConnections> _users = new();

    public string EdgeId => identity.Id;

    /// <summary>The users who have a connection that said hello.</summary>
    public ICollection<UserConnections> Users => _users.Values;

    public int Count => _all.Count;

    /// <summary>Serves one connection until it ends.</summary>
    public async Task RunAsync(IDuplexPipe pipes, Action abort, string? token)
    {
        var connection = new EdgeConnection(services, this, pipes, abort, token);
        _all[connection.Id] = connection;
        services.Metrics.ConnectionOpened();
        try
        {
            if (lifetime.ApplicationStopping.IsCancellationRequested) connection.Close(CloseCode.Restart, "the server restarts");
            await connection.RunAsync();
        }
        finally
        {
            _all.TryRemove(connection.Id, out _);
            await connection.LeaveAsync();
            services.Metrics.ConnectionClosed(connection.ClosedWith);
        }
    }

    public UserConnections Join(EdgeConnection connection, UserId user)
    {
        while (true)
        {
            // When its last connection is just leaving, the next round makes a new one.
            var connections = _users.GetOrAdd(user, static u => new(u));
            if (connections.TryAdd(connection)) return connections;
        }
    }

    public void Leave(EdgeConnection connection, UserId user)
    {
        if (_users.TryGetValue(user, out var connections) && connections.Remove(connection))
            _users.TryRemove(new KeyValuePair<UserId, UserConnections>(user, connections));
    }

    public bool Deliver(UserId user, LiveEvent live)
    {
        if (!_users.TryGetValue(user, out var connections)) return false;
        if (live is { Uncounted: false, Kind: DeliveryKind.Message or DeliveryKind.Receipt }) connections.CountReceived();
        foreach (var connection in connections.All)
        {
            if (connection.Id == live.Except) continue;
            try
            {
                connection.Deliver(live);
            }
            catch (Exception e)
            {
                // One connection's fault must not keep the event from all others. Its client comes back, and is given what it lacks.
                services.Logger.DeliveryFailed(e);
                connection.Abort();
            }
        }

        return true;
    }

    /// <summary>Registers every session again, after Redis forgot them.</summary>
    public async Task RegisterAllAsync()
    {
        foreach (var connection in _all.Values) await connection.RegisterAgainAsync();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var stopping = lifetime.ApplicationStopping.Register(() =>
        {
            foreach (var connection in _all.Values) connection.Close(CloseCode.Restart, "the server restarts");
        });
        using var timer = new PeriodicTimer(Tick, services.Time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                var now = services.Time.GetTimestamp();
                foreach (var connection in _all.Values) connection.CheckAlive(now);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The process ends.
        }
    }
}
