using System.Globalization;
using System.Net;
using System.Numerics;
using WhatsAspire.Cql;
using Xunit;

namespace WhatsAspire.Engines.Tests.Cql;

/// <summary>All types there and back, over both versions of the protocol, with and without compression.</summary>
public sealed class TypesOnCassandraTests(TestCluster cluster) : IClassFixture<TestCluster>
{
    private static readonly Guid TimeUuid = Guid.Parse("f81d4fae-7dec-11d0-a765-00a0c91e6bf6");

    public static TheoryData<int, bool> Protocols => new() { { 5, false }, { 5, true }, { 4, false }, { 4, true } };

    [Theory]
    [MemberData(nameof(Protocols))]
    public async Task Simple_types_come_back_as_they_were_written(int version, bool compressed)
    {
        await using var session = await ConnectAsync(version, compressed);
        (string Type, CqlValue Value, object Expected)[] columns =
        [
            ("ascii", "plain", "plain"),
            ("bigint", long.MinValue, long.MinValue),
            ("blob", new byte[] { 0, 1, 255 }, new byte[] { 0, 1, 255 }),
            ("boolean", true, true),
            ("decimal", -1234567890123456789.0123456789m, new CqlDecimal(BigInteger.Parse("-12345678901234567890123456789", CultureInfo.InvariantCulture), 10)),
            ("double", double.Epsilon, double.Epsilon),
            ("float", -1.5f, -1.5f),
            ("int", -2, -2),
            ("timestamp", DateTimeOffset.FromUnixTimeMilliseconds(-1), DateTimeOffset.FromUnixTimeMilliseconds(-1)),
            ("uuid", TimeUuid, TimeUuid),
            ("timeuuid", TimeUuid, TimeUuid),
            ("text", "grüße 🐦", "grüße 🐦"),
            ("varint", BigInteger.Pow(-3, 99), BigInteger.Pow(-3, 99)),
            ("inet", IPAddress.Parse("192.0.2.1"), IPAddress.Parse("192.0.2.1")),
            ("inet", IPAddress.Parse("2001:db8::1"), IPAddress.Parse("2001:db8::1")),
            ("date", new DateOnly(1969, 12, 31), new DateOnly(1969, 12, 31)),
            ("time", new TimeOnly(23, 59, 59, 999), new TimeOnly(23, 59, 59, 999)),
            ("smallint", short.MinValue, short.MinValue),
            ("tinyint", sbyte.MinValue, sbyte.MinValue),
            ("duration", new CqlDuration(-1, -2, -3_000_000_000), new CqlDuration(-1, -2, -3_000_000_000)),
        ];
        await session.ExecuteAsync($"CREATE TABLE t (k int PRIMARY KEY, {string.Join(", ", columns.Select((column, i) => $"c{i} {column.Type}"))})");
        var insert = new CqlStatement($"INSERT INTO t (k, {string.Join(", ", columns.Select((_, i) => $"c{i}"))}) VALUES (?{string.Concat(columns.Select(_ => ", ?"))})");
        await session.ExecuteAsync(insert.Bind([1, .. columns.Select(column => column.Value)]), TestContext.Current.CancellationToken);

        var row = Assert.Single(await session.ExecuteAsync("SELECT * FROM t WHERE k = ?", 1));
        for (var i = 0; i < columns.Length; i++)
            Assert.Equal(columns[i].Expected, row.GetValue($"c{i}"));

        await session.ExecuteAsync(insert.Bind([2, .. columns.Select(_ => CqlValue.Null)]), TestContext.Current.CancellationToken);
        var nulls = Assert.Single(await session.ExecuteAsync("SELECT * FROM t WHERE k = ?", 2));
        Assert.All(Enumerable.Range(0, columns.Length), i => Assert.True(nulls.IsNull($"c{i}")));
    }

