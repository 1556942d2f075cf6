using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using WhatsAspire.Cql.Cluster;
using WhatsAspire.Cql.Protocol;
using static WhatsAspire.Cql.Tests.Sessions.SessionTest;

namespace WhatsAspire.Cql.Tests.Sessions;

/// <summary>Which node is asked, and what happens when it can't be.</summary>
public sealed class ClusterTests
{
    [Fact]
    public async Task A_statement_goes_to_a_replica_of_its_partition()
    {
        var servers = FakeServer.MakeCluster(3, replicas: 1);
        await using var all = new Servers(servers);
        await using var session = await ConnectAsync(servers);
        for (var key = 0; key < 60; key++)
            await session.RunAsync(Write, key, 0);
        Span<byte> bytes = stackalloc byte[4];
        for (var key = 0; key < 60; key++)
        {
            BinaryPrimitives.WriteInt32BigEndian(bytes, key);
            var token = Murmur3.Token(bytes);
            var owner = servers.First(server => token <= server.Tokens[0]);
            Assert.Contains(owner.Requests, request => request.Opcode == Opcode.Execute && request.FirstValue == key);
        }

        // Those that had to be told the statement first were asked twice.
        Assert.InRange(servers.Sum(server => server.Count(Opcode.Execute)), 60, 62);
    }

    [Fact]
    public async Task Conditional_statements_of_one_partition_go_to_one_replica_and_others_are_spread()
    {
        var servers = FakeServer.MakeCluster(3, replicas: 3);
        await using var all = new Servers(servers);
        await using var session = await ConnectAsync(servers);
        var conditional = new CqlStatement("INSERT INTO t (k) VALUES (?) IF NOT EXISTS");
        for (var i = 0; i < 30; i++)
            await session.RunAsync(conditional, 7);
        Assert.Single(servers, server => server.Count(Opcode.Execute) > 0);
        for (var i = 0; i < 60; i++)
            await session.RunAsync(Write, 7, i);
        Assert.All(servers, server => Assert.True(server.Count(Opcode.Execute) > 5));
    }

    [Fact]
    public async Task Only_nodes_of_the_local_data_centre_are_asked_unless_others_are_allowed()
    {
        var servers = FakeServer.MakeCluster(2, replicas: 2);
        servers[1].Datacenter = "dc2";
        await using var all = new Servers(servers);
        await using (var session = await ConnectLocalAsync(useRemote: false))
        {
            for (var i = 0; i < 20; i++)
                await session.RunAsync(Write, i, 0);
            Assert.Equal((20, 0), (servers[0].Count(Opcode.Execute), servers[1].Count(Opcode.Execute)));
            await servers[0].DisposeAsync();
            await Wait.Until(() => !session.IsConnected, "the local node is down");
            await Assert.ThrowsAsync<CqlNoHostException>(() => session.RunAsync(Write, 1, 1));
        }

        await using var remote = await ConnectLocalAsync(useRemote: true);
        await Wait.Until(() => remote.IsConnected, "the remote node is up");
        await remote.RunAsync(Write, 1, 1);
        Assert.Equal(1, servers[1].Count(Opcode.Execute));

        async Task<CqlSession> ConnectLocalAsync(bool useRemote)
        {
            var options = Options(servers);
            (options.LocalDatacenter, options.UseRemoteDatacenters) = ("dc1", useRemote);
            return await Wait.For(CqlSession.ConnectAsync(options, cancellationToken: Wait.Stop), "a session");
        }
    }

    [Theory]
    [InlineData(true, 0x1001)]
    [InlineData(false, 0x1001)]
    [InlineData(true, 0x0000)]
    [InlineData(false, 0x1002)]
    [InlineData(true, 0x2200)]
    public async Task Only_what_may_run_twice_or_has_not_run_is_tried_on_the_next_node(bool isIdempotent, int code)
    {
        var servers = FakeServer.MakeCluster(2, replicas: 2);
        await using var all = new Servers(servers);
        await using var session = await ConnectAsync(servers);
        var statement = new CqlStatement("UPDATE t SET v = ? WHERE k = 1") { IsIdempotent = isIdempotent };
        await session.RunAsync(statement, 0);
        var refused = 0;
        foreach (var server in servers)
            server.OnRequest = async request =>
            {
                if (request.Opcode != Opcode.Execute || Interlocked.Exchange(ref refused, 1) == 1)
                    return false;
                await request.ErrorAsync(code, "no");
                return true;
            };
        var call = session.RunAsync(statement, 1);
        if ((isIdempotent && code != 0x2200) || code == 0x1002)
            await call;
        else
            Assert.Equal(code, (await Assert.ThrowsAnyAsync<CqlException>(() => call)).ServerCode);
    }

