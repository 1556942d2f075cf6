using WhatsAspire.Cql.Protocol;
using static WhatsAspire.Cql.Tests.Sessions.SessionTest;

namespace WhatsAspire.Cql.Tests.Sessions;

/// <summary>Whatever comes instead of an answer: a typed error, another connection, no hang.</summary>
public sealed class BrokenConnectionTests
{
    public static TheoryData<string, string> Nonsense => new()
    {
        { "a request where an answer is due", "0500000005000000 00" },
        { "another version", "83000000 08 00000000" },
        { "an absurd length", "85000000087FFFFFFF" },
        { "a negative length", "8500000008FFFFFFFF" },
        { "HTTP", "485454502F312E3120343030204261642052657175657374" },
        { "zeros", "0000000000000000000000000000000000000000" },
        { "ones", "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF" },
        { "an answer that nobody waits for", "8500070008000000 0400000001" },
    };

    [Theory]
    [MemberData(nameof(Nonsense))]
    public async Task Nonsense_on_the_wire_ends_the_connection_with_a_typed_error(string what, string hex)
    {
        Assert.NotEmpty(what);
        var bytes = Convert.FromHexString(hex.Replace(" ", "", StringComparison.Ordinal));
        foreach (var version in (int[])[4, 5])
        {
            if (version == 4 && bytes[0] == 0x85)
                bytes[0] = 0x84;
            await using var server = new FakeServer();
            await using var session = await ConnectAsync(server, options => options.MaxProtocolVersion = version);
            await session.RunAsync(Write, 0, 0);
            server.OnRequest = async request =>
            {
                if (request.Opcode != Opcode.Execute)
                    return false;
                await request.Connection.SendRawAsync(bytes);
                return true;
            };
            var error = await Wait.For(Assert.ThrowsAsync<CqlConnectionException>(() => session.RunAsync(Write, 1, 1)), "an error");
            Assert.IsType<CqlProtocolException>(error.InnerException);
            Assert.True(error.MayHaveBeenApplied);
            server.OnRequest = null;
            await Wait.Until(() => session.IsConnected, "there is another connection");
            await session.RunAsync(Write, 2, 2);
        }
    }

    [Theory]
    [InlineData(5)]
    [InlineData(4)]
    public async Task A_connection_that_closes_within_a_message_fails_what_was_in_flight(int version)
    {
        await using var server = new FakeServer();
        await using var session = await ConnectAsync(server, options => options.MaxProtocolVersion = version);
        await session.RunAsync(Write, 0, 0);
        server.OnRequest = async request =>
        {
            if (request.Opcode != Opcode.Execute)
                return false;
            await request.Connection.SendRawAsync(version == 5 ? [0x0D, 0x00] : [0x84, 0x00, 0x00]);
            request.Connection.Dispose();
            return true;
        };
        var error = await Wait.For(Assert.ThrowsAsync<CqlConnectionException>(() => session.RunAsync(Write, 1, 1)), "an error");
        Assert.True(error.MayHaveBeenApplied);
        Assert.Equal(server.EndPoint, error.Node);
        server.OnRequest = null;
        await Wait.Until(() => session.IsConnected, "there is another connection");
        Assert.Equal(5, (await session.RunAsync(Read, 5))[0].GetInt32(0));
    }

    [Fact]
    public async Task A_result_that_can_not_be_read_is_an_error_of_the_protocol_and_costs_the_connection()
    {
        await using var server = new FakeServer();
        await using var session = await ConnectAsync(server);
        await session.RunAsync(Read, 0);
        server.OnRequest = async request =>
        {
            if (request.Opcode != Opcode.Execute)
                return false;
            // A million rows in four bytes.
            await request.AnswerAsync(Opcode.Result, writer =>
            {
                writer.WriteInt32((int)ResultKind.Rows);
                writer.WriteInt32(4);
                writer.WriteInt32(1);
                writer.WriteInt32(1_000_000);
                writer.WriteInt32(0);
            });
            return true;
        };
        await Wait.For(Assert.ThrowsAsync<CqlProtocolException>(() => session.RunAsync(Read, 1)), "an error");
        server.OnRequest = null;
        await Wait.Until(() => session.IsConnected, "there is another connection");
        Assert.Equal(2, (await session.RunAsync(Read, 2))[0].GetInt32(0));
    }

    [Fact]
    public async Task What_never_left_goes_to_another_node_even_when_it_must_not_run_twice()
    {
        var servers = FakeServer.MakeCluster(2, replicas: 2);
        await using var one = servers[0];
        await using var two = servers[1];
        await using var session = await ConnectAsync(servers, options => options.MaxRequestsPerConnection = 1);
        await session.RunAsync(Write, 0, 0);
        var held = new List<FakeRequest>();
        var bothHeld = new TaskCompletionSource();
        foreach (var server in servers)
        {
            server.OnRequest = request =>
            {
                if (request.Opcode != Opcode.Execute)
                    return Task.FromResult(false);
                lock (held)
                {
                    held.Add(request);
                    if (held.Count == 2)
                        bothHeld.TrySetResult();
                }

                return Task.FromResult(true);
            };
        }

        var sent = Enumerable.Range(1, 2).Select(i => session.RunAsync(Write, i, i)).ToArray();
        await Wait.For(bothHeld.Task, "both connections to be taken");
        var waiting = Enumerable.Range(3, 2).Select(i => session.RunAsync(Write, i, i)).ToArray();
        var (broken, healthy) = (held[0], held[1]);
        broken.Connection.Server.OnRequest = null;
        healthy.Connection.Server.OnRequest = null;
        broken.Connection.Dispose();
        await healthy.Connection.Server.AnswerAsync(healthy);
        await Wait.For(Task.WhenAll(waiting), "those that were never sent");
        broken.Connection.Dispose();
        var lost = await Assert.ThrowsAsync<CqlConnectionException>(() => Task.WhenAll(sent));
        Assert.Equal(1, sent.Count(call => call.IsFaulted));
        Assert.True(lost.MayHaveBeenApplied);
    }

    [Fact]
    public async Task Any_bytes_at_all_give_an_error_and_never_a_hang()
    {
        var random = new Random(12345);
        await using var server = new FakeServer();
        await using var session = await ConnectAsync(server, options => options.RequestTimeout = TimeSpan.FromSeconds(2));
        await session.RunAsync(Read, 0);
        for (var round = 0; round < 60; round++)
        {
            var bytes = new byte[random.Next(1, 200)];
            random.NextBytes(bytes);
            server.OnRequest = async request =>
            {
                if (request.Opcode != Opcode.Execute)
                    return false;
                await request.Connection.SendRawAsync(bytes);
                request.Connection.Dispose();
                return true;
            };
            await Wait.For(Assert.ThrowsAnyAsync<CqlException>(() => session.RunAsync(Read, 1)), "an error");
            server.OnRequest = null;
            await Wait.Until(() => session.IsConnected, "there is another connection");
        }

        Assert.Equal(1, (await session.RunAsync(Read, 1))[0].GetInt32(0));
    }
}
