using WhatsAspire.Cql;
using Xunit;

namespace WhatsAspire.Engines.Tests.Cql;

/// <summary>Paging, batches, conditional statements, changes of the schema and errors on one real node.</summary>
public sealed class StatementsOnCassandraTests(TestCluster cluster) : IClassFixture<TestCluster>
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(5)]
    [InlineData(4)]
    public async Task All_pages_are_read(int version)
    {
        await using var session = await ConnectAsync(options => options.MaxProtocolVersion = version);
        await session.ExecuteAsync("CREATE TABLE log (k int, seq int, body text, PRIMARY KEY (k, seq))");
        var insert = new CqlStatement("INSERT INTO log (k, seq, body) VALUES (?, ?, ?)");
        await Task.WhenAll(Enumerable.Range(0, 1050).Select(seq => session.ExecuteAsync(insert.Bind(1, seq, $"row {seq}"), Stop)));
        var select = new CqlStatement("SELECT seq, body FROM log WHERE k = ?") { PageSize = 100 };
        var rows = new List<int>();
        await foreach (var row in session.QueryAsync(select.Bind(1), Stop))
        {
            Assert.Equal($"row {row.GetInt32(0)}", row.GetString(1));
            rows.Add(row.GetInt32(0));
        }

        Assert.Equal(Enumerable.Range(0, 1050), rows);
        var page = await session.ExecuteAsync(select.Bind(1), Stop);
        Assert.Equal(100, page.Count);
        var next = await session.ExecuteAsync(select.Bind(1) with { PagingState = page.PagingState }, Stop);
        Assert.Equal(100, next[0].GetInt32(0));
    }

    [Theory]
    [InlineData(5, true)]
    [InlineData(5, false)]
    [InlineData(4, true)]
    public async Task Values_larger_than_a_segment_go_both_ways(int version, bool compressed)
    {
        await using var session = await ConnectAsync(options => (options.MaxProtocolVersion, options.UseCompression) = (version, compressed));
        await session.ExecuteAsync("CREATE TABLE blobs (k int PRIMARY KEY, body blob)");
        var body = new byte[3_000_000];
        new Random(1).NextBytes(body.AsSpan(0, 1_500_000));
        await session.ExecuteAsync("INSERT INTO blobs (k, body) VALUES (?, ?)", 1, body);
        var read = await session.ExecuteAsync("SELECT body FROM blobs WHERE k = ?", 1);
        Assert.True(read[0].GetBytes(0).Span.SequenceEqual(body));
    }

    [Theory]
    [InlineData(5)]
    [InlineData(4)]
    public async Task Batches_take_effect_as_a_whole(int version)
    {
        await using var session = await ConnectAsync(options => options.MaxProtocolVersion = version);
        await session.ExecuteAsync("CREATE TABLE t (k int PRIMARY KEY, v text)");
        await session.ExecuteAsync("CREATE TABLE counts (k int PRIMARY KEY, n counter)");
        var insert = new CqlStatement("INSERT INTO t (k, v) VALUES (?, ?)");
        var delete = new CqlStatement("DELETE FROM t WHERE k = ?");
        foreach (var kind in (CqlBatchKind[])[CqlBatchKind.Logged, CqlBatchKind.Unlogged])
        {
            await session.ExecuteAsync(new CqlBatch([insert.Bind(1, "one"), insert.Bind(2, "two")], kind), Stop);
            await session.ExecuteAsync(new CqlBatch([delete.Bind(1), insert.Bind(2, $"{kind}")], kind), Stop);
            var row = Assert.Single(await session.ExecuteAsync("SELECT k, v FROM t"));
            Assert.Equal((2, $"{kind}"), (row.GetInt32(0), row.GetString(1)));
        }

        var count = new CqlStatement("UPDATE counts SET n = n + ? WHERE k = ?");
        await session.ExecuteAsync(new CqlBatch([count.Bind(1L, 1), count.Bind(2L, 1)], CqlBatchKind.Counter), Stop);
        Assert.Equal(3, (await session.ExecuteAsync("SELECT n FROM counts WHERE k = 1"))[0].GetInt64(0));
    }

    [Fact]
    public async Task A_write_with_an_older_timestamp_does_not_win()
    {
        await using var session = await ConnectAsync();
        await session.ExecuteAsync("CREATE TABLE t (k int PRIMARY KEY, v text)");
        var insert = new CqlStatement("INSERT INTO t (k, v) VALUES (?, ?)");
        await session.ExecuteAsync(insert.Bind(1, "new") with { TimestampMicroseconds = 2_000 }, Stop);
        await session.ExecuteAsync(insert.Bind(1, "old") with { TimestampMicroseconds = 1_000 }, Stop);
        await session.ExecuteAsync(new CqlBatch([insert.Bind(1, "older")]) { TimestampMicroseconds = 500 }, Stop);
        var row = (await session.ExecuteAsync("SELECT v, writetime(v) FROM t WHERE k = 1"))[0];
        Assert.Equal(("new", 2_000L), (row.GetString(0), row.GetInt64(1)));
    }

    [Theory]
    [InlineData(5)]
    [InlineData(4)]
    public async Task A_conditional_batch_on_a_static_column_is_a_fence(int version)
    {
        await using var session = await ConnectAsync(options => options.MaxProtocolVersion = version);
        await session.ExecuteAsync("CREATE TABLE log (k int, seq bigint, head bigint static, body text, PRIMARY KEY (k, seq))");
        var first = new CqlStatement("UPDATE log SET head = ? WHERE k = ? IF head = null");
        var move = new CqlStatement("UPDATE log SET head = ? WHERE k = ? IF head = ?");
        var append = new CqlStatement("INSERT INTO log (k, seq, body) VALUES (?, ?, ?)");
        Assert.True((await session.ExecuteAsync(new CqlBatch([first.Bind(1L, 1), append.Bind(1, 1L, "a")]), Stop)).IsApplied);
        var refused = await session.ExecuteAsync(new CqlBatch([first.Bind(1L, 1), append.Bind(1, 1L, "b")]), Stop);
        Assert.False(refused.IsApplied);
        Assert.Equal(1, refused[0].GetInt64("head"));

        // Rivals: for each position one of them wins.
        var won = await Task.WhenAll(Enumerable.Range(0, 8).Select(async writer =>
        {
            var (wins, head) = (0, 1L);
            while (head < 25)
            {
                var outcome = await session.ExecuteAsync(new CqlBatch([move.Bind(head + 1, 1, head), append.Bind(1, head + 1, $"writer {writer}")]), Stop);
                wins += outcome.IsApplied ? 1 : 0;
                head = outcome.IsApplied ? head + 1 : outcome[0].GetInt64("head");
            }

            return wins;
        }));
        Assert.Equal(24, won.Sum());
        Assert.Equal(25, (await session.ExecuteAsync("SELECT count(*) FROM log WHERE k = 1"))[0].GetInt64(0));
    }

    [Theory]
    [InlineData(5)]
    [InlineData(4)]
    public async Task A_statement_survives_a_change_of_its_table(int version)
    {
        await using var session = await ConnectAsync(options => options.MaxProtocolVersion = version);
        await session.ExecuteAsync("CREATE TABLE t (k int PRIMARY KEY, a text)");
        var all = new CqlStatement("SELECT * FROM t WHERE k = ?");
        await session.ExecuteAsync("INSERT INTO t (k, a) VALUES (1, 'x')");
        Assert.Equal(2, (await session.ExecuteAsync(all.Bind(1), Stop)).Columns.Count);
        var keyspace = (await session.ExecuteAsync("SELECT k FROM t")).Columns[0].Keyspace;
        await using (var other = await cluster.ConnectAsync(options => options.Keyspace = keyspace))
            await other.ExecuteAsync("ALTER TABLE t ADD aa int");
        await session.ExecuteAsync("INSERT INTO t (k, aa) VALUES (1, 7)");
        var row = (await session.ExecuteAsync(all.Bind(1), Stop))[0];
        Assert.Equal(("x", 7), (row.GetString("a"), row.GetInt32("aa")));
    }

    [Fact]
    public async Task A_session_can_make_its_own_keyspace()
    {
        await cluster.StartAsync(nodes: 1);
        await using var session = await cluster.ConnectAsync(options => options.Keyspace = "made_by_itself");
        var nothing = await Assert.ThrowsAsync<CqlInvalidQueryException>(() => session.ExecuteAsync("SELECT * FROM t"));
        Assert.False(nothing.MayHaveBeenApplied);
        Assert.True((await session.ExecuteAsync("CREATE KEYSPACE IF NOT EXISTS made_by_itself WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")).IsSchemaAgreed);
        await session.ExecuteAsync("CREATE TABLE t (k int PRIMARY KEY)");
        await session.ExecuteAsync("INSERT INTO t (k) VALUES (?)", 1);
        Assert.Single(await session.ExecuteAsync("SELECT * FROM t"));
    }

    [Fact]
    public async Task The_servers_errors_have_their_exceptions()
    {
        await using var session = await ConnectAsync();
        await session.ExecuteAsync("CREATE TABLE t (k int PRIMARY KEY)");
        await Assert.ThrowsAsync<CqlSyntaxException>(() => session.ExecuteAsync("SELECT FROM"));
        await Assert.ThrowsAsync<CqlInvalidQueryException>(() => session.ExecuteAsync("SELECT * FROM absent"));
        Assert.Equal("t", (await Assert.ThrowsAsync<CqlAlreadyExistsException>(() => session.ExecuteAsync("CREATE TABLE t (k int PRIMARY KEY)"))).Table);
        await session.ExecuteAsync("CREATE KEYSPACE IF NOT EXISTS three WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}");
        await session.ExecuteAsync("CREATE TABLE IF NOT EXISTS three.t (k int PRIMARY KEY)");
        var unavailable = await Assert.ThrowsAsync<CqlUnavailableException>(() =>
            session.ExecuteAsync(new CqlStatement("INSERT INTO three.t (k) VALUES (1)") { Consistency = CqlConsistency.Quorum }.Bind(), Stop));
        Assert.Equal((CqlConsistency.Quorum, 2, 1, false), (unavailable.Consistency, unavailable.Required, unavailable.Alive, unavailable.MayHaveBeenApplied));
        Assert.Equal(cluster.EndPoint(0), unavailable.Node);
    }

    [Fact]
    public async Task Thousands_of_requests_in_flight_are_all_answered()
    {
        await using var session = await ConnectAsync(options => (options.ConnectionsPerNode, options.MaxRequestsPerConnection) = (1, 1024));
        await session.ExecuteAsync("CREATE TABLE t (k int PRIMARY KEY, v int)");
        var insert = new CqlStatement("INSERT INTO t (k, v) VALUES (?, ?)");
        var select = new CqlStatement("SELECT v FROM t WHERE k = ?");
        await Task.WhenAll(Enumerable.Range(0, 5000).Select(i => session.ExecuteAsync(insert.Bind(i, -i), Stop)));
        var read = await Task.WhenAll(Enumerable.Range(0, 5000).Select(i => session.ExecuteAsync(select.Bind(i), Stop)));
        Assert.Equal(Enumerable.Range(0, 5000).Select(i => -i), read.Select(result => result[0].GetInt32(0)));
    }

    private async Task<CqlSession> ConnectAsync(Action<CqlOptions>? configure = null)
    {
        await cluster.StartAsync(nodes: 1);
        return await cluster.ConnectToNewKeyspaceAsync(configure: configure);
    }
}
