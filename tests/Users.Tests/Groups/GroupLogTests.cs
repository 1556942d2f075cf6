using System.Diagnostics.Metrics;
using System.Net;
using WhatsAspire.Contracts;
using WhatsAspire.MessageApi;
using WhatsAspire.MessageApi.Directory;
using WhatsAspire.MessageApi.Groups;
using Xunit;

namespace WhatsAspire.Users.Tests.Groups;

/// <summary>How changes get from the directory into the log, whatever breaks on the way, and who is told.</summary>
[Trait("Requirement", "R21")]
public sealed class GroupLogTests : IAsyncLifetime
{
    private GroupApi _api = null!;
    private Person[] _p = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private IDirectory Directory => _api.Get<IDirectory>();

    public async ValueTask InitializeAsync()
    {
        _api = await GroupApi.StartAsync();
        _p = await _api.PeopleAsync(4);
    }

    public ValueTask DisposeAsync() => _api.DisposeAsync();

    private static ConversationId Id(string group) => new(Guid.Parse(group));

    private UserId[] Sorted(params int[] people) => [.. people.Select(i => _p[i].UserId).Order()];

    [Fact]
    public async Task All_members_get_a_change_live_and_who_comes_or_goes_the_conversation_first()
    {
        var group = await _api.GroupAsync(_p[0], _p[1]);
        var told = _api.Delivered();
        Assert.Equal(["Conversation", "Conversation", "Message"], told.Select(t => t.Kind));
        Assert.Equal(("Hikers", 2, 1), (
            told[0].Frame.GetProperty("name").GetString(), told[0].Frame.GetProperty("member_count").GetInt32(), told[0].Frame.GetProperty("head_seq").GetInt32()));
        Assert.Equal(Sorted(0, 1), told[2].To);
        Assert.Equal(("system", "created"), (
            told[2].Frame.GetProperty("kind").GetString(), told[2].Frame.GetProperty("change").GetProperty("type").GetString()));
        Assert.Null(told[2].PushesFrom);

        await _api.PutAsync(_p[0], $"/groups/{group}/members/{_p[2].Id}");
        told = _api.Delivered();
        Assert.Equal(["Conversation", "Message"], told.Select(t => t.Kind));
        Assert.Equal((Sorted(2), Sorted(0, 1, 2)), (told[0].To, told[1].To), new Users());

        await _api.DeleteAsync(_p[0], $"/groups/{group}/members/{_p[1].Id}");
        told = _api.Delivered();
        Assert.Equal(["Conversation", "Message"], told.Select(t => t.Kind).Take(2));
        Assert.Equal((Sorted(1), Sorted(0, 1, 2)), (told[0].To, told[1].To), new Users());
        Assert.True(told[0].Frame.GetProperty("left").GetBoolean());
        Assert.Equal("removed", told[1].Frame.GetProperty("change").GetProperty("type").GetString());

        await _api.PatchAsync(_p[0], $"/groups/{group}", new { name = "Bikers" });
        told = _api.Delivered();
        Assert.Equal(Sorted(0, 2), Assert.Single(told).To);
    }

    private sealed class Users : IEqualityComparer<(UserId[], UserId[])>
    {
        public bool Equals((UserId[], UserId[]) x, (UserId[], UserId[]) y) => x.Item1.SequenceEqual(y.Item1) && x.Item2.SequenceEqual(y.Item2);
        public int GetHashCode((UserId[], UserId[]) obj) => 0;
    }

    [Fact]
    public async Task A_change_that_did_not_get_into_the_log_holds_and_gets_there_before_the_next()
    {
        var group = await _api.GroupAsync(_p[0], _p[1]);
        _api.Store.IsAway = true;
        (await _api.PutAsync(_p[0], $"/groups/{group}/members/{_p[2].Id}")).IsProblem(HttpStatusCode.ServiceUnavailable, "unavailable", "");
        Assert.Equal(3, (await Directory.FindGroupAsync(Id(group), Cancel))!.MemberCount);
        Assert.Single(await _api.LogAsync(group));

        _api.Store.IsAway = false;
        Assert.Equal(HttpStatusCode.Created, (await _api.TextAsync(_p[2], group, "here")).Status);
        Assert.Equal(
            ["2 0 System {\"type\":\"added\",\"user_ids\":[\"2\"]}", "3 2 Text here"], (await _api.LogAsync(group, _p))[1..]);
        Assert.Empty(await Directory.ListPendingChangesAsync(Id(group), Cancel));
    }

