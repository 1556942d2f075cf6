using System.Net;
using System.Text.Json;
using Xunit;

namespace WhatsAspire.Users.Tests.Groups;

/// <summary>Messages in groups: who may send, who sees what, and who may delete.</summary>
[Trait("Requirement", "R22")]
public sealed class GroupMessageTests : IAsyncLifetime
{
    private GroupApi _api = null!;
    private Person[] _p = null!;
    private string _group = null!;

    public async ValueTask InitializeAsync()
    {
        _api = await GroupApi.StartAsync();
        _p = await _api.PeopleAsync(4);
        _group = await _api.GroupAsync(_p[0], _p[1], _p[2]);
        _api.Delivered();
    }

    public ValueTask DisposeAsync() => _api.DisposeAsync();

    private async Task<string> SentAsync(int by, string text)
    {
        var sent = await _api.TextAsync(_p[by], _group, text);
        Assert.True(sent.Status == HttpStatusCode.Created, sent.Text);
        return sent.Json.GetProperty("message_id").GetString()!;
    }

    private async Task RemoveAsync(int user) =>
        Assert.Equal(HttpStatusCode.NoContent, (await _api.DeleteAsync(_p[0], $"/groups/{_group}/members/{_p[user].Id}")).Status);

    private async Task<IReadOnlyList<long>> HistoryAsync(int user)
    {
        var answer = await _api.GetAsync(_p[user], $"/conversations/{_group}/messages");
        Assert.True(answer.Status == HttpStatusCode.OK, answer.Text);
        return answer.Json.GetProperty("messages").EnumerateArray().Select(m => m.GetProperty("seq").GetInt64()).ToList();
    }

    private async Task<JsonElement> SummaryAsync(int user) =>
        Assert.Single((await _api.GetAsync(_p[user], "/conversations")).Json.GetProperty("conversations").EnumerateArray());

    [Fact]
    public async Task A_message_goes_to_all_members_and_is_pushed_and_blocks_do_not_matter()
    {
        await _api.PutAsync(_p[2], $"/blocks/{_p[1].Id}");
        await SentAsync(1, "hello");
        var message = Assert.Single(_api.Delivered(), t => t.Kind == "Message");
        Assert.Equal(_p[..3].Select(p => p.UserId).Order(), message.To);
        Assert.Equal(_p[1].UserId, message.PushesFrom);
    }

    [Fact]
    public async Task Who_is_not_in_the_group_or_no_more_can_not_send_and_learns_nothing()
    {
        await RemoveAsync(2);
        var nowhere = await _api.TextAsync(_p[3], Guid.NewGuid().ToString(), "hello");
        nowhere.IsProblem(HttpStatusCode.NotFound, "not_found", "no such conversation");
        foreach (var user in new[] { 2, 3 })
        {
            var answer = await _api.TextAsync(_p[user], _group, "hello");
            Assert.Equal((nowhere.Status, nowhere.Text), (answer.Status, answer.Text));
        }

        (await _api.GetAsync(_p[3], $"/conversations/{_group}/messages")).IsProblem(HttpStatusCode.NotFound, "not_found", "no such conversation");
    }

    [Fact]
    public async Task Where_only_admins_send_others_are_told_so()
    {
        await _api.PatchAsync(_p[0], $"/groups/{_group}", new { who_may_send = "admins" });
        (await _api.TextAsync(_p[1], _group, "hello")).IsProblem(HttpStatusCode.Forbidden, "forbidden", "only admins may send");
        await SentAsync(0, "hello");
        await _api.PutAsync(_p[0], $"/groups/{_group}/members/{_p[1].Id}", new { role = "admin" });
        await SentAsync(1, "thanks");
    }

    [Fact]
    public async Task A_send_that_is_repeated_after_its_sender_was_removed_gets_its_first_answer()
    {
        var first = await _api.TextAsync(_p[2], _group, "hello", "mine");
        await RemoveAsync(2);
        var again = await _api.TextAsync(_p[2], _group, "hello", "mine");
        Assert.Equal(HttpStatusCode.OK, again.Status);
        Assert.Equal(first.Json.GetProperty("message_id").GetString(), again.Json.GetProperty("message_id").GetString());
        (await _api.TextAsync(_p[2], _group, "another", "mine")).IsProblem(HttpStatusCode.NotFound, "not_found", "no such conversation");
        await _api.DeleteAsync(_p[0], $"/groups/{_group}");
        Assert.Equal(HttpStatusCode.OK, (await _api.TextAsync(_p[2], _group, "hello", "mine")).Status);
    }

    [Fact]
    public async Task Who_joins_sees_what_comes_from_then_on_and_who_left_what_there_was()
    {
        var before = await SentAsync(0, "before");          // 2
        await _api.PutAsync(_p[0], $"/groups/{_group}/members/{_p[3].Id}");   // 3
        await RemoveAsync(2);                               // 4
        var after = await SentAsync(0, "after");            // 5
        Assert.Equal([5, 4, 3, 2, 1], await HistoryAsync(0));
        Assert.Equal([5, 4, 3], await HistoryAsync(3));
        Assert.Equal([4, 3, 2, 1], await HistoryAsync(2));
        (await _api.GetAsync(_p[3], $"/messages/{before}")).IsProblem(HttpStatusCode.NotFound, "not_found", "no such message");
        (await _api.GetAsync(_p[2], $"/messages/{after}")).IsProblem(HttpStatusCode.NotFound, "not_found", "no such message");
        Assert.Equal(HttpStatusCode.OK, (await _api.GetAsync(_p[2], $"/messages/{before}")).Status);
        (await _api.PostAsync(_p[3], "/messages", new { client_message_id = "r", conversation_id = _group, text = "x", reply_to = before }))
            .IsProblem(HttpStatusCode.BadRequest, "invalid_argument", "reply_to");

        // Clearing goes as far as he sees, and no further.
        Assert.Equal(HttpStatusCode.NoContent, (await _api.DeleteAsync(_p[2], $"/conversations/{_group}/messages")).Status);
        Assert.Empty(await HistoryAsync(2));
        Assert.Equal(4, (await SummaryAsync(2)).GetProperty("cleared_seq").GetInt64());
    }

