using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Frames;
using static WhatsAspire.Client.Tests.TestClient;

namespace WhatsAspire.Client.Tests;

/// <summary>What the app is shown.</summary>
public sealed class InboxTests
{
    [Fact]
    [Trait("Requirement", "R60")]
    public async Task Messages_come_in_order_though_the_frames_did_not()
    {
        await using var server = await ScriptedServer.StartAsync();
        await using var test = new TestClient(Fast with { GapGrace = TimeSpan.FromMinutes(1) }, server);
        test.Client.Start();
        var connection = await server.WelcomeAsync();
        foreach (var seq in new long[] { 1, 3, 4, 2, 5 }) await connection.SendAsync(Message(seq));
        Assert.Equal([1, 2, 3, 4, 5], await test.NextSeqsAsync(5));
    }

    [Fact]
    [Trait("Requirement", "R60")]
    public async Task A_message_that_comes_twice_is_shown_once()
    {
        await using var server = await ScriptedServer.StartAsync();
        await using var test = new TestClient(null, server);
        test.Client.Start();
        var connection = await server.WelcomeAsync();
        foreach (var seq in new long[] { 1, 1, 2, 1, 2, 3 }) await connection.SendAsync(Message(seq));
        Assert.Equal([1, 2, 3], await test.NextSeqsAsync(3));
        connection.Abort();
        var again = await server.WelcomeAsync("2", Summary(head: 4));
        var pull = await again.ReceiveNextAsync("pull");
        await again.SendAsync(Page(pull, 1, 4));
        Assert.Equal(4, (await test.NextMessageAsync()).Seq);
    }

    [Fact]
    [Trait("Requirement", "R60")]
    public async Task A_live_gap_is_pulled_and_filled()
    {
        await using var server = await ScriptedServer.StartAsync();
        await using var test = new TestClient(Fast with { GapGrace = TimeSpan.FromMilliseconds(1) }, server);
        test.Client.Start();
        var connection = await server.WelcomeAsync();
        await connection.SendAsync(Message(1));
        await connection.SendAsync(Message(4));
        var pull = await connection.ReceiveNextAsync("pull");
        var range = Assert.Single(pull["ranges"]!.AsArray())!;
        Assert.Equal((Chat.ToString(), 1), ((string?)range["conversation_id"], (long?)range["after"]));
        await connection.SendAsync(Page(pull, 2, 4));
        Assert.Equal([1, 2, 3, 4], await test.NextSeqsAsync(4));
    }

    [Fact]
    [Trait("Requirement", "R60")]
    public async Task What_many_conversations_lack_is_asked_for_in_one_pull_and_until_there_is_no_more()
    {
        var other = new ConversationId(Guid.NewGuid());
        await using var server = await ScriptedServer.StartAsync();
        await using var test = new TestClient(null, server);
        test.Client.Start();
        var connection = await server.WelcomeAsync("1", Summary(head: 3), Summary(head: 2, conversation: other));
        var pull = await connection.ReceiveNextAsync("pull");
        Assert.Equal(2, pull["ranges"]!.AsArray().Count);
        await connection.SendAsync(Page(pull, 1, 2, more: true, head: 3));
        await connection.SendAsync(Page(pull, 1, 2, conversation: other));
        var next = await connection.ReceiveNextAsync("pull");
        Assert.Equal(2, (long?)Assert.Single(next["ranges"]!.AsArray())!["after"]);
        await connection.SendAsync(Page(next, 3, 3));
        var shown = new List<MessageFrame>();
        while (shown.Count < 5) shown.Add(await test.NextMessageAsync());
        Assert.Equal([1, 2, 3], shown.Where(m => m.ConversationId == Chat).Select(m => m.Seq));
        Assert.Equal([1, 2], shown.Where(m => m.ConversationId == other).Select(m => m.Seq));
    }

