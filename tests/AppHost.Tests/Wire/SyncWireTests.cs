using System.Text.Json.Nodes;

namespace WhatsAspire.AppHost.Tests.Wire;

/// <summary>Coming back: summaries, pulls, positions.</summary>
[Trait("Requirement", "R6")]
public sealed class SyncWireTests(WireSystem system) : WireTest(system)
{
    [Fact]
    public async Task Hello_without_a_cursor_brings_every_conversation_and_with_one_only_what_changed()
    {
        var (ann, bob, eve) = (await UserAsync(), await UserAsync(), await UserAsync());
        var withAnn = (string)(await ann.PostMessageAsync(bob, "from Ann", Cancellation))["conversation_id"]!;
        var withEve = (string)(await eve.PostMessageAsync(bob, "from Eve", Cancellation))["conversation_id"]!;

        var socket = await OpenAsync(System.FirstEdge, bob.Token);
        var synced = await socket.HelloAsync(null, Cancellation);
        Assert.Equal([withAnn, withEve], Summaries(socket).Select(summary => (string)summary["conversation_id"]!).Order(Comparer(withAnn)));
        var summary = Summaries(socket).Single(one => (string?)one["conversation_id"] == withAnn);
        Assert.Equal(
            ("direct", ann.Id, 1L, 0L, 0L, 1L, "from Ann"),
            ((string)summary["kind"]!, (string)summary["user_id"]!, (long)summary["head_seq"]!, (long)summary["read_seq"]!,
                (long)summary["delivered_seq"]!, (long)summary["unread_count"]!, (string)summary["preview"]!));
        Assert.Equal((1L, 1L), ((long)summary["others"]!["delivered_seq"]!, (long)summary["others"]!["read_seq"]!));
        Assert.False((bool?)summary["archived"]);
        Assert.False((bool?)summary["pinned"]);

        // The newest of what the server keeps giving again around a cursor has to be older than its overlap of 10 s for
        // a conversation to be left out; what must come is tested here, and it comes once.
        await socket.DisposeAsync();
        await ann.PostMessageAsync(bob, "while away", Cancellation);
        var again = await OpenAsync(System.OtherEdge, bob.Token);
        var next = await again.HelloAsync((string)synced["cursor"]!, Cancellation);
        var changed = Assert.Single(Summaries(again), one => (string?)one["conversation_id"] == withAnn);
        Assert.Equal((2L, "while away"), ((long)changed["head_seq"]!, (string)changed["preview"]!));
        Assert.NotEmpty((string)next["cursor"]!);
    }

    [Fact]
    public async Task A_cursor_leaves_out_what_had_not_changed_for_long()
    {
        var (ann, bob) = (await UserAsync(), await UserAsync());
        await ann.PostMessageAsync(bob, "long ago", Cancellation);
        var socket = await OpenAsync(System.FirstEdge, bob.Token);
        var cursor = (string)(await socket.HelloAsync(null, Cancellation))["cursor"]!;
        Assert.Single(Summaries(socket));

        // A cursor of later: as if this device had been synced an hour from now.
        var later = $"{long.Parse(cursor, global::System.Globalization.CultureInfo.InvariantCulture) + 3_600_000}";
        var again = await OpenAsync(System.OtherEdge, bob.Token);
        await again.HelloAsync(later, Cancellation);

        Assert.Empty(Summaries(again));
    }

    [Fact]
    public async Task Who_was_offline_gets_everything_once_and_in_order()
    {
        var (ann, bob) = (await UserAsync(), await UserAsync());
        var annSocket = await ConnectAsync(ann);
        const int count = 730;
        for (var i = 1; i <= count; i++) await annSocket.SendMessageAsync(bob, $"{i}", Cancellation);
        await annSocket.ReceiveAsync("sent", frame => (long?)frame["seq"] == count, Cancellation);

        var bobSocket = await OpenAsync(System.OtherEdge, bob.Token);
        await bobSocket.HelloAsync(null, Cancellation);
        var summary = Assert.Single(Summaries(bobSocket));
        var conversation = (string)summary["conversation_id"]!;
        Assert.Equal((0L, (long)count, (long)count), ((long)summary["delivered_seq"]!, (long)summary["head_seq"]!, (long)summary["unread_count"]!));
        var got = new List<JsonNode>();
        var more = true;
        while (more)
        {
            var page = await PullAsync(bobSocket, new { conversation_id = conversation, after = got.Count });
            Assert.Equal(count, (long?)page["head_seq"]);
            Assert.InRange(page["messages"]!.AsArray().Count, 1, 500);
            got.AddRange(page["messages"]!.AsArray()!);
            more = (bool)page["more"]!;
        }

        Assert.Equal(Enumerable.Range(1, count).Select(i => (long)i), got.Select(message => (long)message["seq"]!));
        Assert.Equal(Enumerable.Range(1, count).Select(i => $"{i}"), got.Select(message => (string)message["text"]!));
        Assert.Equal(got.Select(message => (string)message["created_at"]!).Order(StringComparer.Ordinal), got.Select(message => (string)message["created_at"]!));
        await bobSocket.SendAsync(new { type = "ack", positions = new[] { new { conversation_id = conversation, seq = count } } }, Cancellation);
        Assert.Equal(count, (long?)(await annSocket.ReceiveAsync("receipt", Cancellation))["delivered_seq"]);
    }

