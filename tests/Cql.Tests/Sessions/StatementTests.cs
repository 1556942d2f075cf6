using System.Text;
using WhatsAspire.Cql.Protocol;
using static WhatsAspire.Cql.Tests.Sessions.SessionTest;

namespace WhatsAspire.Cql.Tests.Sessions;

/// <summary>Preparing, forgetting, paging, what goes along with a request.</summary>
public sealed class StatementTests
{
    [Fact]
    public async Task A_statement_is_prepared_once_however_many_need_it_at_once()
    {
        await using var server = new FakeServer();
        await using var session = await ConnectAsync(server);
        await Task.WhenAll(Enumerable.Range(0, 100).Select(i => session.RunAsync(Read, i)));
        Assert.Equal(1, server.Count(Opcode.Prepare));
    }

    [Fact]
    public async Task A_forgotten_statement_is_prepared_again_also_in_a_batch()
    {
        await using var server = new FakeServer();
        await using var session = await ConnectAsync(server);
        var batch = new CqlBatch([Write.Bind(1, 1), Write.Bind(2, 2), IdempotentWrite.Bind(3)]);
        await session.RunAsync(Read, 1);
        await session.ExecuteAsync(batch, Wait.Stop);
        server.Prepared.Clear();
        Assert.Equal(7, (await session.RunAsync(Read, 7))[0].GetInt32(0));
        await session.ExecuteAsync(batch, Wait.Stop);
        Assert.Equal(6, server.Count(Opcode.Prepare));
    }

    [Fact]
    public async Task A_server_that_forgets_at_once_does_not_keep_the_client_busy_for_ever()
    {
        await using var server = new FakeServer();
        await using var session = await ConnectAsync(server);
        await session.RunAsync(Read, 1);
        server.OnRequest = async request =>
        {
            if (request.Opcode != Opcode.Execute)
                return false;
            await request.ErrorAsync(ErrorReader.UnpreparedCode, "forgotten", more: writer => writer.WriteShortBytes([1]));
            return true;
        };
        var error = await Wait.For(Assert.ThrowsAsync<CqlServerException>(() => session.RunAsync(Read, 1)), "an error");
        Assert.Equal(ErrorReader.UnpreparedCode, error.ServerCode);
    }

    [Fact]
    public async Task Wrong_values_are_refused_by_the_client()
    {
        await using var server = new FakeServer();
        await using var session = await ConnectAsync(server);
        var type = await Assert.ThrowsAsync<ArgumentException>(() => session.RunAsync(Write, 1, "two"));
        Assert.Equal("Column 'p1' is int; a String doesn't fit it.", type.Message);
        var count = await Assert.ThrowsAsync<ArgumentException>(() => session.RunAsync(Write, 1));
        Assert.Contains("1 values are bound to the statement's 2 markers (p0, p1)", count.Message, StringComparison.Ordinal);
        Assert.Equal(0, server.Count(Opcode.Execute));
        await session.RunAsync(Write, 1, 2);
    }

    [Fact]
    public async Task All_pages_are_read_and_the_next_is_asked_for_ahead()
    {
        await using var server = new FakeServer();
        await using var session = await ConnectAsync(server);
        var states = new List<string>();
        var secondAsked = new TaskCompletionSource();
        server.OnRequest = async request =>
        {
            if (request.Opcode != Opcode.Execute)
                return false;
            var page = request.Body[^5] switch { (byte)'B' => 2, (byte)'C' => 3, _ => 1 };
            if (page == 2)
                secondAsked.TrySetResult();
            await request.RowsAsync(FakeStatements.Result, [[page * 10], [(page * 10) + 1]], page < 3 ? [(byte)('A' + page), 0, 0, 0, 0] : null);
            return true;
        };
        var values = new List<int>();
        await foreach (var row in session.QueryAsync(Read.Bind(1), Wait.Stop))
        {
            if (values.Count == 0)
                await Wait.For(secondAsked.Task, "the second page to be asked for while the first is read");
            values.Add(row.GetInt32(0));
        }

        Assert.Equal([10, 11, 20, 21, 30, 31], values);
    }

