using static WhatsAspire.Client.Tests.TestClient;

namespace WhatsAspire.Client.Tests;

/// <summary>Ticks and read positions.</summary>
public sealed class ReceiptTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    [Trait("Requirement", "R11")]
    public async Task Ticks_only_go_forward_whatever_order_they_come_in()
    {
        await using var server = await ScriptedServer.StartAsync();
        await using var test = new TestClient(null, server);
        var seen = System.Threading.Channels.Channel.CreateUnbounded<Receipt>();
        test.Client.ReceiptChanged += r => seen.Writer.TryWrite(r);
        test.Client.Start();
        var connection = await server.WelcomeAsync();
        var message = await test.Client.SendAsync(Bob, "hello", cancellationToken: Cancel);
        await connection.SendAsync(Sent(await connection.ReceiveNextAsync("send"), 1));
        await message.WaitForAsync(MessageStatus.Sent, Cancel).In("sent");
        Assert.Equal(MessageStatus.Sent, message.Status);
        await connection.SendAsync(Receipt(delivered: 1, read: 0));
        await message.WaitForAsync(MessageStatus.Delivered, Cancel).In("delivered");
        Assert.Equal(MessageStatus.Delivered, message.Status);
        await connection.SendAsync(Receipt(delivered: 0, read: 0));
        await connection.SendAsync(Receipt(delivered: 0, read: 1));
        await message.WaitForAsync(MessageStatus.Read, Cancel).In("read");
        // An old summary, and the next receipt to know that it was seen.
        await connection.SendAsync(Summary(head: 1, othersDelivered: 0, othersRead: 0));
        await connection.SendAsync(Receipt(delivered: 2, read: 1));
        var last = new Receipt(default, 0, 0);
        while (last.DeliveredSeq < 2)
        {
            var next = await seen.Reader.ReadAsync(Cancel).AsTask().In("a receipt");
            Assert.True(next.DeliveredSeq >= last.DeliveredSeq && next.ReadSeq >= last.ReadSeq, $"{next} after {last}");
            last = next;
        }

        Assert.Equal(MessageStatus.Read, message.Status);
    }

    [Fact]
    public async Task Ticks_that_came_while_offline_are_in_the_summary()
    {
        await using var server = await ScriptedServer.StartAsync();
        await using var test = new TestClient(null, server);
        test.Client.Start();
        var connection = await server.WelcomeAsync();
        var message = await test.Client.SendAsync(Bob, "hello", cancellationToken: Cancel);
        await connection.SendAsync(Sent(await connection.ReceiveNextAsync("send"), 1));
        await message.Sent.In("sent");
        connection.Abort();
        await server.WelcomeAsync("2", Summary(head: 1, delivered: 1, othersDelivered: 1, othersRead: 1));
        await message.WaitForAsync(MessageStatus.Read, Cancel).In("read");
    }

    [Fact]
    public async Task Reading_is_told_once_for_many_and_again_when_the_answer_was_lost()
    {
        await using var server = await ScriptedServer.StartAsync();
        await using var test = new TestClient(null, server);
        var first = test.Client.MarkReadAsync(Chat, 3, Cancel);
        var second = test.Client.MarkReadAsync(Chat, 5, Cancel);
        test.Client.Start();
        var connection = await server.WelcomeAsync();
        Assert.Equal(5, (long?)(await connection.ReceiveAsync("read"))["seq"]);
        connection.Abort();
        var again = await server.WelcomeAsync();
        var read = await again.ReceiveAsync("read");
        Assert.False(second.IsCompleted);
        await again.SendAsync(Summary(head: 5, delivered: 5, read: 5, reference: (string?)read["ref"]));
        await first.In("the answer");
        await second.In("the answer");
        Assert.Equal(5, test.Client.GetConversation(Chat)!.ReadSeq);
        // What is read already needs no asking.
        Assert.True(test.Client.MarkReadAsync(Chat, 4, Cancel).IsCompletedSuccessfully);
    }

    [Fact]
    public async Task A_read_that_is_refused_says_so()
    {
        await using var server = await ScriptedServer.StartAsync();
        await using var test = new TestClient(null, server);
        test.Client.Start();
        var connection = await server.WelcomeAsync();
        var marking = test.Client.MarkReadAsync(Chat, 99, Cancel);
        await connection.SendAsync(Error((string)(await connection.ReceiveAsync("read"))["ref"]!, "invalid_argument"));
        Assert.Equal("invalid_argument", (await Assert.ThrowsAsync<ChatException>(() => marking.In("the refusal"))).Code);
    }
}
