using WhatsAspire.Cql.Protocol;
using static WhatsAspire.Cql.Tests.Sessions.SessionTest;

namespace WhatsAspire.Cql.Tests.Sessions;

/// <summary>Servers that answer late, out of order, or never.</summary>
public sealed class AnswerTests
{
    [Theory]
    [InlineData(5)]
    [InlineData(4)]
    public async Task Answers_out_of_order_find_their_requests(int version)
    {
        await using var server = new FakeServer();
        await using var session = await ConnectAsync(server, options => options.MaxProtocolVersion = version);
        await session.RunAsync(Read, 0);
        var held = new TaskCompletionSource<FakeRequest>();
        server.OnRequest = request =>
        {
            var holds = request.Opcode == Opcode.Execute && request.FirstValue == 1;
            if (holds)
                held.TrySetResult(request);
            return Task.FromResult(holds);
        };
        var first = session.RunAsync(Read, 1);
        var heldRequest = await Wait.For(held.Task, "the first request");
        Assert.Equal(2, (await session.RunAsync(Read, 2))[0].GetInt32("v"));
        Assert.False(first.IsCompleted);
        await server.AnswerAsync(heldRequest);
        Assert.Equal(1, (await Wait.For(first, "the first answer"))[0].GetInt32("v"));
    }

    [Fact]
    public async Task A_late_answer_is_not_taken_for_another_request()
    {
        await using var server = new FakeServer();
        await using var session = await ConnectAsync(server, options =>
        {
            options.MaxRequestsPerConnection = 1;
            options.RequestTimeout = TimeSpan.FromMilliseconds(200);
        });
        await session.RunAsync(Read, 0);
        var held = new TaskCompletionSource<FakeRequest>();
        server.OnRequest = request => Task.FromResult(request.Opcode == Opcode.Execute && held.TrySetResult(request));

        await Assert.ThrowsAsync<CqlTimeoutException>(() => session.RunAsync(Read, 1));
        // The one stream is still taken: nothing can be sent.
        var waiting = await Assert.ThrowsAsync<CqlTimeoutException>(() => session.RunAsync(Write, 2, 2));
        Assert.False(waiting.MayHaveBeenApplied);
        await server.AnswerAsync(await held.Task);
        Assert.Equal(3, (await session.RunAsync(Read, 3))[0].GetInt32("v"));
    }

    [Fact]
    public async Task A_write_without_an_answer_may_have_been_applied_and_a_read_not()
    {
        await using var server = new FakeServer();
        await using var session = await ConnectAsync(server, options => options.RequestTimeout = TimeSpan.FromMilliseconds(200));
        await session.RunAsync(Read, 0);
        await session.RunAsync(Write, 0, 0);
        server.OnRequest = request => Task.FromResult(request.Opcode == Opcode.Execute);
        var write = await Assert.ThrowsAsync<CqlTimeoutException>(() => session.RunAsync(Write, 1, 1));
        Assert.True(write.MayHaveBeenApplied);
        Assert.Equal(server.EndPoint, write.Node);
        Assert.Equal(TimeSpan.FromMilliseconds(200), write.Timeout);
        Assert.False((await Assert.ThrowsAsync<CqlTimeoutException>(() => session.RunAsync(Read, 1))).MayHaveBeenApplied);
    }

    [Fact]
    public async Task The_callers_cancellation_ends_the_call_and_not_the_connection()
    {
        await using var server = new FakeServer();
        await using var session = await ConnectAsync(server);
        await session.RunAsync(Read, 0);
        var asked = new TaskCompletionSource();
        server.OnRequest = request => Task.FromResult(request.Opcode == Opcode.Execute && request.FirstValue == 1 && asked.TrySetResult());
        using var cancelling = new CancellationTokenSource();
        var call = session.ExecuteAsync(Read.Bind(1), cancelling.Token);
        await Wait.For(asked.Task, "the request");
        await cancelling.CancelAsync();
        var cancelled = await Assert.ThrowsAsync<OperationCanceledException>(() => call);
        Assert.Equal(cancelling.Token, cancelled.CancellationToken);
        Assert.Equal(2, (await session.RunAsync(Read, 2))[0].GetInt32("v"));
        Assert.Equal(2, server.Accepted);
    }