    [Theory]
    [MemberData(nameof(Protocols))]
    public async Task Types_made_of_types_come_back_as_they_were_written(int version, bool compressed)
    {
        await using var session = await ConnectAsync(version, compressed);
        await session.ExecuteAsync("CREATE TYPE address (street text, zip int, tags frozen<set<text>>)");
        (string Type, CqlValue Value, object Expected)[] columns =
        [
            ("list<int>", CqlValue.List(3, 1, 2), new object?[] { 3, 1, 2 }),
            ("set<text>", CqlValue.Set("b", "a"), new object?[] { "a", "b" }),
            ("map<text, bigint>", CqlValue.Map(("x", 1L), ("y", 2L)), new Dictionary<object, object?> { ["x"] = 1L, ["y"] = 2L }),
            ("tuple<int, text, boolean>", CqlValue.Tuple(1, CqlValue.Null, true), new object?[] { 1, null, true }),
            ("frozen<address>", CqlValue.Udt(("zip", 7), ("tags", CqlValue.Set("t"))),
                new Dictionary<string, object?> { ["street"] = null, ["zip"] = 7, ["tags"] = new object?[] { "t" } }),
            ("list<frozen<map<int, frozen<list<text>>>>>", CqlValue.List(CqlValue.Map((1, CqlValue.List("a", "")))),
                new object?[] { new Dictionary<object, object?> { [1] = new object?[] { "a", "" } } }),
            ("vector<float, 3>", CqlValue.Vector([1.5f, -2, 0]), new[] { 1.5f, -2, 0 }),
            ("vector<text, 2>", CqlValue.Vector((CqlValue)"one", new string('x', 300)), new object?[] { "one", new string('x', 300) }),
            ("vector<bigint, 2>", CqlValue.Vector((CqlValue)1L, -1L), new object?[] { 1L, -1L }),
            ("vector<smallint, 2>", CqlValue.Vector((CqlValue)(short)1, (short)-1), new object?[] { (short)1, (short)-1 }),
            ("vector<date, 1>", CqlValue.Vector((CqlValue)new DateOnly(2026, 1, 2)), new object?[] { new DateOnly(2026, 1, 2) }),
            ("vector<frozen<vector<int, 2>>, 2>", CqlValue.Vector(CqlValue.Vector((CqlValue)1, 2), CqlValue.Vector((CqlValue)3, 4)),
                new object?[] { new object?[] { 1, 2 }, new object?[] { 3, 4 } }),
            ("vector<frozen<list<duration>>, 1>", CqlValue.Vector(CqlValue.List(new CqlDuration(1, 2, 3))),
                new object?[] { new object?[] { new CqlDuration(1, 2, 3) } }),
        ];
        await session.ExecuteAsync($"CREATE TABLE t (k int PRIMARY KEY, {string.Join(", ", columns.Select((column, i) => $"c{i} {column.Type}"))})");
        var insert = new CqlStatement($"INSERT INTO t (k, {string.Join(", ", columns.Select((_, i) => $"c{i}"))}) VALUES (?{string.Concat(columns.Select(_ => ", ?"))})");
        await session.ExecuteAsync(insert.Bind([1, .. columns.Select(column => column.Value)]), TestContext.Current.CancellationToken);

        var row = Assert.Single(await session.ExecuteAsync("SELECT * FROM t WHERE k = ?", 1));
        for (var i = 0; i < columns.Length; i++)
            Assert.Equal(columns[i].Expected, row.GetValue($"c{i}"));
        Assert.Equal([3, 1, 2], row.GetList<int>("c0"));
        Assert.Equal(2L, row.GetMap<string, long>("c2")["y"]);
    }

    [Fact]
    public async Task A_value_of_another_type_is_refused_before_anything_is_sent()
    {
        await using var session = await ConnectAsync(5, compressed: false);
        await session.ExecuteAsync("CREATE TABLE t (k int PRIMARY KEY, name text)");
        var wrong = await Assert.ThrowsAsync<ArgumentException>(() => session.ExecuteAsync("INSERT INTO t (k, name) VALUES (?, ?)", 1, 2.5));
        Assert.Equal("Column 'name' is text; a Double doesn't fit it.", wrong.Message);
    }

    [Fact]
    public async Task Counters_and_unset_values_work()
    {
        await using var session = await ConnectAsync(5, compressed: false);
        await session.ExecuteAsync("CREATE TABLE counts (k int PRIMARY KEY, n counter)");
        await session.ExecuteAsync("UPDATE counts SET n = n + ? WHERE k = ?", 5L, 1);
        await session.ExecuteAsync("UPDATE counts SET n = n - ? WHERE k = ?", 2L, 1);
        Assert.Equal(3, (await session.ExecuteAsync("SELECT n FROM counts WHERE k = ?", 1))[0].GetInt64("n"));

        await session.ExecuteAsync("CREATE TABLE pairs (k int PRIMARY KEY, a text, b text)");
        await session.ExecuteAsync("INSERT INTO pairs (k, a, b) VALUES (?, ?, ?)", 1, "a", "b");
        await session.ExecuteAsync("INSERT INTO pairs (k, a, b) VALUES (?, ?, ?)", 1, CqlValue.Unset, CqlValue.Null);
        var row = (await session.ExecuteAsync("SELECT a, b FROM pairs WHERE k = ?", 1))[0];
        Assert.Equal("a", row.GetString("a"));
        Assert.True(row.IsNull("b"));
    }

    private async Task<CqlSession> ConnectAsync(int version, bool compressed)
    {
        await cluster.StartAsync(nodes: 1);
        return await cluster.ConnectToNewKeyspaceAsync(configure: options => (options.MaxProtocolVersion, options.UseCompression) = (version, compressed));
    }
}
