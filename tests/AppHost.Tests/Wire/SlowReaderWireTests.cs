using System.Globalization;
using System.Text.Json.Nodes;

namespace WhatsAspire.AppHost.Tests.Wire;

/// <summary>Clients that stop reading.</summary>
[Trait("Requirement", "R40")]
public sealed class SlowReaderWireTests(WireSystem system) : WireTest(system)
{
    private const int Messages = 10_000;
    private const int SlowReaders = 4;
    private const long Mebibyte = 1024 * 1024;

    [Fact]
    public async Task A_reader_that_stops_costs_less_than_1_MiB_and_gets_all_10_000_in_order_when_it_reads_on()
    {
        var (ann, bob) = (await UserAsync(), await UserAsync());
        var annSocket = await ConnectAsync(ann, System.FirstEdge);
        // About 20 MiB in all: several times what the kernel takes for a connection.
        var text = new string('x', 2000);
        // Several devices, all of whom get everything: what else moves in the edge's heap counts for one.
        var readers = new List<WireSocket> { await ConnectAsync(bob, System.OtherEdge) };
        while (readers.Count < SlowReaders) readers.Add(await ConnectAsync(await bob.OtherDeviceAsync(Cancellation), System.OtherEdge));
        await Task.WhenAll([SendAsync(annSocket, bob, text, 0, Messages), .. readers.Select(r => ReadAllAsync(r, 0))]);
        var before = await HeapAsync();
        await Task.WhenAll([SendAsync(annSocket, bob, text, Messages, Messages), .. readers.Select(r => ReadAllAsync(r, Messages))]);
        var afterReader = await HeapAsync();

        // The same connections, and they stop.
        await SendAsync(annSocket, bob, text, 2 * Messages, Messages);
        var afterSlow = await LeastHeapAsync(afterReader + (SlowReaders * Mebibyte));

        TestContext.Current.SendDiagnosticMessage(
            $"The edge's heap of {Mega(before)} MiB grew by {Mega(afterReader - before)} MiB for {SlowReaders} readers, and by {Mega(afterSlow - afterReader)} MiB when they had stopped.");
        var each = (afterSlow - afterReader) / SlowReaders;
        Assert.True(each < Mebibyte, $"A reader that stopped costs {Mega(each)} MiB.");

        // They read on, and are live again.
        await Task.WhenAll(readers.Select(r => ReadAllAsync(r, 2 * Messages)));
        await ann.PostMessageAsync(bob, "live again", Cancellation);
        foreach (var reader in readers)
            Assert.Equal(3 * Messages + 1, (long?)(await reader.ReceiveAsync("message", Cancellation))["seq"]);
    }

    [Fact]
    public async Task Who_pings_and_never_reads_is_not_buffered_for()
    {
        var socket = await ConnectAsync(await UserAsync(), System.OtherEdge);
        var pings = Enumerable.Repeat(WireSocket.Text("""{"type":"ping"}"""), 10_000).SelectMany(ping => ping).ToArray();
        await socket.SendBytesAsync(pings, Cancellation);
        var before = await HeapAsync();

        // Their pongs have 60 bytes and more each: 60 MiB, without what a queue costs beside. The bound is far from that, and
        // above what a million frames leave in the pools of the process.
        for (var i = 0; i < 100; i++) await socket.SendBytesAsync(pings, Cancellation);
        var grown = await LeastHeapAsync(before + (4 * Mebibyte)) - before;

        Assert.True(grown < 4 * Mebibyte, $"A million pings without a reader cost {Mega(grown)} MiB.");
        await socket.SendTextAsync("""{"type":"ping","ref":"last"}""", Cancellation);
        await socket.ReceiveAsync("pong", pong => (string?)pong["ref"] == "last", Cancellation);
    }

    [Fact]
    public async Task A_chat_cleared_while_its_reader_had_stopped_still_brings_what_comes_later()
    {
        var (ann, bob) = (await UserAsync(), await UserAsync());
        var annSocket = await ConnectAsync(ann, System.FirstEdge);
        var bobSocket = await ConnectAsync(bob, System.OtherEdge);
        // 16 MiB: more than what the kernel takes for a connection.
        const int count = 4_000;
        var conversation = await SendAsync(annSocket, bob, new string('x', 4000), 0, count);

        await bob.DeleteAsync($"/conversations/{conversation}/messages", Cancellation);
        await bobSocket.ReceiveAsync("conversation", frame => (long?)frame["cleared_seq"] == count, Cancellation);
        await ann.PostMessageAsync(bob, "later", Cancellation);

        Assert.Equal(count + 1, (long?)(await bobSocket.ReceiveAsync("message", frame => (string?)frame["text"] == "later", Cancellation))["seq"]);
    }

    /// <summary>Sends so many, and waits until all are stored.</summary>
    private static async Task<string> SendAsync(WireSocket from, WireUser to, string text, long after, int count)
    {
        JsonObject sent = [];
        var received = Task.Run(
            async () =>
            {
                for (var i = 1; i <= count; i++)
                {
                    sent = await from.ReceiveAnyAsync(Cancellation);
                    Assert.Equal(("sent", after + i), ((string)sent["type"]!, (long?)sent["seq"] ?? 0));
                }
            },
            Cancellation);
        for (var i = 0; i < count; i++) await from.SendMessageAsync(to, text, Cancellation);
        await received;
        return (string)sent["conversation_id"]!;
    }

    /// <summary>Reads all that are due: in order, none twice; what a jump leaves out is pulled.</summary>
    private static async Task ReadAllAsync(WireSocket socket, long after)
    {
        var last = after;
        while (last < after + Messages)
        {
            var message = await socket.ReceiveAsync("message", Cancellation);
            var seq = (long)message["seq"]!;
            Assert.True(seq > last, $"seq {seq} came after {last}");
            if (seq > last + 1) await PullAsync(socket, (string)message["conversation_id"]!, last, seq);
            last = seq;
        }
    }

    private static async Task PullAsync(WireSocket socket, string conversation, long after, long before)
    {
        while (after < before - 1)
        {
            await socket.SendAsync(
                new { type = "pull", @ref = "gap", ranges = new[] { new { conversation_id = conversation, after, limit = Math.Min(500, before - after - 1) } } }, Cancellation);
            foreach (var missed in (await socket.ReceiveAsync("page", Cancellation))["messages"]!.AsArray())
                Assert.Equal(++after, (long)missed!["seq"]!);
        }
    }

    private Task<long> HeapAsync() => ManagedHeap.CollectAsync(System.Edge(1).ProcessId, Cancellation);

    /// <summary>The heap once it is no more than so much, or the least of several looks: what is under way at the moment of
    /// one is not what a connection keeps.</summary>
    private async Task<long> LeastHeapAsync(long enough)
    {
        var least = await HeapAsync();
        for (var look = 1; look < 5 && least > enough; look++) least = Math.Min(least, await HeapAsync());
        return least;
    }

    private static string Mega(long bytes) => ((double)bytes / Mebibyte).ToString("F1", CultureInfo.InvariantCulture);
}
