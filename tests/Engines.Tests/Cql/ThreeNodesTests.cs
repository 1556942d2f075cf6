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
    public async Task Requests_go_to_replicas_and_all_nodes_are_used()
    {
        await using var session = await ConnectAsync(replicas: 1);
        await Task.WhenAll(Enumerable.Range(0, 300).Select(i => session.ExecuteAsync(Insert.Bind(i, i), Stop)));
        var read = await Task.WhenAll(Enumerable.Range(0, 300).Select(i => session.ExecuteAsync(Select.Bind(i), Stop)));
        Assert.Equal(Enumerable.Range(0, 300), read.Select(result => result[0].GetInt32(0)));
    }

    private async Task<CqlSession> ConnectAsync(int replicas = 3)
    {
        await cluster.StartAsync(nodes: 3);
        var session = await cluster.ConnectToNewKeyspaceAsync(replicas, options =>
        {
            options.SpeculativeDelay = TimeSpan.FromMilliseconds(300);
            options.MaxSpeculativeExecutions = 2;
            options.HeartbeatTimeout = TimeSpan.FromSeconds(1);
            options.MaxReconnectDelay = TimeSpan.FromSeconds(2);
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
