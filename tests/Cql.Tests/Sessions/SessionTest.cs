namespace WhatsAspire.Cql.Tests.Sessions;

/// <summary>What the tests of sessions share.</summary>
internal static class SessionTest
{
    public static readonly CqlStatement Read = new("SELECT v FROM t WHERE k = ?");
    public static readonly CqlStatement Write = new("INSERT INTO t (k, v) VALUES (?, ?)");
    public static readonly CqlStatement IdempotentWrite = new("UPDATE t SET v = ? WHERE k = 1") { IsIdempotent = true };

    public static CqlOptions Options(params IEnumerable<FakeServer> servers)
    {
        var options = new CqlOptions
        {
            Keyspace = "ks",
            ConnectionsPerNode = 1,
            ReconnectDelay = TimeSpan.FromMilliseconds(20),
            MaxReconnectDelay = TimeSpan.FromMilliseconds(100),
            SpeculativeDelay = null,
        };
        foreach (var server in servers)
            options.ContactPoints.Add(server.EndPoint.ToString());
        return options;
    }

    public static Task<CqlSession> ConnectAsync(FakeServer server, Action<CqlOptions>? configure = null, TimeProvider? time = null) =>
        ConnectAsync([server], configure, time);

    public static async Task<CqlSession> ConnectAsync(IReadOnlyList<FakeServer> servers, Action<CqlOptions>? configure = null, TimeProvider? time = null)
    {
        var options = Options(servers);
        configure?.Invoke(options);
        var session = await Wait.For(CqlSession.ConnectAsync(options, time: time, cancellationToken: Wait.Stop), "a session");
        await Wait.Until(() => session.Cluster.Map.Nodes.All(node => node.IsUp), "all nodes are up");
        return session;
    }

    public static Task<CqlResult> RunAsync(this ICqlSession session, CqlStatement statement, params ReadOnlySpan<CqlValue> values) =>
        session.ExecuteAsync(statement.Bind(values), Wait.Stop);
}
