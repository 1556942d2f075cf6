using System.Collections.Concurrent;
using WhatsAspire.Cql;
using Xunit;

namespace WhatsAspire.Engines.Tests.Cql;

/// <summary>Three nodes, three replicas, LOCAL_QUORUM: one of them goes and comes back while a session writes and reads.</summary>
public sealed class ThreeNodesTests(TestCluster cluster) : IClassFixture<TestCluster>
{
    private static readonly CqlStatement Insert = new("INSERT INTO t (k, v) VALUES (?, ?)") { IsIdempotent = true };
    private static readonly CqlStatement Select = new("SELECT v FROM t WHERE k = ?");

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_node_that_is_killed_and_comes_back_costs_no_write_and_no_error()
    {
        await using var session = await ConnectAsync();
        await using var load = new Load(session);
        await load.UntilMoreAsync(1000);
        await cluster.Nodes[1].KillAsync(Stop);
        await load.UntilMoreAsync(3000);
        await cluster.RestartAsync(1);
        await load.UntilMoreAsync(1000);
        await load.StopAsync();
        load.AssertNoErrors();
        await load.AssertNothingLostAsync();
    }

    [Fact]
    public async Task A_frozen_node_is_overtaken_and_costs_no_write_and_no_error()
    {
        await using var session = await ConnectAsync();
        await using var load = new Load(session);
        await load.UntilMoreAsync(1000);
        cluster.Nodes[2].Freeze();
        try
        {
            await load.UntilMoreAsync(3000);
        }
        finally
        {
            cluster.Nodes[2].Thaw();
        }

        await load.UntilMoreAsync(1000);
        await load.StopAsync();
        load.AssertNoErrors();
        await load.AssertNothingLostAsync();
    }

    [Fact]
    public async Task Each_request_goes_to_the_node_that_has_its_partition()
    {
        // A second try on another node would hide where the first one went.
        await using var session = await ConnectAsync(replicas: 1, options => options.SpeculativeDelay = null);
        await session.ExecuteAsync("CREATE TABLE parts (a int, b text, c uuid, PRIMARY KEY ((a, b, c)))");
        using var coordinators = await Coordinators.OfAsync(session, nodes: 3);
        var insert = new CqlStatement("INSERT INTO parts (a, b, c) VALUES (?, ?, ?)");
        var ofParts = new CqlStatement("SELECT token(a, b, c) FROM parts WHERE a = ? AND b = ? AND c = ?");
        var ofKey = new CqlStatement("SELECT token(k) FROM t WHERE k = ?");
        var used = new HashSet<string>();
        // Tokens are random, and one node's part of the ring may be so small that few keys fall into it.
        for (var i = 0; i < 40 || (used.Count < 3 && i < 2_000); i++)
        {
            // Bytes above 127 show whether they are taken with their sign.
            CqlValue[] key = [i, new string('ü', i), Guid.NewGuid()];
            await session.ExecuteAsync(insert.Bind(key), Stop);
            await session.ExecuteAsync(Insert.Bind(i, i), Stop);
            foreach (var command in (CqlCommand[])[ofParts.Bind(key), ofKey.Bind(i)])
            {
                var (asked, owner) = await coordinators.RunAsync(command);
                Assert.Equal(owner, asked);
                used.Add(asked);
            }
        }

        Assert.Equal(3, used.Count);
    }