    [Fact]
    public async Task A_pull_of_several_ranges_brings_one_page_each_and_500_messages_in_all()
    {
        var (ann, bob, eve) = (await UserAsync(), await UserAsync(), await UserAsync());
        var annSocket = await ConnectAsync(ann);
        for (var i = 1; i <= 400; i++)
        {
            await annSocket.SendMessageAsync(bob, "to Bob", Cancellation);
            await annSocket.SendMessageAsync(eve, "to Eve", Cancellation);
        }

        var withBob = (string)(await annSocket.ReceiveAsync("sent", frame => (long?)frame["seq"] == 400, Cancellation))["conversation_id"]!;
        var withEve = (string)(await annSocket.ReceiveAsync("sent", frame => (long?)frame["seq"] == 400, Cancellation))["conversation_id"]!;

        await annSocket.SendAsync(
            new
            {
                type = "pull",
                @ref = "both",
                ranges = new object[] { new { conversation_id = withBob, after = 398 }, new { conversation_id = withEve, after = 10, limit = 3 }, new { conversation_id = withBob, after = 400 } },
            },
            Cancellation);
        var first = await annSocket.ReceiveAsync("page", Cancellation);
        var second = await annSocket.ReceiveAsync("page", Cancellation);
        var third = await annSocket.ReceiveAsync("page", Cancellation);
        Assert.Equal((withBob, "399,400", false), Page(first));
        Assert.Equal((withEve, "11,12,13", true), Page(second));
        Assert.Equal((withBob, "", false), Page(third));
        Assert.All(new[] { first, second, third }, page => Assert.Equal("both", (string?)page["ref"]));

        await annSocket.SendAsync(
            new { type = "pull", @ref = "all", ranges = new object[] { new { conversation_id = withBob, after = 0 }, new { conversation_id = withEve, after = 0 } } }, Cancellation);
        var all = (await annSocket.ReceiveAsync("page", Cancellation))["messages"]!.AsArray().Count;
        var rest = await annSocket.ReceiveAsync("page", Cancellation);
        Assert.InRange(all + rest["messages"]!.AsArray().Count, 1, 500);
        Assert.True((bool?)rest["more"]);
    }

    [Fact]
    public async Task Pages_of_long_texts_stay_within_a_frame_and_lose_nothing()
    {
        var (ann, bob) = (await UserAsync(), await UserAsync());
        var socket = await ConnectAsync(ann);
        // Each of its characters takes six bytes in JSON.
        var text = new string('\u0001', 4000);
        for (var i = 1; i <= 12; i++) await socket.SendMessageAsync(bob, text, Cancellation);
        var conversation = (string)(await socket.ReceiveAsync("sent", frame => (long?)frame["seq"] == 12, Cancellation))["conversation_id"]!;

        var seqs = new List<long>();
        while (true)
        {
            // WireSocket fails for a frame of more than 64 KiB.
            var page = await PullAsync(socket, new { conversation_id = conversation, after = seqs.LastOrDefault() });
            seqs.AddRange(page["messages"]!.AsArray().Select(message => (long)message!["seq"]!));
            if (!(bool)page["more"]!) break;
        }

        Assert.Equal(Enumerable.Range(1, 12).Select(i => (long)i), seqs);
    }

    [Fact]
    [Trait("Requirement", "R11")]
    public async Task Positions_beyond_the_head_are_refused()
    {
        var (ann, bob) = (await UserAsync(), await UserAsync());
        var conversation = (string)(await ann.PostMessageAsync(bob, "1", Cancellation))["conversation_id"]!;
        var socket = await ConnectAsync(bob);
        object[] frames =
        [
            new { type = "read", @ref = "r", conversation_id = conversation, seq = 2 },
            new { type = "ack", @ref = "r", positions = new[] { new { conversation_id = conversation, seq = 2 } } },
            new { type = "pull", @ref = "r", ranges = new[] { new { conversation_id = conversation, after = 2 } } },
        ];
        foreach (var frame in frames)
        {
            await socket.SendAsync(frame, Cancellation);
            var error = await socket.ReceiveAsync("error", Cancellation);
            Assert.Equal(("invalid_argument", "r"), ((string)error["code"]!, (string)error["ref"]!));
        }

        await socket.SendAsync(new { type = "ack", positions = new[] { new { conversation_id = conversation, seq = 2 } } }, Cancellation);
        Assert.Equal("invalid_argument", (string?)(await socket.ReceiveAsync("error", Cancellation))["code"]);
        (await bob.PostAsync($"/conversations/{conversation}/read", new { seq = 2 }, Cancellation))
            .IsProblem(global::System.Net.HttpStatusCode.BadRequest, "invalid_argument");
        var summary = await bob.SummaryAsync(conversation, Cancellation);
        Assert.Equal((0L, 0L), ((long)summary["delivered_seq"]!, (long)summary["read_seq"]!));
    }