    [Fact]
    public async Task A_change_whose_append_got_no_answer_is_in_the_log_once()
    {
        var group = await _api.GroupAsync(_p[0], _p[1]);
        _api.Store.LosesAnswers = true;
        (await _api.PutAsync(_p[0], $"/groups/{group}/members/{_p[2].Id}")).IsProblem(HttpStatusCode.ServiceUnavailable, "unavailable", "");
        _api.Store.LosesAnswers = false;
        _api.Delivered();
        // The client's retry.
        Assert.Equal(HttpStatusCode.NoContent, (await _api.PutAsync(_p[0], $"/groups/{group}/members/{_p[2].Id}")).Status);
        Assert.Equal(2, (await _api.LogAsync(group)).Length);
        Assert.Contains(_api.Delivered(), t => t.Kind == "Message" && t.To.Length == 3);
        Assert.False((await Directory.FindGroupAsync(Id(group), Cancel))!.HasPendingChanges);
    }

    [Fact]
    public async Task Changes_of_a_process_that_died_are_put_into_the_log_in_their_order_by_who_sweeps()
    {
        var group = await _api.GroupAsync(_p[0], _p[1]);
        _api.Delivered();
        // What a process does that dies after its transactions.
        PutGroupMembers Put(int user) => new()
        {
            Group = Id(group),
            Actor = _p[0].UserId,
            ChangeId = Guid.NewGuid(),
            At = _api.Time.GetUtcNow(),
            Users = [_p[user].UserId],
            MaxMembers = 10,
        };
        await Directory.ChangeGroupAsync(Put(2), Cancel);
        await Directory.ChangeGroupAsync(
            new RemoveGroupMember { Group = Id(group), Actor = _p[0].UserId, ChangeId = Guid.NewGuid(), At = _api.Time.GetUtcNow(), User = _p[2].UserId }, Cancel);
        await Directory.ChangeGroupAsync(Put(3), Cancel);

        await _api.Sweeper.SweepAsync(Cancel);
        Assert.Single(await _api.LogAsync(group)); // too young: somebody may be at it

        using var swept = new Measured(_api.Get<IMeterFactory>(), ApiTelemetry.GroupChangesSwept);
        _api.Time.Advance(TimeSpan.FromSeconds(5));
        // The background's own look, that the clock has just set off, may be first.
        await Task.WhenAll(_api.Sweeper.SweepAsync(Cancel), _api.Sweeper.SweepAsync(Cancel));
        Assert.Equal(
            ["2 0 System {\"type\":\"added\",\"user_ids\":[\"2\"]}", "3 0 System {\"type\":\"removed\",\"user_ids\":[\"2\"]}", "4 0 System {\"type\":\"added\",\"user_ids\":[\"3\"]}"],
            (await _api.LogAsync(group, _p))[1..]);
        Assert.Equal(3, swept.Values.Sum());
        // Each goes to who was in the group then.
        Assert.Equal(
            [Sorted(0, 1, 2), Sorted(0, 1, 2), Sorted(0, 1, 3)], _api.Delivered().Where(t => t.Kind == "Message").Select(t => t.To), new UserLists());
    }

    [Fact]
    [Trait("Requirement", "R22")]
    public async Task Who_left_before_a_change_of_the_name_never_sees_the_new_one()
    {
        var group = await _api.GroupAsync(_p[0], _p[1], _p[2]);
        _api.Delivered();
        await Directory.ChangeGroupAsync(
            new RemoveGroupMember { Group = Id(group), Actor = _p[0].UserId, ChangeId = Guid.NewGuid(), At = _api.Time.GetUtcNow(), User = _p[2].UserId }, Cancel);
        await Directory.ChangeGroupAsync(
            new EditGroup { Group = Id(group), Actor = _p[0].UserId, ChangeId = Guid.NewGuid(), At = _api.Time.GetUtcNow(), Name = "Climbers" }, Cancel);
        // Before the log knows that he left, and after it.
        Assert.Equal("Hikers", await NameAsync(2));
        _api.Time.Advance(TimeSpan.FromSeconds(5));
        await _api.Sweeper.SweepAsync(Cancel);
        Assert.Equal(("Hikers", "Climbers"), (await NameAsync(2), await NameAsync(1)));
        var told = Assert.Single(_api.Delivered(), t => t.Kind == "Conversation" && t.To.Contains(_p[2].UserId));
        Assert.Equal("Hikers", told.Frame.GetProperty("name").GetString());

        async Task<string?> NameAsync(int user) =>
            Assert.Single((await _api.GetAsync(_p[user], "/conversations")).Json.GetProperty("conversations").EnumerateArray()).GetProperty("name").GetString();
    }

    private sealed class UserLists : IEqualityComparer<UserId[]>
    {
        public bool Equals(UserId[]? x, UserId[]? y) => x!.SequenceEqual(y!);
        public int GetHashCode(UserId[] obj) => 0;
    }

    [Fact]
    public async Task One_group_that_can_not_be_logged_keeps_no_other_waiting()
    {
        var group = await _api.GroupAsync(_p[0], _p[1]);
        _api.Store.IsAway = true;
        await _api.PutAsync(_p[0], $"/groups/{group}/members/{_p[2].Id}");
        _api.Time.Advance(TimeSpan.FromSeconds(5));
        await _api.Sweeper.SweepAsync(Cancel);
        _api.Store.IsAway = false;
        await _api.Sweeper.SweepAsync(Cancel);
        Assert.Equal(2, (await _api.LogAsync(group)).Length);
    }