    /// <summary>How a keyspace is replicated is read when the session connects; of later ones it hears by an event.</summary>
    [Fact]
    public async Task A_keyspace_that_another_session_makes_is_routed_as_well()
    {
        await using var session = await ConnectAsync(replicas: 1, options => options.SpeculativeDelay = null);
        using var coordinators = await Coordinators.OfAsync(session, nodes: 3);
        var keyspace = $"later_{Guid.NewGuid():N}";
        await using (var other = await cluster.ConnectAsync())
        {
            await other.ExecuteAsync($"CREATE KEYSPACE {keyspace} WITH replication = {{'class': 'NetworkTopologyStrategy', 'datacenter1': 1}}");
            await other.ExecuteAsync($"CREATE TABLE {keyspace}.t (k int PRIMARY KEY)");
        }

        var insert = new CqlStatement($"INSERT INTO {keyspace}.t (k) VALUES (?)");
        var select = new CqlStatement($"SELECT token(k) FROM {keyspace}.t WHERE k = ?");
        for (var i = 0; i < 30; i++)
            await session.ExecuteAsync(insert.Bind(i), Stop);
        var start = TimeProvider.System.GetTimestamp();
        // By chance alone one in three would do so.
        for (var inRow = 0; inRow < 30;)
        {
            var (asked, owner) = await coordinators.RunAsync(select.Bind(inRow));
            inRow = asked == owner ? inRow + 1 : 0;
            Assert.True(TimeProvider.System.GetElapsedTime(start) < TimeSpan.FromSeconds(60), "The session did not hear of the keyspace within a minute.");
        }
    }

    private async Task<CqlSession> ConnectAsync(int replicas = 3, Action<CqlOptions>? configure = null)
    {
        await cluster.StartAsync(nodes: 3);
        var session = await cluster.ConnectToNewKeyspaceAsync(replicas, options =>
        {
            options.SpeculativeDelay = TimeSpan.FromMilliseconds(300);
            options.MaxSpeculativeExecutions = 2;
            options.HeartbeatTimeout = TimeSpan.FromSeconds(1);
            options.MaxReconnectDelay = TimeSpan.FromSeconds(2);
            configure?.Invoke(options);
        });
        var created = await session.ExecuteAsync("CREATE TABLE t (k int PRIMARY KEY, v int)");
        Assert.True(created.IsSchemaAgreed);
        return session;
    }

    /// <summary>Writers that write each key once, and read back what they wrote.</summary>
    private sealed class Load : IAsyncDisposable
    {
        private readonly ICqlSession _session;
        private readonly ConcurrentBag<int> _acknowledged = [];
        private readonly ConcurrentBag<Exception> _errors = [];
        private readonly CancellationTokenSource _stopping = new();
        private readonly Task _writers;
        private int _next;
        private (int Count, TaskCompletionSource Source) _goal = (int.MaxValue, new());

        public Load(ICqlSession session)
        {
            _session = session;
            _writers = Task.WhenAll(Enumerable.Range(0, 16).Select(_ => Task.Run(WriteAsync, Stop)));
        }

        public async Task UntilMoreAsync(int writes)
        {
            var goal = (_acknowledged.Count + writes, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
            _goal = goal;
            await goal.Item2.Task.WaitAsync(TimeSpan.FromSeconds(90), Stop);
        }

        public async Task StopAsync()
        {
            await _stopping.CancelAsync();
            await _writers;
        }

        public void AssertNoErrors()
        {
            Assert.True(_errors.IsEmpty, $"{_errors.Count} of {_next} writes failed: {_errors.FirstOrDefault()}");
        }

        public async Task AssertNothingLostAsync()
        {
            foreach (var keys in _acknowledged.Chunk(500))
            {
                var rows = await Task.WhenAll(keys.Select(key => _session.ExecuteAsync(Select.Bind(key), Stop)));
                Assert.All(rows.Zip(keys), pair => Assert.Equal(pair.Second, Assert.Single(pair.First).GetInt32(0)));
            }
        }

        public async ValueTask DisposeAsync()
        {
            await StopAsync();
            _stopping.Dispose();
        }

        private async Task WriteAsync()
        {
            while (!_stopping.IsCancellationRequested)
            {
                var key = Interlocked.Increment(ref _next);
                try
                {
                    await _session.ExecuteAsync(Insert.Bind(key, key), Stop);
                    _acknowledged.Add(key);
                    if (key % 10 == 0)
                        Assert.Equal(key, Assert.Single(await _session.ExecuteAsync(Select.Bind(key), Stop)).GetInt32(0));
                    var (count, source) = _goal;
                    if (_acknowledged.Count >= count)
                        source.TrySetResult();
                }
                catch (Exception error) when (!Stop.IsCancellationRequested)
                {
                    _errors.Add(error);
                }
            }
        }
    }
}