    [Fact]
    [Trait("Requirement", "R11")]
    public async Task Lower_positions_change_nothing_and_are_answered_with_what_holds()
    {
        var (ann, bob) = (await UserAsync(), await UserAsync());
        var annSocket = await ConnectAsync(ann);
        var socket = await ConnectAsync(bob, System.OtherEdge);
        var conversation = (string)(await ann.PostMessageAsync(bob, "1", Cancellation))["conversation_id"]!;
        await ann.PostMessageAsync(bob, "2", Cancellation);
        await ann.PostMessageAsync(bob, "3", Cancellation);

        await socket.SendAsync(new { type = "read", conversation_id = conversation, seq = 2 }, Cancellation);
        Assert.Equal(2, (long?)(await annSocket.ReceiveAsync("receipt", Cancellation))["read_seq"]);
        await socket.SendAsync(new { type = "read", conversation_id = conversation, seq = 1 }, Cancellation);
        var held = await socket.ReceiveAsync("conversation", Cancellation);
        Assert.Equal((2L, 2L, 1L), ((long)held["read_seq"]!, (long)held["delivered_seq"]!, (long)held["unread_count"]!));
        await socket.SendAsync(new { type = "ack", @ref = "a", positions = new[] { new { conversation_id = conversation, seq = 1 } } }, Cancellation);
        var acked = await socket.ReceiveAsync("acked", Cancellation);
        Assert.Equal(("a", 2L), ((string)acked["ref"]!, (long)acked["positions"]![0]!["seq"]!));

        await socket.SendAsync(
            new { type = "ack", @ref = "b", positions = new[] { new { conversation_id = conversation, seq = 3 }, new { conversation_id = conversation, seq = 1 } } }, Cancellation);
        Assert.Equal(3, (long?)(await socket.ReceiveAsync("acked", Cancellation))["positions"]![0]!["seq"]);
        var receipt = await annSocket.ReceiveAsync("receipt", Cancellation);
        Assert.Equal((3L, 2L), ((long)receipt["delivered_seq"]!, (long)receipt["read_seq"]!));
    }

    [Fact]
    [Trait("Requirement", "R11")]
    public async Task Ticks_never_go_back_in_whatever_order_two_devices_ack()
    {
        var (ann, bob) = (await UserAsync(), await UserAsync());
        var annSocket = await ConnectAsync(ann);
        var phone = await ConnectAsync(bob, System.FirstEdge);
        var laptop = await ConnectAsync(await bob.OtherDeviceAsync(Cancellation), System.OtherEdge);
        const int count = 100;
        string conversation = "";
        for (var i = 1; i <= count; i++) await annSocket.SendMessageAsync(bob, $"{i}", Cancellation);
        conversation = (string)(await annSocket.ReceiveAsync("sent", frame => (long?)frame["seq"] == count, Cancellation))["conversation_id"]!;

        var random = new Random(7);
        foreach (var seq in Enumerable.Range(1, count).OrderBy(_ => random.Next()).ToList())
        {
            var socket = random.Next(2) == 0 ? phone : laptop;
            if (random.Next(3) == 0) await socket.SendAsync(new { type = "read", conversation_id = conversation, seq }, Cancellation);
            else await socket.SendAsync(new { type = "ack", positions = new[] { new { conversation_id = conversation, seq } } }, Cancellation);
        }

        await phone.SendAsync(new { type = "read", conversation_id = conversation, seq = count }, Cancellation);
        (long Delivered, long Read) before = default;
        while (before.Read < count)
        {
            var receipt = await annSocket.ReceiveAsync("receipt", Cancellation);
            (long Delivered, long Read) now = ((long)receipt["delivered_seq"]!, (long)receipt["read_seq"]!);
            Assert.True(now.Delivered >= before.Delivered && now.Read >= before.Read, $"{now} came after {before}");
            Assert.True(now.Delivered >= now.Read, $"{now}: read, and not delivered");
            before = now;
        }
    }

    private static IEnumerable<JsonObject> Summaries(WireSocket socket) =>
        socket.Unread.Where(frame => (string?)frame["type"] == "conversation");

    private static Comparer<string> Comparer(string first) => Comparer<string>.Create((a, b) => (b == first).CompareTo(a == first));

    private static (string Conversation, string Seqs, bool More) Page(JsonObject page) =>
        ((string)page["conversation_id"]!, string.Join(',', page["messages"]!.AsArray().Select(message => (long)message!["seq"]!)), (bool)page["more"]!);

    private static async Task<JsonObject> PullAsync(WireSocket socket, object range)
    {
        await socket.SendAsync(new { type = "pull", @ref = "pull", ranges = new[] { range } }, Cancellation);
        return await socket.ReceiveAsync("page", Cancellation);
    }
}
