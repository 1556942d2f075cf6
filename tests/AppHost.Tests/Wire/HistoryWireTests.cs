using System.Net;
using System.Text.Json.Nodes;

namespace WhatsAspire.AppHost.Tests.Wire;

/// <summary>What was said before: history, the conversation list, and clearing.</summary>
[Trait("Requirement", "R7")]
public sealed class HistoryWireTests(WireSystem system) : WireTest(system)
{
    [Fact]
    public async Task History_is_newest_first_and_its_pages_join_without_a_gap_or_an_overlap()
    {
        var (ann, bob, conversation) = await TalkAsync(25);

        var seen = new List<long>();
        string? cursor = null;
        var pages = 0;
        do
        {
            var page = await HistoryAsync(bob, conversation, $"limit=10{(cursor is null ? "" : $"&cursor={Uri.EscapeDataString(cursor)}")}");
            seen.AddRange(Seqs(page));
            cursor = (string?)page["next_cursor"];
            pages++;
        }
        while (cursor is not null);

        Assert.Equal([.. Enumerable.Range(1, 25).Reverse().Select(seq => (long)seq)], seen);
        Assert.Equal(3, pages);
        var first = (await HistoryAsync(bob, conversation, "after=0&before=2"))["messages"]![0]!;
        Assert.Equal("text 1", (string?)first["text"]);
        Assert.Equal(ann.Id, (string?)first["sender_id"]);
        Assert.Null(first["type"]);
    }

    [Theory]
    [InlineData("before=6", new long[] { 5, 4, 3, 2, 1 })]
    [InlineData("after=10", new long[] { 12, 11 })]
    [InlineData("after=3&before=6", new long[] { 5, 4 })]
    [InlineData("after=3&limit=2", new long[] { 12, 11 })]
    [InlineData("before=6&limit=2", new long[] { 5, 4 })]
    [InlineData("before=1", new long[0])]
    [InlineData("after=12", new long[0])]
    [InlineData("before=1000&limit=1", new long[] { 12 })]
    public async Task A_part_of_history_is_between_two_seqs_both_exclusive(string query, long[] seqs)
    {
        var (_, bob, conversation) = await TalkAsync(12);

        Assert.Equal(seqs, Seqs(await HistoryAsync(bob, conversation, query)));
    }

    [Fact]
    public async Task The_cursor_stays_within_the_range_that_it_continues()
    {
        var (_, bob, conversation) = await TalkAsync(12);

        var first = await HistoryAsync(bob, conversation, "after=5&before=10&limit=3");
        AreSeqs(first, 9L, 8L, 7L);
        var second = await HistoryAsync(bob, conversation, $"limit=3&cursor={Uri.EscapeDataString((string)first["next_cursor"]!)}");
        AreSeqs(second, 6L);
        Assert.Null(second["next_cursor"]);
    }

    [Theory]
    [InlineData("limit=0")]
    [InlineData("limit=101")]
    [InlineData("limit=-1")]
    [InlineData("limit=ten")]
    [InlineData("before=0")]
    [InlineData("before=x")]
    [InlineData("after=-1")]
    [InlineData("after=1.5")]
    [InlineData("cursor=nonsense")]
    [InlineData("cursor=")]
    public async Task A_wrong_query_is_refused(string query)
    {
        var (_, bob, conversation) = await TalkAsync(1);

        (await bob.GetAsync($"/conversations/{conversation}/messages?{query}", Cancellation)).IsProblem(HttpStatusCode.BadRequest, "invalid_argument");
    }

    [Fact]
    public async Task Fifty_is_the_page_unless_asked()
    {
        var (_, bob, conversation) = await TalkAsync(60);

        Assert.Equal(50, Seqs(await HistoryAsync(bob, conversation, "")).Length);
        Assert.Equal(60, Seqs(await HistoryAsync(bob, conversation, "limit=100")).Length);
    }