    [Fact]
    public async Task What_a_page_leaves_out_does_not_exist_for_this_user()
    {
        await using var server = await ScriptedServer.StartAsync();
        await using var test = new TestClient(null, server);
        test.Client.Start();
        var connection = await server.WelcomeAsync("1", Summary(head: 7));
        var pull = await connection.ReceiveNextAsync("pull");
        await connection.SendAsync(Page(pull, 4, 5, head: 7));
        Assert.Equal([4, 5], await test.NextSeqsAsync(2));
        await connection.SendAsync(Message(8));
        Assert.Equal(8, (await test.NextMessageAsync()).Seq);
    }

    [Fact]
    public async Task A_conversation_that_the_server_will_not_give_does_not_hold_up_the_others()
    {
        var lost = new ConversationId(Guid.NewGuid());
        await using var server = await ScriptedServer.StartAsync();
        await using var test = new TestClient(null, server);
        test.Client.Start();
        var connection = await server.WelcomeAsync("1", Summary(head: 3, conversation: lost), Summary(head: 1));
        var pull = await connection.ReceiveNextAsync("pull");
        await connection.SendAsync(Error((string)pull["ref"]!, "not_found"));
        for (var asked = 0; asked < 2; asked++)
        {
            var single = await connection.ReceiveNextAsync("pull");
            var id = (string?)Assert.Single(single["ranges"]!.AsArray())!["conversation_id"];
            await connection.SendAsync(id == lost.ToString() ? Error((string)single["ref"]!, "not_found") : Page(single, 1, 1));
        }

        Assert.Equal(Chat, (await test.NextMessageAsync()).ConversationId);
    }

    [Theory]
    [InlineData(FirstSync.FromStart, 0)]
    [InlineData(FirstSync.Undelivered, 6)]
    public async Task The_first_sync_fetches_what_the_option_says(FirstSync option, long after)
    {
        await using var server = await ScriptedServer.StartAsync();
        await using var test = new TestClient(Fast with { FirstSync = option }, server);
        test.Client.Start();
        var connection = await server.WelcomeAsync("1", Summary(head: 9, delivered: 6));
        Assert.Equal(after, (long?)(await connection.ReceiveNextAsync("pull"))["ranges"]![0]!["after"]);
    }

    [Fact]
    public async Task The_first_sync_fetches_nothing_when_told_so_but_what_comes_later()
    {
        await using var server = await ScriptedServer.StartAsync();
        await using var test = new TestClient(Fast with { FirstSync = FirstSync.Nothing }, server);
        test.Client.Start();
        var connection = await server.WelcomeAsync("1", Summary(head: 9, delivered: 6));
        await connection.SendAsync(Message(10));
        Assert.Equal(10, (await test.NextMessageAsync()).Seq);
    }

    [Fact]
    public async Task Positions_are_acknowledged_together_and_again_when_the_server_has_forgotten()
    {
        await using var server = await ScriptedServer.StartAsync();
        await using var test = new TestClient(Fast with { AckDelay = TimeSpan.FromMilliseconds(300) }, server);
        test.Client.Start();
        var connection = await server.WelcomeAsync();
        for (var seq = 1; seq <= 5; seq++) await connection.SendAsync(Message(seq));
        await test.NextSeqsAsync(5);
        var ack = await connection.ReceiveAsync("ack");
        Assert.Equal(5, (long?)Assert.Single(ack["positions"]!.AsArray())!["seq"]);
        Assert.False(connection.HasFrame);
        await connection.SendAsync(Summary(head: 5, delivered: 2));
        Assert.Equal(5, (long?)(await connection.ReceiveAsync("ack"))["positions"]![0]!["seq"]);
    }

