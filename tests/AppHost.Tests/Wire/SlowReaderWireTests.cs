using System.Globalization;
using System.Text.Json.Nodes;

namespace WhatsAspire.AppHost.Tests.Wire;

/// <summary>
/// Clients that stop reading. What one of them costs its edge is less than a process' memory sways by itself, so there
/// are many, and what they cost together is measured against clients that read the same.
/// </summary>
[Trait("Requirement", "R40")]
public sealed class SlowReaderWireTests(WireSystem system) : WireTest(system)
{
    private const int Messages = 10_000;
    private const int Devices = 16;
    private const long Mebibyte = 1024 * 1024;

    [Fact]
    public async Task Readers_that_stop_cost_less_than_1_MiB_each_and_get_all_10_000_in_order_when_they_read_on()
    {
        var (ann, bob) = (await UserAsync(), await UserAsync());
        var annSocket = await ConnectAsync(ann, System.FirstEdge);
        WireUser[] devices = [bob, .. await Task.WhenAll(Enumerable.Range(1, Devices - 1).Select(_ => bob.OtherDeviceAsync(Cancellation)))];
        // Of about 1 KiB each in a frame: 10 MiB for each device.
        var text = new string('x', 700);

        // Twice with readers: after the first, everything that grows once has grown.
        var reading = await ConnectAllAsync(devices);
        await Task.WhenAll(SendAsync(annSocket, bob, text, 0, Messages), ReadAllAsync(reading, 0));
        var before = Memory();
        await Task.WhenAll(SendAsync(annSocket, bob, text, Messages, Messages), ReadAllAsync(reading, Messages));
        var afterReaders = Memory();
        foreach (var socket in reading) await socket.DisposeAsync();

        var slow = await ConnectAllAsync(devices);
        var beforeSlow = Memory();
        await SendAsync(annSocket, bob, text, 2 * Messages, Messages);
        var afterSlow = Memory();

        TestContext.Current.SendDiagnosticMessage(
            $"The edge grew by {Mega(afterReaders - before)} MiB for {Devices} readers, and by {Mega(afterSlow - beforeSlow)} MiB for {Devices} that had stopped.");
        var more = afterSlow - beforeSlow - Math.Max(0, afterReaders - before);
        Assert.True(more < Devices * Mebibyte, $"{Devices} slow readers cost {Mega(more)} MiB more than as many readers.");

        // They read on, and are live again.
        await ReadAllAsync(slow, 2 * Messages);
        await ann.PostMessageAsync(bob, "live again", Cancellation);
        foreach (var socket in slow)
            Assert.Equal(3 * Messages + 1, (long?)(await socket.ReceiveAsync("message", Cancellation))["seq"]);
    }

    [Fact]
    public async Task Who_pings_and_never_reads_is_not_buffered_for()
    {
        var socket = await ConnectAsync(await UserAsync(), System.OtherEdge);
        var pings = Enumerable.Repeat(WireSocket.Text("""{"type":"ping"}"""), 10_000).SelectMany(ping => ping).ToArray();
        await socket.SendBytesAsync(pings, Cancellation);
        var before = Memory();

        // Their pongs have 60 bytes and more each: 60 MiB, without what a queue costs beside.
        for (var i = 0; i < 100; i++) await socket.SendBytesAsync(pings, Cancellation);
        await using var other = await ConnectAsync(await UserAsync(), System.OtherEdge);

        Assert.True(Memory() - before < 32 * Mebibyte, $"A million pings without a reader cost {Mega(Memory() - before)} MiB.");
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

    private async Task<WireSocket[]> ConnectAllAsync(WireUser[] devices) =>
        await Task.WhenAll(devices.Select(device => ConnectAsync(device, System.OtherEdge)));

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

    /// <summary>Reads all that are due on every device: in order, none twice; what a jump leaves out is pulled.</summary>
    private static Task ReadAllAsync(WireSocket[] sockets, long after) => Task.WhenAll(sockets.Select(async socket =>
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
    }));

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

    /// <summary>What of the other edge is in memory, without files that are mapped: bytes.</summary>
    private long Memory()
    {
        var line = File.ReadLines($"/proc/{System.Edge(1).ProcessId}/status").Single(line => line.StartsWith("RssAnon:", StringComparison.Ordinal));
        return 1024 * long.Parse(line.AsSpan("RssAnon:".Length).Trim().TrimEnd("kB"), NumberStyles.Number, CultureInfo.InvariantCulture);
    }

    private static string Mega(long bytes) => ((double)bytes / Mebibyte).ToString("F1", CultureInfo.InvariantCulture);
}
