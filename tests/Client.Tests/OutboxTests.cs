using WhatsAspire.Contracts;
using static WhatsAspire.Client.Tests.TestClient;

namespace WhatsAspire.Client.Tests;

/// <summary>What becomes of a message that is to be sent.</summary>
public sealed class OutboxTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    [Trait("Requirement", "R2")]
    public async Task A_message_whose_connection_dies_is_sent_through_the_other_address_under_the_same_id()
    {
        await using var first = await ScriptedServer.StartAsync();
        await using var second = await ScriptedServer.StartAsync();
        await using var test = new TestClient(null, first, second);
        test.Client.Start();
        var connection = await first.WelcomeAsync();
        var message = await test.Client.SendAsync(Bob, "hello", cancellationToken: Cancel);
        var tried = await connection.ReceiveNextAsync("send");
        Assert.Equal(MessageStatus.Pending, message.Status);
        connection.Abort();
        var other = await second.WelcomeAsync();
        var again = await other.ReceiveNextAsync("send");
        Assert.Equal(tried.ToJsonString(), again.ToJsonString());
        await other.SendAsync(Sent(again, 1, duplicate: true));
        Assert.Equal(1, (await message.Sent.In("sent")).Seq);
        Assert.Equal(MessageStatus.Sent, message.Status);
    }

    [Fact]
    public async Task A_message_that_was_refused_for_now_is_tried_again_and_not_overtaken()
    {
        await using var server = await ScriptedServer.StartAsync();
        await using var test = new TestClient(null, server);
        test.Client.Start();
        var connection = await server.WelcomeAsync();
        await test.Client.SendAsync(Bob, "first", clientMessageId: "a", cancellationToken: Cancel);
        var second = await test.Client.SendAsync(Bob, "second", clientMessageId: "b", cancellationToken: Cancel);
        Assert.Equal("a", (string?)(await connection.ReceiveNextAsync("send"))["client_message_id"]);
        await connection.SendAsync(Error("a", "unavailable", retryable: true));
        var again = await connection.ReceiveNextAsync("send");
        Assert.Equal("a", (string?)again["client_message_id"]);
        Assert.False(connection.HasFrame);
        await connection.SendAsync(Sent(again, 1));
        var next = await connection.ReceiveNextAsync("send");
        Assert.Equal("b", (string?)next["client_message_id"]);
        await connection.SendAsync(Sent(next, 2));
        Assert.Equal(2, (await second.Sent.In("sent")).Seq);
    }

    [Fact]
    public async Task Messages_of_different_conversations_do_not_wait_for_each_other()
    {
        await using var server = await ScriptedServer.StartAsync();
        await using var test = new TestClient(null, server);
        test.Client.Start();
        var connection = await server.WelcomeAsync();
        await test.Client.SendAsync(Bob, "to bob", clientMessageId: "a", cancellationToken: Cancel);
        await test.Client.SendAsync(new ConversationId(Guid.NewGuid()), "to another", clientMessageId: "b", cancellationToken: Cancel);
        Assert.Equal("a", (string?)(await connection.ReceiveNextAsync("send"))["client_message_id"]);
        Assert.Equal("b", (string?)(await connection.ReceiveNextAsync("send"))["client_message_id"]);
    }

    [Fact]
    [Trait("Requirement", "R2")]
    public async Task A_conflict_is_the_end_of_that_message_and_not_of_the_next()
    {
        await using var server = await ScriptedServer.StartAsync();
        await using var test = new TestClient(null, server);
        test.Client.Start();
        var connection = await server.WelcomeAsync();
        var bad = await test.Client.SendAsync(Bob, "other content", clientMessageId: "used", cancellationToken: Cancel);
        var good = await test.Client.SendAsync(Bob, "good", cancellationToken: Cancel);
        await connection.ReceiveNextAsync("send");
        await connection.SendAsync(Error("used", "conflict"));
        var error = await Assert.ThrowsAsync<ChatException>(() => bad.Sent.In("the refusal"));
        Assert.Equal(("conflict", false), (error.Code, error.Retryable));
        await connection.SendAsync(Sent(await connection.ReceiveNextAsync("send"), 1));
        Assert.Equal(1, (await good.Sent.In("sent")).Seq);
    }

    [Fact]
    public async Task The_same_id_again_is_the_same_message_and_with_other_content_a_conflict()
    {
        await using var server = await ScriptedServer.StartAsync();
        await using var test = new TestClient(null, server);
        var message = await test.Client.SendAsync(Bob, "hello", clientMessageId: "x", cancellationToken: Cancel);
        Assert.Same(message, await test.Client.SendAsync(Chat, "hello", clientMessageId: "x", cancellationToken: Cancel));
        Assert.Equal("conflict", (await Assert.ThrowsAsync<ChatException>(
            () => test.Client.SendAsync(Bob, "bye", clientMessageId: "x", cancellationToken: Cancel))).Code);
    }

    [Fact]
    public async Task What_the_server_would_refuse_is_refused_at_once()
    {
        await using var server = await ScriptedServer.StartAsync();
        await using var test = new TestClient(null, server);
        foreach (var (text, code) in new[] { ("", "invalid_argument"), ("\ud800 half", "invalid_argument"), (new('x', 4097), "too_large") })
        {
            Assert.Equal(code, (await Assert.ThrowsAsync<ChatException>(
                () => test.Client.SendAsync(Bob, text, cancellationToken: Cancel))).Code);
        }

        Assert.Empty(test.Client.Outbox);
    }

    [Fact]
    public async Task A_message_without_an_answer_is_sent_again()
    {
        var time = new Microsoft.Extensions.Time.Testing.FakeTimeProvider();
        await using var server = await ScriptedServer.StartAsync();
        await using var test = new TestClient(Fast with { Time = time, ConnectTimeout = TimeSpan.FromHours(1) }, server);
        test.Client.Start();
        var connection = await server.WelcomeAsync();
        await test.NextStatusAsync(ConnectionState.Online);
        await test.Client.SendAsync(Bob, "hello", clientMessageId: "a", cancellationToken: Cancel);
        await connection.ReceiveNextAsync("send");
        // The connection lives, so that it is the message that is tried again and not the connection.
        time.Advance(TimeSpan.FromSeconds(1));
        await connection.SendAsync(Receipt(0, 0));
        await connection.SendAsync(Message(1));
        await test.NextMessageAsync();
        var again = await connection.ReceiveNextAsync("send").WhileTimePasses(time, TimeSpan.FromMilliseconds(100));
        Assert.Equal("a", (string?)again["client_message_id"]);
    }

    [Fact]
    public async Task A_full_outbox_makes_the_sender_wait()
    {
        await using var server = await ScriptedServer.StartAsync();
        await using var test = new TestClient(Fast with { OutboxCapacity = 1 }, server);
        await test.Client.SendAsync(Bob, "first", cancellationToken: Cancel);
        var second = test.Client.SendAsync(Bob, "second", cancellationToken: Cancel);
        Assert.False(second.IsCompleted);
        test.Client.Start();
        var connection = await server.WelcomeAsync();
        await connection.SendAsync(Sent(await connection.ReceiveNextAsync("send"), 1));
        await second.In("room in the outbox");
        Assert.Equal("second", (string?)(await connection.ReceiveNextAsync("send"))["text"]);
    }

    [Fact]
    public async Task Disposing_cancels_what_was_not_sent_and_who_waits_for_room()
    {
        await using var server = await ScriptedServer.StartAsync();
        await using var test = new TestClient(Fast with { OutboxCapacity = 1 }, server);
        test.Client.Start();
        await server.WelcomeAsync();
        var message = await test.Client.SendAsync(Bob, "first", cancellationToken: Cancel);
        var waiting = test.Client.SendAsync(Bob, "second", cancellationToken: Cancel);
        await test.Client.DisposeAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => message.Sent.In("the end"));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting.In("the end"));
    }
}
