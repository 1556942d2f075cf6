using System.Text.Json.Nodes;

namespace WhatsAspire.AppHost.Tests.Wire;

/// <summary>One order for everybody.</summary>
[Trait("Requirement", "R4")]
public sealed class OrderWireTests(WireSystem system) : WireTest(system)
{
    [Fact]
    public async Task Sends_pipelined_on_one_socket_keep_their_order()
    {
        var (ann, bob) = (await UserAsync(), await UserAsync());
        var annSocket = await ConnectAsync(ann, System.FirstEdge);
        var bobSocket = await ConnectAsync(bob, System.OtherEdge);
        const int count = 200;
        var bytes = Enumerable.Range(1, count)
            .SelectMany(i => WireSocket.Text(new { type = "send", client_message_id = $"{i}", to = new { user_id = bob.Id }, text = $"{i}" })).ToArray();

        await annSocket.SendBytesAsync(bytes, Cancellation);

        for (var i = 1; i <= count; i++)
        {
            var sent = await annSocket.ReceiveAnyAsync(Cancellation);
            Assert.Equal(("sent", $"{i}", (long)i), ((string)sent["type"]!, (string?)sent["client_message_id"], (long?)sent["seq"] ?? 0));
            var message = await bobSocket.ReceiveAnyAsync(Cancellation);
            Assert.Equal(("message", $"{i}", (long)i), ((string)message["type"]!, (string?)message["text"], (long?)message["seq"] ?? 0));
        }
    }

    [Fact]
    public async Task Two_who_write_at_once_see_one_order_on_every_device()
    {
        var (ann, bob) = (await UserAsync(), await UserAsync());
        WireSocket[] sockets =
        [
            await ConnectAsync(ann, System.FirstEdge), await ConnectAsync(bob, System.OtherEdge),
            await ConnectAsync(await ann.OtherDeviceAsync(Cancellation), System.OtherEdge),
            await ConnectAsync(await bob.OtherDeviceAsync(Cancellation), System.FirstEdge),
        ];
        WireUser[] others = [bob, ann, bob, ann];
        const int each = 50;

        await Task.WhenAll(sockets.Select(async (socket, device) =>
        {
            for (var i = 0; i < each; i++) await socket.SendMessageAsync(others[device], $"{device}/{i}", Cancellation, $"{device}/{i}");
        }));

        var orders = await Task.WhenAll(sockets.Select(OrderAsync));
        Assert.Equal(Enumerable.Range(1, 4 * each).Select(i => (long)i), orders[0].Keys.Order());
        foreach (var order in orders[1..]) Assert.Equal(orders[0].OrderBy(pair => pair.Key), order.OrderBy(pair => pair.Key));
        for (var device = 0; device < 4; device++)
        {
            var own = orders[0].OrderBy(pair => pair.Key).Select(pair => pair.Value).Where(id => id.StartsWith($"{device}/", StringComparison.Ordinal));
            Assert.Equal(Enumerable.Range(0, each).Select(i => $"{device}/{i}"), own);
        }

        var history = new List<string>();
        var conversation = (string)(await bob.GetAsync("/conversations", Cancellation)).Good["conversations"]![0]!["conversation_id"]!;
        foreach (var query in new[] { "before=101", "after=100" })
            history.InsertRange(history.Count, (await bob.GetAsync($"/conversations/{conversation}/messages?limit=100&{query}", Cancellation))
                .Good["messages"]!.AsArray().Reverse().Select(message => (string)message!["text"]!));
        Assert.Equal(orders[0].OrderBy(pair => pair.Key).Select(pair => pair.Value), history);

        // What the device itself sent, by its 'sent'; the rest, by 'message', which comes in rising seqs: a jump that
        // none of its own explains is pulled.
        static async Task<Dictionary<long, string>> OrderAsync(WireSocket socket)
        {
            var order = new Dictionary<long, string>();
            long last = 0;
            while (order.Count < 4 * each)
            {
                var frame = await socket.ReceiveAnyAsync(Cancellation);
                switch ((string?)frame["type"])
                {
                    case "sent":
                        Note(frame, (string)frame["client_message_id"]!);
                        break;
                    case "page":
                        foreach (var missed in frame["messages"]!.AsArray()) Note(missed!, (string)missed!["text"]!);
                        break;
                    case "message":
                        var seq = (long)frame["seq"]!;
                        Assert.True(seq > last, $"seq {seq} came after {last}");
                        if (Enumerable.Range((int)last + 1, (int)(seq - last - 1)).Any(between => !order.ContainsKey(between)))
                            await socket.SendAsync(
                                new { type = "pull", @ref = "gap", ranges = new[] { new { conversation_id = (string)frame["conversation_id"]!, after = last, limit = seq - last } } },
                                Cancellation);
                        last = seq;
                        Note(frame, (string)frame["text"]!);
                        break;
                    default:
                        Assert.Contains((string?)frame["type"], (string?[])["receipt", "conversation"]);
                        break;
                }
            }

            return order;

            // The same may come as 'sent' or 'message' and in a page; then it has to be the same.
            void Note(JsonNode entry, string text)
            {
                var seq = (long)entry["seq"]!;
                Assert.Equal(text, order.TryGetValue(seq, out var known) ? known : text);
                order[seq] = text;
            }
        }
    }

    [Fact]
    public async Task Times_never_fall_within_a_conversation()
    {
        var (ann, bob) = (await UserAsync(), await UserAsync());
        var here = await ConnectAsync(ann, System.FirstEdge);
        var there = await ConnectAsync(bob, System.OtherEdge);
        for (var i = 0; i < 50; i++)
        {
            await here.SendMessageAsync(bob, "a", Cancellation);
            await there.SendMessageAsync(ann, "b", Cancellation);
        }

        var last = await here.ReceiveAsync("sent", Cancellation);
        for (var i = 1; i < 50; i++)
        {
            await here.ReceiveAsync("sent", Cancellation);
            await there.ReceiveAsync("sent", Cancellation);
        }

        await there.ReceiveAsync("sent", Cancellation);
        var page = (await bob.GetAsync($"/conversations/{last["conversation_id"]}/messages?limit=100", Cancellation)).Good["messages"]!.AsArray();
        Assert.Equal(100, page.Count);
        Assert.Equal(page.Select(Time).OrderDescending(StringComparer.Ordinal), page.Select(Time));

        static string Time(JsonNode? message) => (string)message!["created_at"]!;
    }
}