    [Fact]
    public async Task Nothing_is_acknowledged_before_the_app_has_it()
    {
        await using var server = await ScriptedServer.StartAsync();
        await using var test = new TestClient(Fast with { AckDelay = TimeSpan.Zero }, server);
        test.Client.Start();
        var connection = await server.WelcomeAsync();
        await connection.SendAsync(Message(1));
        await connection.SendAsync(Message(2));
        // The answer to the send shows that the client has worked through what came before it.
        var other = new ConversationId(Guid.NewGuid());
        var message = await test.Client.SendAsync(other, "x", cancellationToken: TestContext.Current.CancellationToken);
        var send = await connection.ReceiveAsync("send");
        await connection.SendAsync(Sent(send, 1).Replace(Chat.ToString(), other.ToString(), StringComparison.Ordinal));
        await message.Sent.In("sent");
        Assert.False(connection.HasFrame);
        Assert.Equal(1, (await test.NextMessageAsync()).Seq);
        Assert.Equal(1, (long?)(await connection.ReceiveAsync("ack"))["positions"]![0]!["seq"]);
    }

    [Fact]
    public async Task A_slow_reader_is_not_buffered_for_but_gets_everything()
    {
        const int count = 200;
        await using var server = await ScriptedServer.StartAsync();
        await using var test = new TestClient(Fast with { QueueCapacity = 8 }, server);
        test.Client.Start();
        var connection = await server.WelcomeAsync();
        for (var seq = 1; seq <= count; seq++) await connection.SendAsync(Message(seq));
        var read = test.NextSeqsAsync(count);
        while (!read.IsCompleted)
        {
            var pulling = connection.ReceiveNextAsync("pull");
            if (await Task.WhenAny(pulling, read) == read) break;
            var pull = await pulling;
            var range = pull["ranges"]![0]!;
            var after = (long)range["after"]!;
            Assert.InRange((long)range["limit"]!, 1, 8);
            await connection.SendAsync(Page(pull, after + 1, Math.Min(count, after + (long)range["limit"]!), after + (long)range["limit"]! < count, count));
        }

        Assert.Equal(Enumerable.Range(1, count).Select(i => (long)i), await read);
    }

    [Fact]
    public async Task Own_messages_take_their_place_among_the_others()
    {
        await using var server = await ScriptedServer.StartAsync();
        await using var test = new TestClient(null, server);
        test.Client.Start();
        var connection = await server.WelcomeAsync();
        await connection.SendAsync(Message(1));
        var message = await test.Client.SendAsync(Bob, "mine", cancellationToken: TestContext.Current.CancellationToken);
        await connection.SendAsync(Sent(await connection.ReceiveNextAsync("send"), 2));
        await connection.SendAsync(Message(3));
        Assert.Equal([1, 2, 3], await test.NextSeqsAsync(3));
        Assert.Equal(2, (await message.Sent).Seq);
    }

    [Fact]
    public async Task Unread_counts_follow_the_messages_and_a_read_elsewhere()
    {
        await using var server = await ScriptedServer.StartAsync();
        await using var test = new TestClient(null, server);
        var counts = System.Threading.Channels.Channel.CreateUnbounded<long>();
        test.Client.ConversationChanged += c => counts.Writer.TryWrite(c.UnreadCount);
        test.Client.Start();
        var connection = await server.WelcomeAsync("1", Summary(head: 0));
        await connection.SendAsync(Message(1));
        await connection.SendAsync(Message(2));
        await connection.SendAsync(Message(3, kind: "delete"));
        await test.NextSeqsAsync(3);
        Assert.Equal((2, 3), (test.Client.GetConversation(Chat)!.UnreadCount, test.Client.GetConversation(Chat)!.HeadSeq));
        await connection.SendAsync(Summary(head: 3, read: 2, unread: 0));
        while (await counts.Reader.ReadAsync(TestContext.Current.CancellationToken).AsTask().In("a count of 0 after the read") != 0 || test.Client.GetConversation(Chat)!.ReadSeq == 0)
        {
        }

        // A summary that was made before the newest message does not hide it.
        await connection.SendAsync(Message(4));
        await connection.SendAsync(Summary(head: 3, read: 2, unread: 0));
        await test.NextMessageAsync();
        await connection.SendAsync(Message(5));
        await test.NextMessageAsync();
        Assert.Equal(2, test.Client.GetConversation(Chat)!.UnreadCount);
    }
}
