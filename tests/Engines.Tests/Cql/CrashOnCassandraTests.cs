using System.Collections.Concurrent;
using WhatsAspire.Cql;
using Xunit;

namespace WhatsAspire.Engines.Tests.Cql;

/// <summary>One node is killed and comes back while a session writes.</summary>
public sealed class CrashOnCassandraTests(TestCluster cluster) : IClassFixture<TestCluster>
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_killed_node_loses_no_acknowledged_write_and_the_session_comes_back_by_itself()
    {
        await cluster.StartAsync(nodes: 1);
        await using var session = await cluster.ConnectToNewKeyspaceAsync(configure: options => options.MaxReconnectDelay = TimeSpan.FromSeconds(1));
        await session.ExecuteAsync("CREATE TABLE t (k int PRIMARY KEY, v int)");
        var insert = new CqlStatement("INSERT INTO t (k, v) VALUES (?, ?)") { IsIdempotent = true, Timeout = TimeSpan.FromSeconds(2) };
        var select = new CqlStatement("SELECT v FROM t WHERE k = ?");
        var acknowledged = new ConcurrentBag<int>();
        var (next, errors) = (0, new ConcurrentBag<Exception>());
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(Stop);
        var enough = new TaskCompletionSource();
        var again = new TaskCompletionSource();
        var restarted = false;
        var writers = Enumerable.Range(0, 16).Select(_ => Task.Run(async () =>
        {
            while (!ending.IsCancellationRequested)
            {
                var key = Interlocked.Increment(ref next);
                try
                {
                    await session.ExecuteAsync(insert.Bind(key, key), Stop);
                    acknowledged.Add(key);
                    if (acknowledged.Count > 2000)
                        enough.TrySetResult();
                    if (Volatile.Read(ref restarted))
                        again.TrySetResult();
                }
                catch (CqlException error)
                {
                    errors.Add(error);
                    // As a store would: sixteen writers that spin would only keep the node from starting.
                    await Task.Delay(TimeSpan.FromMilliseconds(100), Stop);
                }
            }
        }, Stop)).ToArray();

        await enough.Task.WaitAsync(TimeSpan.FromSeconds(60), Stop);
        await cluster.Nodes[0].KillAsync(Stop);
        await cluster.RestartAsync(0);
        Volatile.Write(ref restarted, true);
        await again.Task.WaitAsync(TimeSpan.FromSeconds(30), Stop);
        await ending.CancelAsync();
        await Task.WhenAll(writers);

        Assert.NotEmpty(errors);
        Assert.All(errors, error => Assert.True(error is CqlNoHostException or CqlConnectionException or CqlTimeoutException, error.ToString()));
        foreach (var keys in acknowledged.Chunk(500))
        {
            var rows = await Task.WhenAll(keys.Select(key => session.ExecuteAsync(select.Bind(key), Stop)));
            Assert.All(rows.Zip(keys), pair => Assert.Equal(pair.Second, Assert.Single(pair.First).GetInt32(0)));
        }

        TestContext.Current.SendDiagnosticMessage("{0} writes acknowledged, {1} failed while the node was gone", acknowledged.Count, errors.Count);
    }
}

/// <summary>A node that wants a password.</summary>
public sealed class PasswordOnCassandraTests(TestCluster cluster) : IClassFixture<TestCluster>
{
    [Theory]
    [InlineData(5)]
    [InlineData(4)]
    public async Task A_session_needs_the_right_password(int version)
    {
        await cluster.StartAsync(nodes: 1, requiresPassword: true);
        await using (var session = await ConnectAsync("cassandra"))
            Assert.Single(await session.ExecuteAsync("SELECT key FROM system.local"));
        var refused = await Assert.ThrowsAsync<CqlNoHostException>(() => ConnectAsync("wrong"));
        Assert.IsType<CqlAuthenticationException>(Assert.Single(refused.Errors).Value);

        Task<CqlSession> ConnectAsync(string password) => cluster.ConnectAsync(options =>
            (options.MaxProtocolVersion, options.Username, options.Password) = (version, "cassandra", password));
    }
}