    [Fact]
    public async Task Leaving_in_the_middle_of_the_pages_ends_the_read()
    {
        await using var server = new FakeServer();
        await using var session = await ConnectAsync(server);
        await session.RunAsync(Read, 0);
        var pages = 0;
        server.OnRequest = async request =>
        {
            if (request.Opcode != Opcode.Execute)
                return false;
            // The second page never comes.
            if (++pages == 1)
                await request.RowsAsync(FakeStatements.Result, [[1]], [1]);
            return true;
        };
        await foreach (var row in session.QueryAsync(Read.Bind(1), Wait.Stop))
        {
            Assert.Equal(1, row.GetInt32(0));
            break;
        }
    }

    [Fact]
    public async Task A_conditional_statement_says_whether_it_was_applied()
    {
        await using var server = new FakeServer();
        await using var session = await ConnectAsync(server);
        var conditional = new CqlStatement("UPDATE t SET v = ? WHERE k = 1 IF v = 1");
        server.OnRequest = async request =>
        {
            if (request.Opcode != Opcode.Execute)
                return false;
            await request.RowsAsync([new("[applied]", CqlType.Boolean), new("v", CqlType.Int)], [[request.FirstValue == 1, 5]]);
            return true;
        };
        Assert.True((await session.RunAsync(conditional, 1)).IsApplied);
        var refused = await session.RunAsync(conditional, 2);
        Assert.False(refused.IsApplied);
        Assert.Equal(5, refused[0].GetInt32("v"));
    }

    [Fact]
    public async Task Custom_payload_and_warnings_pass_through()
    {
        await using var server = new FakeServer();
        await using var session = await ConnectAsync(server);
        await session.RunAsync(Read, 0);
        byte[]? received = null;
        server.OnRequest = async request =>
        {
            if (request.Opcode != Opcode.Execute)
                return false;
            var reader = new ByteReader(request.Body);
            received = reader.BytesMap()["in"].ToArray();
            await request.AnswerAsync(Opcode.Result, writer =>
            {
                writer.WriteUInt16(1);
                writer.WriteString("careful");
                writer.WriteBytesMap(new Dictionary<string, ReadOnlyMemory<byte>> { ["out"] = "yes"u8.ToArray() });
                writer.WriteInt32((int)ResultKind.Void);
            }, EnvelopeFlags.Warning | EnvelopeFlags.CustomPayload);
            return true;
        };
        var command = Write.Bind(1, 1) with { CustomPayload = new Dictionary<string, ReadOnlyMemory<byte>> { ["in"] = "hello"u8.ToArray() } };
        var result = await session.ExecuteAsync(command, Wait.Stop);
        Assert.Equal("hello", Encoding.UTF8.GetString(received!));
        Assert.Equal("careful", Assert.Single(result.Warnings));
        Assert.Equal("yes", Encoding.UTF8.GetString(result.CustomPayload!["out"].Span));
    }

    [Fact]
    public async Task Changed_columns_of_a_result_are_taken_over()
    {
        await using var server = new FakeServer();
        await using var session = await ConnectAsync(server);
        await session.RunAsync(Read, 0);
        var metadataIds = new List<byte>();
        server.OnRequest = async request =>
        {
            if (request.Opcode != Opcode.Execute)
                return false;
            var reader = request.Read();
            reader.ShortBytes();
            metadataIds.Add(reader.ShortBytes()[0]);
            await request.AnswerAsync(Opcode.Result, writer =>
            {
                writer.WriteInt32((int)ResultKind.Rows);
                // Global table, metadata changed.
                writer.WriteInt32(1 | 8);
                writer.WriteInt32(1);
                writer.WriteShortBytes([99]);
                writer.WriteString("ks");
                writer.WriteString("t");
                writer.WriteString("renamed");
                writer.WriteUInt16((int)CqlTypeCode.Text);
                writer.WriteInt32(1);
                writer.WriteLongString("x");
            });
            return true;
        };
        Assert.Equal("x", (await session.RunAsync(Read, 1))[0].GetString("renamed"));
        await session.RunAsync(Read, 1);
        Assert.Equal([7, 99], metadataIds);
    }

    [Fact]
    public async Task What_is_not_data_is_sent_as_text_and_takes_no_values()
    {
        await using var server = new FakeServer();
        await using var session = await ConnectAsync(server);
        await session.RunAsync(new("CREATE TABLE x (k int PRIMARY KEY)"));
        Assert.Contains(server.Requests, request => request.Opcode == Opcode.Query && request.Text.StartsWith("CREATE TABLE x", StringComparison.Ordinal));
        await Assert.ThrowsAsync<ArgumentException>(() => session.RunAsync(new("DROP TABLE x"), 1));
    }
}