    [Fact]
    public async Task Many_groups_that_can_never_be_logged_keep_no_other_waiting()
    {
        for (var i = 0; i < 101; i++)
        {
            var id = ConversationId.NewGroup();
            _api.Store.Broken.Add(id);
            await MakeAsync(id);
            _api.Time.Advance(TimeSpan.FromMilliseconds(1));
        }

        var last = ConversationId.NewGroup();
        await MakeAsync(last);
        _api.Time.Advance(TimeSpan.FromSeconds(5));
        await _api.Sweeper.SweepAsync(Cancel);
        Assert.Single(await _api.LogAsync(last.ToString()));

        Task MakeAsync(ConversationId id) => Directory.CreateGroupAsync(
            new()
            {
                Id = id,
                Name = "Hikers",
                CreatedBy = _p[0].UserId,
                Members = [_p[1].UserId],
                ChangeId = Guid.NewGuid(),
                CreatedAt = _api.Time.GetUtcNow(),
                MaxMembers = 10,
            }, Cancel);
    }

    [Fact]
    [Trait("Requirement", "R22")]
    public async Task Another_replica_knows_of_a_removal_within_a_second_and_this_one_at_once()
    {
        await using var other = await GroupApi.StartAsync(beside: _api);
        var group = await _api.GroupAsync(_p[0], _p[1]);
        var (here, there) = (_api.Get<IGroupMembers>(), other.Get<IGroupMembers>());
        Assert.True((await there.FindAsync(Id(group), Cancel))!.Has(_p[1].UserId));
        await _api.DeleteAsync(_p[0], $"/groups/{group}/members/{_p[1].Id}");
        Assert.False((await here.FindAsync(Id(group), Cancel))!.Has(_p[1].UserId));

        _api.Time.Advance(TimeSpan.FromMilliseconds(999));
        Assert.True((await there.FindAsync(Id(group), Cancel))!.Has(_p[1].UserId));
        _api.Time.Advance(TimeSpan.FromMilliseconds(1));
        Assert.False((await there.FindAsync(Id(group), Cancel))!.Has(_p[1].UserId));

        await _api.DeleteAsync(_p[0], $"/groups/{group}");
        Assert.Null(await here.FindAsync(Id(group), Cancel));
        _api.Time.Advance(TimeSpan.FromSeconds(1));
        Assert.Null(await there.FindAsync(Id(group), Cancel));
        Assert.Null(await there.FindAsync(ConversationId.NewGroup(), Cancel));
    }

    [Fact]
    public async Task Nobody_sees_an_own_change_later_than_its_answer_however_many_ask_meanwhile()
    {
        var group = await _api.GroupAsync(_p[0], _p[1]);
        var members = _api.Get<IGroupMembers>();
        using var ended = new CancellationTokenSource();
        var asking = Enumerable.Range(0, 4).Select(_ => Task.Run(async () =>
        {
            while (!ended.IsCancellationRequested)
            {
                await members.FindAsync(Id(group), Cancel);
                await Task.Yield();
            }
        }, Cancel)).ToArray();
        for (var i = 0; i < 20; i++)
        {
            await _api.PutAsync(_p[0], $"/groups/{group}/members/{_p[2].Id}");
            Assert.True((await members.FindAsync(Id(group), Cancel))!.Has(_p[2].UserId));
            await _api.DeleteAsync(_p[0], $"/groups/{group}/members/{_p[2].Id}");
            Assert.False((await members.FindAsync(Id(group), Cancel))!.Has(_p[2].UserId));
        }

        await ended.CancelAsync();
        await Task.WhenAll(asking);
        Assert.Equal(41, (await _api.LogAsync(group)).Length);
    }

    [Fact]
    public async Task Changes_are_counted_under_the_names_that_dashboards_know()
    {
        Assert.Equal(
            ("WhatsAspire.MessageApi", "whatsaspire.groups.changes", "whatsaspire.groups.changes.swept", "whatsaspire.groups.size"),
            (ApiTelemetry.Name, ApiTelemetry.GroupChanges, ApiTelemetry.GroupChangesSwept, ApiTelemetry.GroupSize));
        using var changes = new Measured(_api.Get<IMeterFactory>(), ApiTelemetry.GroupChanges);
        using var size = new Measured(_api.Get<IMeterFactory>(), ApiTelemetry.GroupSize);
        var group = await _api.GroupAsync(_p[0], _p[1], _p[2]);
        await _api.PatchAsync(_p[0], $"/groups/{group}", new { name = "Bikers" });
        await _api.DeleteAsync(_p[0], $"/groups/{group}/members/{_p[1].Id}");
        Assert.Equal(["created", "changed", "removed"], changes.Types);
        Assert.Equal([3, 2], size.Values);
    }
}
