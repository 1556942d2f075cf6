using System.Net;
using System.Text.Json;
using WhatsAspire.MessageApi.Conversations;
using WhatsAspire.MessageApi.Groups;
using Xunit;

namespace WhatsAspire.Users.Tests.Groups;

/// <summary>What who comes into a group may read of what was before, as <see cref="GroupsOptions.JoinersSeeHistory"/> says.</summary>
[Trait("Requirement", "R22")]
public sealed class GroupHistoryTests : IAsyncDisposable
{
    private readonly List<GroupApi> _apis = [];
    private GroupApi _api = null!;
    private Person[] _p = null!;
    private string _group = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        // The first one owns what all share.
        for (var i = _apis.Count - 1; i >= 0; i--) await _apis[i].DisposeAsync();
    }

    /// <summary>A group of the first two, with a message that the others were not there for.</summary>
    /// <returns>The message's id.</returns>
    private async Task<string> StartAsync(bool? isOn)
    {
        _api = await ReplicaAsync(isOn);
        _p = await _api.PeopleAsync(4);
        _group = await _api.GroupAsync(_p[0], _p[1]); // 1
        _api.Time.Advance(TimeSpan.FromMinutes(1));
        var id = await SentAsync(0, "before");        // 2
        _api.Time.Advance(TimeSpan.FromMinutes(1));
        return id;
    }

    private async Task<GroupApi> ReplicaAsync(bool? isOn)
    {
        var api = await GroupApi.StartAsync(isOn is null ? null : new() { ["Groups:JoinersSeeHistory"] = $"{isOn}" }, _apis.FirstOrDefault());
        _apis.Add(api);
        return api;
    }

    private async Task<string> SentAsync(int by, string text)
    {
        var sent = await _api.TextAsync(_p[by], _group, text);
        Assert.True(sent.Status == HttpStatusCode.Created, sent.Text);
        return sent.Json.GetProperty("message_id").GetString()!;
    }

    private async Task AddAsync(int user, GroupApi? on = null) =>
        Assert.Equal(HttpStatusCode.NoContent, (await (on ?? _api).PutAsync(_p[0], $"/groups/{_group}/members/{_p[user].Id}")).Status);

    private async Task LeaveAsync(int user) =>
        Assert.Equal(HttpStatusCode.NoContent, (await _api.DeleteAsync(_p[user], $"/groups/{_group}/members/{_p[user].Id}")).Status);

    private async Task JoinByInviteAsync(int user)
    {
        var code = (await _api.PostAsync(_p[0], $"/groups/{_group}/invites", new { })).Json.GetProperty("code").GetString();
        Assert.Equal(HttpStatusCode.OK, (await _api.PostAsync(_p[user], $"/invites/{code}")).Status);
    }

    private async Task<IReadOnlyList<long>> HistoryAsync(int user)
    {
        var answer = await _api.GetAsync(_p[user], $"/conversations/{_group}/messages");
        Assert.True(answer.Status == HttpStatusCode.OK, answer.Text);
        return answer.Json.GetProperty("messages").EnumerateArray().Select(m => m.GetProperty("seq").GetInt64()).ToList();
    }

    /// <summary>What a device that has nothing yet pulls.</summary>
    private async Task<IReadOnlyList<long>> PulledAsync(int user)
    {
        var page = await _api.Get<ConversationService>().PullAsync(new(Guid.Parse(_group)), _p[user].UserId, 0, 100, Cancel);
        Assert.Null(page.Fault);
        return [.. page.Entries.Select(e => e.Seq)];
    }

    private async Task<JsonElement> SummaryAsync(int user) =>
        Assert.Single((await _api.GetAsync(_p[user], "/conversations")).Json.GetProperty("conversations").EnumerateArray());

    private async Task<string[]> RecipientsAsync(int asks, string message)
    {
        var answer = await _api.GetAsync(_p[asks], $"/messages/{message}/status");
        Assert.True(answer.Status == HttpStatusCode.OK, answer.Text);
        return [.. answer.Json.GetProperty("recipients").EnumerateArray().Select(r =>
            $"{Array.FindIndex(_p, p => p.Id == r.GetProperty("user_id").GetString())}{(r.TryGetProperty("read_at", out _) ? " read" : "")}").Order()];
    }

    [Theory]
    [InlineData(null)]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Who_comes_sees_what_was_before_where_the_setting_says_so(bool? isOn)
    {
        var before = await StartAsync(isOn);
        await AddAsync(2);              // 3
        _api.Time.Advance(TimeSpan.FromMinutes(1));
        await JoinByInviteAsync(3);     // 4
        foreach (var (user, own) in new[] { (2, 3), (3, 4) })
        {
            long[] seen = [.. Enumerable.Range(isOn == true ? 1 : own, isOn == true ? 4 : 5 - own)];
            Assert.Equal(seen.Reverse(), await HistoryAsync(user));
            Assert.Equal(seen, await PulledAsync(user));
        }

        foreach (var user in new[] { 2, 3 })
        {
            var message = await _api.GetAsync(_p[user], $"/messages/{before}");
            var reply = await _api.PostAsync(
                _p[user], "/messages", new { client_message_id = "r", conversation_id = _group, text = "x", reply_to = before });
            if (isOn == true)
            {
                Assert.Equal((HttpStatusCode.OK, "before"), (message.Status, message.Json.GetProperty("text").GetString()));
                Assert.Equal(HttpStatusCode.Created, reply.Status);
            }
            else
            {
                message.IsProblem(HttpStatusCode.NotFound, "not_found", "no such message");
                reply.IsProblem(HttpStatusCode.BadRequest, "invalid_argument", "reply_to");
            }
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Nothing_of_what_was_before_is_unread(bool isOn)
    {
        await StartAsync(isOn);
        _api.Delivered();
        await AddAsync(2); // 3
        var told = Assert.Single(_api.Delivered(), d => d.Kind == "Conversation" && d.To.SequenceEqual([_p[2].UserId])).Frame;
        foreach (var summary in new[] { await SummaryAsync(2), told })
        {
            Assert.Equal((3, 2, 2, 0), (
                summary.GetProperty("head_seq").GetInt32(), summary.GetProperty("delivered_seq").GetInt32(),
                summary.GetProperty("read_seq").GetInt32(), summary.GetProperty("unread_count").GetInt32()));
            Assert.Equal(isOn, summary.TryGetProperty("preview", out var preview));
            if (isOn) Assert.Equal("before", preview.GetString());
            Assert.Equal(isOn ? "2026-03-01T12:01:00.000Z" : "2026-03-01T12:02:00.000Z", summary.GetProperty("last_message_at").GetString());
        }

        await SentAsync(0, "after");
        Assert.Equal((1, "after"), ((await SummaryAsync(2)).GetProperty("unread_count").GetInt32(), (await SummaryAsync(2)).GetProperty("preview").GetString()));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_status_of_a_message_is_that_of_those_who_were_there(bool isOn)
    {
        var before = await StartAsync(isOn);
        await AddAsync(2); // 3
        Assert.Equal(["1"], await RecipientsAsync(0, before));
        if (isOn)
        {
            // That he has read it too changes nothing: it was not sent to him.
            Assert.Equal(HttpStatusCode.OK, (await _api.PostAsync(_p[2], $"/messages/{before}/status", new { status = "read" })).Status);
            Assert.Equal(["1"], await RecipientsAsync(2, before));
        }

        var after = await SentAsync(0, "after"); // 4
        Assert.Equal(HttpStatusCode.OK, (await _api.PostAsync(_p[2], $"/messages/{after}/status", new { status = "read" })).Status);
        Assert.Equal(["1"], await RecipientsAsync(0, before));
        Assert.Equal(["1", "2 read"], await RecipientsAsync(0, after));

        // The ticks wait for the one who was there.
        Assert.Equal(HttpStatusCode.OK, (await _api.PostAsync(_p[1], $"/messages/{before}/status", new { status = "read" })).Status);
        Assert.Equal(["1 read"], await RecipientsAsync(0, before));
        Assert.Equal(2, (await SummaryAsync(0)).GetProperty("others").GetProperty("read_seq").GetInt32());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Who_comes_back_sees_what_he_missed_where_the_setting_says_so(bool isOn)
    {
        await StartAsync(isOn);
        await LeaveAsync(1);            // 3
        await SentAsync(0, "missed");   // 4
        Assert.Equal([3, 2, 1], await HistoryAsync(1));
        Assert.Equal([1, 2, 3], await PulledAsync(1));
        Assert.False((await SummaryAsync(1)).TryGetProperty("preview", out _));
        await AddAsync(1);              // 5
        Assert.Equal(isOn ? [5, 4, 3, 2, 1] : [5], await HistoryAsync(1));
        Assert.Equal(isOn ? [1, 2, 3, 4, 5] : [5], await PulledAsync(1));
        Assert.Equal(0, (await SummaryAsync(1)).GetProperty("unread_count").GetInt32());
        await LeaveAsync(1);            // 6
        await SentAsync(0, "7");
        Assert.Equal(isOn ? [6, 5, 4, 3, 2, 1] : [6, 5], await HistoryAsync(1));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task It_was_decided_when_he_came_whatever_the_setting_is_later(bool wasOn)
    {
        await StartAsync(wasOn);
        await AddAsync(2);              // 3
        var other = await ReplicaAsync(!wasOn);
        IReadOnlyList<long> seen = wasOn ? [3, 2, 1] : [3];
        _api = other;
        Assert.Equal(seen, await HistoryAsync(2));
        // Adding him once more changes nothing of it.
        await AddAsync(2, on: other);
        Assert.Equal(seen, await HistoryAsync(2));
        await LeaveAsync(2);            // 4
        await AddAsync(2, on: other);   // 5
        Assert.Equal(wasOn ? [5] : [5, 4, 3, 2, 1], await HistoryAsync(2));
    }

    [Fact]
    public async Task Who_sees_what_was_before_deletes_it_for_himself_and_as_an_admin_for_all()
    {
        var before = await StartAsync(isOn: true);
        var second = await SentAsync(0, "second"); // 3
        await AddAsync(2);                         // 4
        (await _api.DeleteAsync(_p[2], $"/messages/{before}?for=everyone")).IsProblem(HttpStatusCode.Forbidden, "forbidden", "or an admin of the group");
        Assert.Equal(HttpStatusCode.NoContent, (await _api.DeleteAsync(_p[2], $"/messages/{second}?for=me")).Status);
        Assert.False((await SummaryAsync(2)).TryGetProperty("preview", out _));
        Assert.True((await _api.GetAsync(_p[1], $"/messages/{second}")).Json.TryGetProperty("text", out _));

        await _api.PutAsync(_p[0], $"/groups/{_group}/members/{_p[2].Id}", new { role = "admin" }); // 5
        Assert.Equal(HttpStatusCode.NoContent, (await _api.DeleteAsync(_p[2], $"/messages/{before}?for=everyone")).Status); // 6
        Assert.True((await _api.GetAsync(_p[1], $"/messages/{before}")).Json.GetProperty("deleted").GetBoolean());

        Assert.Equal(HttpStatusCode.NoContent, (await _api.DeleteAsync(_p[2], $"/conversations/{_group}/messages")).Status);
        Assert.Empty(await HistoryAsync(2));
        Assert.Equal(6, (await HistoryAsync(1)).Count);
    }
}