    [Theory]
    [InlineData(1, true)]
    [InlineData(2, false)]
    public async Task An_idempotent_statement_that_all_nodes_refused_is_tried_once_more(int refusals, bool succeeds)
    {
        await using var server = new FakeServer();
        await using var session = await ConnectAsync(server);
        await session.RunAsync(IdempotentWrite, 0);
        var left = refusals;
        server.OnRequest = async request =>
        {
            if (request.Opcode != Opcode.Execute || Interlocked.Decrement(ref left) < 0)
                return false;
            await request.ErrorAsync(0x1001, "too much to do");
            return true;
        };
        var call = session.RunAsync(IdempotentWrite, 1);
        if (succeeds)
            await call;
        else
            Assert.True((await Assert.ThrowsAsync<CqlOverloadedException>(() => call)).MayHaveBeenApplied);
    }

    [Fact]
    public async Task A_slow_node_is_overtaken_by_the_next_one_for_idempotent_statements()
    {
        var servers = FakeServer.MakeCluster(2, replicas: 2);
        await using var all = new Servers(servers);
        await using var session = await ConnectAsync(servers, options => options.SpeculativeDelay = TimeSpan.FromMilliseconds(50));
        var held = 0;
        foreach (var server in servers)
            server.OnRequest = request => Task.FromResult(request.Opcode == Opcode.Execute && Interlocked.Exchange(ref held, 1) == 0);
        Assert.Equal(4, (await Wait.For(session.RunAsync(Read, 4), "an answer from the second node"))[0].GetInt32(0));
        // One at each node, and one more where the node on which it was prepared is the one that was slow: the other has to prepare it too.
        Assert.All(servers, server => Assert.NotEqual(0, server.Count(Opcode.Execute)));
        Assert.Equal(servers.Sum(server => server.Count(Opcode.Prepare)) + 1, servers.Sum(server => server.Count(Opcode.Execute)));
    }

    [Fact]
    public async Task The_control_connection_moves_to_another_node()
    {
        var servers = FakeServer.MakeCluster(2, replicas: 2);
        await using var all = new Servers(servers);
        await using var session = await ConnectAsync(servers);
        var first = session.Cluster.ControlNode;
        await servers.Single(server => server.EndPoint.Equals(first)).DisposeAsync();
        await Wait.Until(() => session.Cluster.ControlNode is { } now && !now.Equals(first), "another node is the control node");
        await session.RunAsync(Write, 1, 1);
    }

    [Fact]
    public async Task A_node_that_joins_is_used_and_one_that_leaves_is_not()
    {
        var servers = FakeServer.MakeCluster(2, replicas: 2);
        await using var all = new Servers(servers);
        servers[0].Cluster = [servers[0]];
        await using var session = await ConnectAsync([servers[0]]);
        Assert.Single(session.Cluster.Map.Nodes);
        servers[0].Cluster = servers;
        await PushAsync("NEW_NODE");
        await Wait.Until(() => session.Cluster.Map.Nodes.Count == 2 && session.Cluster.Map.Nodes.All(node => node.IsUp), "the new node is up");
        servers[0].Cluster = [servers[0]];
        await PushAsync("REMOVED_NODE");
        await Wait.Until(() => session.Cluster.Map.Nodes.Count == 1, "the node is gone");
        await session.RunAsync(Write, 1, 1);

        Task PushAsync(string change) => servers[0].PushAsync(writer =>
        {
            writer.WriteString("TOPOLOGY_CHANGE");
            writer.WriteString(change);
            writer.WriteByte(4);
            writer.Write(servers[1].EndPoint.Address.GetAddressBytes());
            writer.WriteInt32(servers[1].EndPoint.Port);
        });
    }

    [Fact]
    public async Task A_change_of_the_schema_waits_until_all_nodes_have_it()
    {
        var servers = FakeServer.MakeCluster(2, replicas: 2);
        await using var all = new Servers(servers);
        await using var session = await ConnectAsync(servers);
        var asked = new TaskCompletionSource();
        foreach (var server in servers)
            server.OnRequest = async request =>
            {
                if (request.Opcode != Opcode.Query || !request.Text.StartsWith("CREATE", StringComparison.Ordinal))
                {
                    if (request.Opcode == Opcode.Query && request.Text.Contains("schema_version", StringComparison.Ordinal))
                        asked.TrySetResult();
                    return false;
                }

                servers[0].SchemaVersion = Guid.NewGuid();
                await request.AnswerAsync(Opcode.Result, writer =>
                {
                    writer.WriteInt32((int)ResultKind.SchemaChange);
                    writer.WriteString("CREATED");
                    writer.WriteString("TABLE");
                    writer.WriteString("ks");
                    writer.WriteString("x");
                });
                return true;
            };
        var change = session.RunAsync(new("CREATE TABLE x (k int PRIMARY KEY)"));
        await Wait.For(asked.Task, "the nodes to be asked for their schema");
        Assert.False(change.IsCompleted);
        servers[1].SchemaVersion = servers[0].SchemaVersion;
        Assert.True((await Wait.For(change, "agreement")).IsSchemaAgreed);
    }