    [Fact]
    [Trait("Requirement", "R13")]
    public async Task The_conversation_list_is_newest_first_and_its_pages_join()
    {
        var ann = await UserAsync();
        var others = new List<WireUser>();
        for (var i = 0; i < 5; i++)
        {
            others.Add(await UserAsync());
            await others[i].PostMessageAsync(ann, $"hello from {i}", Cancellation);
        }

        await others[1].PostMessageAsync(ann, "again", Cancellation);
        var names = new List<string>();
        var previews = new List<string>();
        string? cursor = null;
        do
        {
            var page = (await ann.GetAsync($"/conversations?limit=2{(cursor is null ? "" : $"&cursor={Uri.EscapeDataString(cursor)}")}", Cancellation)).Good;
            foreach (var summary in page["conversations"]!.AsArray())
            {
                names.Add((string)summary!["user_id"]!);
                previews.Add((string)summary["preview"]!);
            }

            cursor = (string?)page["next_cursor"];
        }
        while (cursor is not null);

        Assert.Equal([others[1].Id, others[4].Id, others[3].Id, others[2].Id, others[0].Id], names);
        Assert.Equal(["again", "hello from 4", "hello from 3", "hello from 2", "hello from 0"], previews);
    }

    [Theory]
    [InlineData("limit=0")]
    [InlineData("limit=101")]
    [InlineData("cursor=nonsense")]
    [InlineData("cursor=1.2")]
    public async Task A_wrong_query_of_the_list_is_refused(string query) =>
        (await (await UserAsync()).GetAsync($"/conversations?{query}", Cancellation)).IsProblem(HttpStatusCode.BadRequest, "invalid_argument");

    [Fact]
    [Trait("Requirement", "R8")]
    public async Task Clearing_a_chat_clears_it_for_oneself_alone_and_later_messages_come()
    {
        var (ann, bob, conversation) = await TalkAsync(3);
        var laptop = await ConnectAsync(await bob.OtherDeviceAsync(Cancellation), System.OtherEdge);
        var second = (string)(await HistoryAsync(bob, conversation, ""))["messages"]![1]!["message_id"]!;

        var cleared = await bob.DeleteAsync($"/conversations/{conversation}/messages", Cancellation);

        Assert.Equal(HttpStatusCode.NoContent, cleared.Status);
        Assert.Empty(Seqs(await HistoryAsync(bob, conversation, "")));
        (await bob.GetAsync($"/messages/{second}", Cancellation)).IsProblem(HttpStatusCode.NotFound, "not_found");
        AreSeqs(await HistoryAsync(ann, conversation, ""), 3L, 2L, 1L);
        var summary = await laptop.ReceiveAsync("conversation", frame => (long?)frame["cleared_seq"] == 3, Cancellation);
        Assert.Equal(0, (long?)summary["unread_count"]);
        Assert.Null(summary["preview"]);
        await laptop.SendAsync(new { type = "pull", @ref = "p", ranges = new[] { new { conversation_id = conversation, after = 0 } } }, Cancellation);
        Assert.Empty((await laptop.ReceiveAsync("page", Cancellation))["messages"]!.AsArray());

        await ann.PostMessageAsync(bob, "after it", Cancellation);
        AreSeqs(await HistoryAsync(bob, conversation, ""), 4L);
        Assert.Equal(4, (long?)(await laptop.ReceiveAsync("message", Cancellation))["seq"]);
        Assert.Equal(1, (long?)(await bob.SummaryAsync(conversation, Cancellation))["unread_count"]);
    }

    private async Task<(WireUser Ann, WireUser Bob, string Conversation)> TalkAsync(int messages)
    {
        var (ann, bob) = (await UserAsync(), await UserAsync());
        var socket = await ConnectAsync(ann);
        for (var i = 1; i <= messages; i++) await socket.SendMessageAsync(bob, $"text {i}", Cancellation);
        var last = await socket.ReceiveAsync("sent", frame => (long?)frame["seq"] == messages, Cancellation);
        return (ann, bob, (string)last["conversation_id"]!);
    }

    private static async Task<JsonObject> HistoryAsync(WireUser user, string conversation, string query) =>
        (await user.GetAsync($"/conversations/{conversation}/messages?{query}", Cancellation)).Good;

    private static void AreSeqs(JsonObject page, params long[] seqs) => Assert.Equal(seqs, Seqs(page));

    private static long[] Seqs(JsonObject page) => [.. page["messages"]!.AsArray().Select(message => (long)message!["seq"]!)];
}