    [Fact]
    public async Task A_connection_with_too_many_unanswered_requests_is_replaced()
    {
        await using var server = new FakeServer();
        await using var session = await ConnectAsync(server, options =>
        {
            options.RequestTimeout = TimeSpan.FromMilliseconds(300);
            options.MaxOrphansPerConnection = 3;
        });
        await session.RunAsync(Read, 0);
        server.OnRequest = request => Task.FromResult(request.Opcode == Opcode.Execute);
        var before = server.Accepted;
        await Assert.ThrowsAnyAsync<CqlException>(() => Task.WhenAll(Enumerable.Range(0, 3).Select(i => session.RunAsync(Read, i))));
        server.OnRequest = null;
        await Wait.Until(() => server.Accepted > before && session.IsConnected, "the connection is replaced");
        Assert.Equal(1, (await session.RunAsync(Read, 1))[0].GetInt32("v"));
    }

    [Fact]
    public async Task A_silent_connection_is_asked_for_a_sign_of_life_and_closed_where_none_comes()
    {
        await using var server = new FakeServer();
        await using var session = await ConnectAsync(server, options =>
        {
            options.HeartbeatInterval = TimeSpan.FromMilliseconds(50);
            options.HeartbeatTimeout = TimeSpan.FromMilliseconds(100);
        });
        await Wait.Until(() => server.Count(Opcode.Options) > 4, "signs of life were asked for");
        var before = server.Accepted;
        server.OnRequest = request => Task.FromResult(request.Opcode == Opcode.Options);
        await Wait.Until(() => !session.IsConnected, "the silent node is down");
        server.OnRequest = null;
        await Wait.Until(() => session.IsConnected, "the node is up again");
        Assert.True(server.Accepted > before);
    }

    [Fact]
    public async Task More_requests_than_streams_wait_and_all_are_answered()
    {
        const int Requests = 6000;
        await using var server = new FakeServer();
        await using var session = await ConnectAsync(server, options => options.RequestTimeout = TimeSpan.FromMinutes(1));
        await session.RunAsync(Read, 0);
        var open = new TaskCompletionSource();
        var (inFlight, most) = (0, 0);
        var gate = new Lock();
        server.OnRequest = async request =>
        {
            if (request.Opcode != Opcode.Execute)
                return false;
            lock (gate)
            {
                most = Math.Max(most, ++inFlight);
                if (inFlight == 2048)
                    open.TrySetResult();
            }

            await open.Task;
            lock (gate)
                inFlight--;
            return false;
        };
        var calls = Enumerable.Range(0, Requests).Select(i => session.RunAsync(Read, i)).ToArray();
        var results = await Wait.For(Task.WhenAll(calls), "all answers");
        Assert.Equal(2048, most);
        Assert.Equal(Enumerable.Range(0, Requests), results.Select(result => result[0].GetInt32(0)));
    }

    [Fact]
    public async Task Waiting_requests_are_sent_in_the_order_of_their_calls()
    {
        await using var server = new FakeServer();
        await using var session = await ConnectAsync(server, options => options.MaxRequestsPerConnection = 1);
        await session.RunAsync(Read, 0);
        await Wait.For(Task.WhenAll(Enumerable.Range(1, 200).Select(i => session.RunAsync(Read, i))), "all answers");
        Assert.Equal(Enumerable.Range(0, 201), server.Requests.Where(request => request.Opcode == Opcode.Execute).Select(request => request.FirstValue));
    }

    [Fact]
    public async Task Beyond_the_queue_calls_fail_at_once_and_nothing_is_sent()
    {
        await using var server = new FakeServer();
        await using var session = await ConnectAsync(server, options => (options.MaxRequestsPerConnection, options.MaxWaitingPerConnection) = (1, 1));
        await session.RunAsync(Write, 0, 0);
        var held = new TaskCompletionSource<FakeRequest>();
        server.OnRequest = request => Task.FromResult(request.Opcode == Opcode.Execute && held.TrySetResult(request));
        var first = session.RunAsync(Write, 1, 1);
        var request = await Wait.For(held.Task, "the first request");
        var second = session.RunAsync(Write, 2, 2);
        var busy = await Assert.ThrowsAsync<CqlNoHostException>(() => session.RunAsync(Write, 3, 3));
        Assert.IsType<CqlBusyException>(Assert.Single(busy.Errors).Value);
        Assert.False(busy.MayHaveBeenApplied);
        await server.AnswerAsync(request);
        await Wait.For(Task.WhenAll(first, second), "the two that were let in");
    }
}