    [Fact]
    public async Task Summaries_say_what_the_group_is_called_and_that_one_has_left()
    {
        await _api.PatchAsync(_p[0], $"/groups/{_group}", new { name = "Bikers" });
        var summary = await SummaryAsync(2);
        Assert.Equal(("group", "Bikers", 3), (
            summary.GetProperty("kind").GetString(), summary.GetProperty("name").GetString(), summary.GetProperty("member_count").GetInt32()));
        Assert.False(summary.TryGetProperty("left", out _));
        await RemoveAsync(2);
        await SentAsync(0, "after");
        summary = await SummaryAsync(2);
        Assert.Equal((true, "Bikers", 3, 0), (
            summary.GetProperty("left").GetBoolean(), summary.GetProperty("name").GetString(), summary.GetProperty("head_seq").GetInt32(),
            summary.GetProperty("unread_count").GetInt32()));
        await _api.DeleteAsync(_p[0], $"/groups/{_group}");
        Assert.Equal("Bikers", (await SummaryAsync(2)).GetProperty("name").GetString());
    }

    [Fact]
    public async Task An_admin_deletes_anybodys_message_for_everyone_and_others_their_own()
    {
        var (one, two) = (await SentAsync(1, "one"), await SentAsync(2, "two"));
        _api.Delivered();
        (await _api.DeleteAsync(_p[1], $"/messages/{two}?for=everyone")).IsProblem(HttpStatusCode.Forbidden, "forbidden", "or an admin of the group");
        Assert.Equal(HttpStatusCode.NoContent, (await _api.DeleteAsync(_p[1], $"/messages/{one}?for=everyone")).Status);
        for (var i = 0; i < 2; i++)
            Assert.Equal(HttpStatusCode.NoContent, (await _api.DeleteAsync(_p[0], $"/messages/{two}?for=everyone")).Status);
        Assert.Equal(2, _api.Delivered().Count(t => t.Kind == "Message" && t.To.Length == 3 && t.Frame.GetProperty("kind").GetString() == "delete"));
        Assert.True((await _api.GetAsync(_p[2], $"/messages/{two}")).Json.GetProperty("deleted").GetBoolean());

        var mine = await SentAsync(2, "mine");
        await RemoveAsync(2);
        (await _api.DeleteAsync(_p[2], $"/messages/{mine}?for=everyone")).IsProblem(HttpStatusCode.Forbidden, "forbidden", "only who is in a group");
        Assert.Equal(HttpStatusCode.NoContent, (await _api.DeleteAsync(_p[2], $"/messages/{mine}?for=me")).Status);
        // What the group did is nobody's to delete.
        var created = (await _api.GetAsync(_p[0], $"/conversations/{_group}/messages")).Json.GetProperty("messages").EnumerateArray().Last();
        (await _api.DeleteAsync(_p[0], $"/messages/{created.GetProperty("message_id").GetString()}?for=everyone")).IsProblem(HttpStatusCode.BadRequest, "invalid_argument", "a person wrote");
    }

    [Fact]
    public async Task The_status_of_a_message_is_that_of_those_who_are_in_the_group()
    {
        var id = await SentAsync(0, "hello"); // 2
        async Task<(string, string[])> StatusAsync()
        {
            var answer = await _api.GetAsync(_p[0], $"/messages/{id}/status");
            Assert.True(answer.Status == HttpStatusCode.OK, answer.Text);
            return (answer.Json.GetProperty("status").GetString()!,
                [.. answer.Json.GetProperty("recipients").EnumerateArray().Select(r => $"{Array.FindIndex(_p, p => p.Id == r.GetProperty("user_id").GetString())}{(r.TryGetProperty("read_at", out _) ? " read" : "")}").Order()]);
        }

        Assert.Equal(("sent", ["1", "2"]), await StatusAsync(), new Statuses());
        Assert.Equal(HttpStatusCode.OK, (await _api.PostAsync(_p[1], $"/messages/{id}/status", new { status = "read" })).Status);
        Assert.Equal(("sent", ["1 read", "2"]), await StatusAsync(), new Statuses());
        await RemoveAsync(2);
        Assert.Equal(("read", ["1 read"]), await StatusAsync(), new Statuses());
        await RemoveAsync(1);
        Assert.Equal(("read", ["1 read"]), await StatusAsync(), new Statuses());
    }

    private sealed class Statuses : IEqualityComparer<(string, string[])>
    {
        public bool Equals((string, string[]) x, (string, string[]) y) => x.Item1 == y.Item1 && x.Item2.SequenceEqual(y.Item2);
        public int GetHashCode((string, string[]) obj) => 0;
    }
}