    [Fact]
    public async Task A_session_can_be_made_before_the_servers_answer()
    {
        var port = FreePort();
        var options = new CqlOptions { ReconnectDelay = TimeSpan.FromMilliseconds(10), MaxReconnectDelay = TimeSpan.FromMilliseconds(20), ContactPoints = { $"127.0.0.1:{port}" } };
        await using var session = new CqlSession(options);
        var error = await Wait.For(Assert.ThrowsAsync<CqlNoHostException>(() => session.RunAsync(Read, 1)), "an error");
        Assert.IsType<CqlConnectionException>(error.Errors[$"127.0.0.1:{port}"]);
        Assert.False(error.MayHaveBeenApplied);
        await using var server = new FakeServer(port);
        await Wait.Until(() => session.IsConnected, "the session is connected");
        Assert.Equal(1, (await session.RunAsync(Read, 1))[0].GetInt32(0));
    }

    [Fact]
    public async Task A_call_that_finds_no_node_ends_the_long_wait_for_one_that_is_back()
    {
        var first = TimeSpan.FromMinutes(1);
        var time = new FakeTimeProvider();
        using var tries = new Tries();
        var port = FreePort();
        var options = new CqlOptions { ReconnectDelay = first, MaxReconnectDelay = TimeSpan.FromHours(1), ContactPoints = { $"127.0.0.1:{port}" } };
        await using var session = new CqlSession(options, tries, time: time);
        // The next wait is 16 minutes, of which jitter takes up to a half.
        await Wait.Until(() =>
        {
            if (tries.Failed >= 5) return true;
            time.Advance(first / 10);
            return false;
        }, "five tries");

        await using var server = new FakeServer(port);
        time.Advance(first * 2);
        Assert.False(session.IsConnected);
        await Wait.For(Assert.ThrowsAsync<CqlNoHostException>(() => session.RunAsync(Read, 1)), "an error");
        await Wait.Until(() => session.IsConnected, "the session is connected");
    }

    /// <summary>Counts what is said of tries that failed.</summary>
    private sealed class Tries : ILoggerFactory, ILogger
    {
        private const int ClusterUnreachable = 6001;
        private int _failed;

        public int Failed => Volatile.Read(ref _failed);

        public ILogger CreateLogger(string categoryName) => this;

        public void AddProvider(ILoggerProvider provider)
        {
        }

        public void Dispose()
        {
        }

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (eventId.Id == ClusterUnreachable) Interlocked.Increment(ref _failed);
        }
    }

    [Fact]
    public async Task The_keyspace_need_not_exist_yet()
    {
        await using var server = new FakeServer();
        await using var session = await ConnectAsync(server, options => options.Keyspace = "later");
        await session.RunAsync(new("CREATE KEYSPACE later"));
        server.Keyspaces.Add("later");
        await session.RunAsync(Write, 1, 1);
        var uses = server.Requests.Count(request => request.Opcode == Opcode.Query && request.Text == "USE \"later\"");
        await session.RunAsync(Write, 2, 2);
        Assert.Equal(uses, server.Requests.Count(request => request.Opcode == Opcode.Query && request.Text == "USE \"later\""));
    }

    [Fact]
    public async Task A_server_that_knows_only_version_4_is_spoken_to_in_it()
    {
        await using var server = new FakeServer { MaxVersion = 4 };
        await using var session = await ConnectAsync(server);
        Assert.Equal(1, (await session.RunAsync(Read, 1))[0].GetInt32(0));
        Assert.All(server.Requests.Where(request => request.Opcode == Opcode.Execute), request => Assert.Equal(4, request.Version));
    }

    [Fact]
    public async Task Name_and_password_are_sent_where_they_are_asked_for()
    {
        await using var server = new FakeServer { Login = ("ann", "secret") };
        await using (var session = await ConnectAsync(server, options => (options.Username, options.Password) = ("ann", "secret")))
            await session.RunAsync(Write, 1, 1);
        foreach (var (name, password) in ((string?, string?)[])[("ann", "wrong"), (null, null)])
        {
            var refused = await Assert.ThrowsAsync<CqlNoHostException>(() => ConnectAsync(server, options => (options.Username, options.Password) = (name, password)));
            Assert.IsType<CqlAuthenticationException>(Assert.Single(refused.Errors).Value);
            Assert.DoesNotContain("wrong", refused.ToString(), StringComparison.Ordinal);
        }
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private sealed class Servers(List<FakeServer> servers) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync()
        {
            foreach (var server in servers)
                await server.DisposeAsync();
        }
    }
}
