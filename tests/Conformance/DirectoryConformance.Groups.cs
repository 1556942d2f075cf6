using WhatsAspire.Contracts;
using WhatsAspire.MessageApi.Directory;
using WhatsAspire.MessageApi.Groups;
using Xunit;

namespace WhatsAspire.Conformance;

public abstract partial class DirectoryConformance
{
    private const int MaxMembers = 5;

    /// <summary>A group that is there, of users who are.</summary>
    protected static async Task<Group> GroupAsync(IDirectory directory, UserId maker, params UserId[] members)
    {
        ArgumentNullException.ThrowIfNull(directory);
        var outcome = await directory.CreateGroupAsync(Made(maker, members), Cancel);
        Assert.Equal(GroupStatus.Changed, outcome.Status);
        return outcome.Group!;
    }

    private static NewGroup Made(UserId maker, UserId[] members, string? clientId = null) => new()
    {
        Id = ConversationId.NewGroup(),
        Name = "the Ünique 👋",
        CreatedBy = maker,
        Members = members,
        ClientGroupId = clientId,
        ChangeId = Guid.NewGuid(),
        CreatedAt = Now,
        MaxMembers = MaxMembers,
    };

    private static async Task<UserId[]> PeopleAsync(IDirectory directory, int count)
    {
        var people = new UserId[count];
        for (var i = 0; i < count; i++) people[i] = await AccountAsync(directory, $"user{i}");
        return people;
    }

    private static PutGroupMembers Put(Group group, UserId actor, GroupRole? role, params UserId[] users) => new()
    {
        Group = group.Id,
        Actor = actor,
        ChangeId = Guid.NewGuid(),
        At = Now,
        Users = users,
        Role = role,
        MaxMembers = MaxMembers,
    };

    private static RemoveGroupMember Remove(Group group, UserId actor, UserId user, double afterMs = 0) =>
        new() { Group = group.Id, Actor = actor, ChangeId = Guid.NewGuid(), At = Now.AddMilliseconds(afterMs), User = user };

    private static JoinGroup Join(Group group, UserId actor, byte[] hash) =>
        new() { Group = group.Id, Actor = actor, ChangeId = Guid.NewGuid(), At = Now, CodeHash = hash, MaxMembers = MaxMembers };

    private static async Task<string[]> PendingAsync(IDirectory directory, Group group) =>
        [.. (await directory.ListPendingChangesAsync(group.Id, Cancel)).Select(c => $"{c.Version} {c.Json}")];

    private static async Task<(long Count, int Rows, int Admins)> CountAsync(IDirectory directory, Group group)
    {
        var whole = (await directory.ReadGroupAsync(group.Id, Cancel))!;
        return (whole.Group.MemberCount, whole.Members.Count, whole.Members.Count(m => m.Role == GroupRole.Admin));
    }

    [Fact]
    [Trait("Requirement", "R20")]
    public async Task A_group_is_found_as_it_was_made_with_its_first_change()
    {
        var directory = await OpenAsync();
        var people = await PeopleAsync(directory, 3);
        var made = Made(people[0], people[1..]) with { Description = "about", Picture = "https://p.example/1" };
        var outcome = await directory.CreateGroupAsync(made, Cancel);
        Assert.Equal(GroupStatus.Changed, outcome.Status);

        var group = await directory.FindGroupAsync(made.Id, Cancel);
        Assert.Equal(
            new Group
            {
                Id = made.Id,
                Name = made.Name,
                Description = "about",
                Picture = "https://p.example/1",
                MemberCount = 3,
                CreatedBy = people[0],
                CreatedAt = Now,
                Version = 1,
                HasPendingChanges = true,
            },
            group);
        var members = people.Order().Select(p => new GroupMember(p, p == people[0] ? GroupRole.Admin : GroupRole.Member, Now)).ToArray();
        Assert.Equal(members, (await directory.ReadGroupAsync(made.Id, Cancel))!.Members);
        Assert.Equal(members[..2], await directory.ListGroupMembersAsync(made.Id, null, 2, Cancel));
        Assert.Equal(members[2..], await directory.ListGroupMembersAsync(made.Id, members[1].User, 2, Cancel));

        var change = Assert.Single(await directory.ListPendingChangesAsync(made.Id, Cancel));
        Assert.Equal((1, made.ChangeId, people[0], Now), (change.Version, change.ChangeId, change.Actor, change.At));
        Assert.Equal(people, change.Joined);
        Assert.Empty(change.Left);
        Assert.Equal(
            $$"""{"type":"created","user_ids":["{{people[0]}}","{{people[1]}}","{{people[2]}}"],"name":"the Ünique \uD83D\uDC4B","description":"about","picture":"https://p.example/1","who_may_send":"everyone"}""",
            change.Json);
        Assert.Null(await directory.FindGroupAsync(ConversationId.NewGroup(), Cancel));
        Assert.Null(await directory.ReadGroupAsync(ConversationId.NewGroup(), Cancel));
    }

    [Fact]
    public async Task A_group_is_made_once_however_often_it_is_asked_for()
    {
        var directory = await OpenAsync();
        var people = await PeopleAsync(directory, 3);
        var made = Made(people[0], people[1..], "mine");
        var first = await directory.CreateGroupAsync(made, Cancel);
        Assert.Equal((GroupStatus.Unchanged, first.Group), Pair(await directory.CreateGroupAsync(made, Cancel)));
        // A retry of the client's comes with another id of ours.
        var retry = made with { Id = ConversationId.NewGroup(), ChangeId = Guid.NewGuid(), Members = [people[2], people[1]] };
        Assert.Equal((GroupStatus.Unchanged, first.Group), Pair(await directory.CreateGroupAsync(retry, Cancel)));
        Assert.Equal(GroupStatus.Conflict, (await directory.CreateGroupAsync(retry with { Name = "another" }, Cancel)).Status);
        // Of another user's it is another's.
        Assert.Equal(GroupStatus.Changed, (await directory.CreateGroupAsync(Made(people[1], [], "mine"), Cancel)).Status);

        static (GroupStatus, Group?) Pair(GroupOutcome outcome) => (outcome.Status, outcome.Group);
    }

    [Fact]
    [Trait("Requirement", "R20")]
    public async Task Of_many_who_make_the_same_group_at_once_one_does()
    {
        var directory = await OpenAsync();
        var people = await PeopleAsync(directory, 2);
        var outcomes = await Task.WhenAll(Enumerable.Range(0, 12).Select(_ => Task.Run(
            () => directory.CreateGroupAsync(Made(people[0], people[1..], "mine"), Cancel), Cancel)));
        Assert.Single(outcomes, o => o.Status == GroupStatus.Changed);
        Assert.Single(outcomes.Select(o => o.Group!.Id).Distinct());
    }

    [Fact]
    public async Task Who_is_unknown_or_has_blocked_the_actor_is_not_brought_in_and_then_nobody_is()
    {
        var directory = await OpenAsync();
        var people = await PeopleAsync(directory, 3);
        var nobody = UserId.New();
        await directory.AddBlockAsync(people[2], people[0], Now, Cancel);
        var unknown = await directory.CreateGroupAsync(Made(people[0], [people[1], nobody]), Cancel);
        Assert.Equal((GroupStatus.UnknownUsers, nobody), (unknown.Status, Assert.Single(unknown.Users!)));
        var blocked = await directory.CreateGroupAsync(Made(people[0], [people[1], people[2]]), Cancel);
        Assert.Equal((GroupStatus.BlockedBy, people[2]), (blocked.Status, Assert.Single(blocked.Users!)));

        var group = await GroupAsync(directory, people[0]);
        Assert.Equal(GroupStatus.UnknownUsers, (await directory.ChangeGroupAsync(Put(group, people[0], null, people[1], nobody), Cancel)).Status);
        Assert.Equal(GroupStatus.BlockedBy, (await directory.ChangeGroupAsync(Put(group, people[0], null, people[1], people[2]), Cancel)).Status);
        Assert.Equal((1, 1, 1), await CountAsync(directory, group));
    }

    [Fact]
    [Trait("Requirement", "R20")]
    public async Task Only_admins_change_a_group_and_who_is_not_in_it_learns_nothing()
    {
        var directory = await OpenAsync();
        var people = await PeopleAsync(directory, 4);
        var group = await GroupAsync(directory, people[0], people[1], people[2]);
        foreach (var (actor, expected) in new[] { (people[1], GroupStatus.Forbidden), (people[3], GroupStatus.NotFound) })
        {
            GroupCommand[] commands =
            [
                new EditGroup { Group = group.Id, Actor = actor, ChangeId = Guid.NewGuid(), At = Now, Name = "mine" },
                Put(group, actor, null, people[3]),
                Put(group, actor, GroupRole.Admin, people[1]),
                Remove(group, actor, people[2]),
                new DeleteGroup { Group = group.Id, Actor = actor, ChangeId = Guid.NewGuid(), At = Now },
            ];
            foreach (var command in commands) Assert.Equal(expected, (await directory.ChangeGroupAsync(command, Cancel)).Status);
            var invite = new GroupInvite(Guid.NewGuid(), group.Id, actor, Now, null, null, 0, null);
            Assert.Equal(expected, await directory.AddInviteAsync(invite, Bytes(1), 1, Cancel));
            Assert.Equal(expected, await directory.RevokeInviteAsync(group.Id, invite.Id, actor, Now, Cancel));
        }

        Assert.Equal(GroupStatus.Unchanged, (await directory.ChangeGroupAsync(Remove(group, people[3], people[3]), Cancel)).Status);
        Assert.Single(await PendingAsync(directory, group));
        Assert.Equal((3, 3, 1), await CountAsync(directory, group));
    }

    [Fact]
    [Trait("Requirement", "R20")]
    public async Task The_last_admin_hands_over_as_he_leaves_and_the_last_member_ends_the_group()
    {
        var directory = await OpenAsync();
        var people = await PeopleAsync(directory, 3);
        var group = await GroupAsync(directory, people[0], people[2]);
        await directory.ChangeGroupAsync(Put(group, people[0], null, people[1]), Cancel);
        Assert.Equal(GroupStatus.LastAdmin, (await directory.ChangeGroupAsync(Put(group, people[0], GroupRole.Member, people[0]), Cancel)).Status);

        Assert.Equal(GroupStatus.Changed, (await directory.ChangeGroupAsync(Remove(group, people[0], people[0]), Cancel)).Status);
        Assert.Equal((2, 2, 1), await CountAsync(directory, group));
        // User 2 came first.
        Assert.Equal(
            [$$"""3 {"type":"left","user_ids":["{{people[0]}}"]}""", $$"""4 {"type":"role","user_ids":["{{people[2]}}"],"role":"admin"}"""],
            (await PendingAsync(directory, group))[2..]);
        Assert.Equal(GroupStatus.Changed, (await directory.ChangeGroupAsync(Remove(group, people[2], people[1]), Cancel)).Status);
        Assert.Equal(GroupStatus.Unchanged, (await directory.ChangeGroupAsync(Remove(group, people[2], people[1]), Cancel)).Status);
        Assert.Equal(GroupStatus.Changed, (await directory.ChangeGroupAsync(Remove(group, people[2], people[2], 7), Cancel)).Status);
        var gone = (await directory.FindGroupAsync(group.Id, Cancel))!;
        Assert.Equal((0, 7, Now.AddMilliseconds(7), group.Name), (gone.MemberCount, gone.Version, gone.DeletedAt, gone.Name));
        Assert.Equal("""7 {"type":"deleted"}""", (await PendingAsync(directory, group))[^1]);
        Assert.Equal(GroupStatus.NotFound, (await directory.ChangeGroupAsync(Put(group, people[0], null, people[1]), Cancel)).Status);
    }

    [Fact]
    public async Task Who_has_left_sees_the_name_of_then_until_he_comes_back()
    {
        var directory = await OpenAsync();
        var people = await PeopleAsync(directory, 4);
        var group = await GroupAsync(directory, people[0], people[1], people[2]);
        var other = await GroupAsync(directory, people[1], people[2]);
        await directory.ChangeGroupAsync(Remove(group, people[1], people[1]), Cancel);
        await RenameAsync("second");
        await directory.ChangeGroupAsync(Remove(group, people[0], people[2]), Cancel);
        await RenameAsync("third");
        Assert.Equal(["third", group.Name, "second", "third"], await NamesAsync());

        await directory.ChangeGroupAsync(Put(group, people[0], null, people[1]), Cancel);
        Assert.Equal(["third", "third", "second", "third"], await NamesAsync());
        await directory.ChangeGroupAsync(Remove(group, people[1], people[1]), Cancel);
        await RenameAsync("fourth");
        Assert.Equal(["fourth", "third", "second", "fourth"], await NamesAsync());
        // Who was there to the end.
        await directory.ChangeGroupAsync(new DeleteGroup { Group = group.Id, Actor = people[0], ChangeId = Guid.NewGuid(), At = Now }, Cancel);
        Assert.Equal(["fourth", "third", "second", "fourth"], await NamesAsync());
        Assert.Equal(
            [(other.Id, other.Name), (group.Id, "second")],
            (await directory.FindGroupsAsync([group.Id, other.Id], people[2], Cancel)).OrderBy(g => g.Id == group.Id).Select(g => (g.Id, g.Name)));

        Task RenameAsync(string name) => directory.ChangeGroupAsync(
            new EditGroup { Group = group.Id, Actor = people[0], ChangeId = Guid.NewGuid(), At = Now, Name = name }, Cancel);

        async Task<string[]> NamesAsync()
        {
            var names = new string[people.Length];
            for (var i = 0; i < names.Length; i++) names[i] = Assert.Single(await directory.FindGroupsAsync([group.Id], people[i], Cancel)).Name;
            return names;
        }
    }

    [Fact]
    public async Task A_deleted_group_is_deleted_again_by_the_same_call_alone()
    {
        var directory = await OpenAsync();
        var people = await PeopleAsync(directory, 2);
        var group = await GroupAsync(directory, people[0], people[1]);
        var delete = new DeleteGroup { Group = group.Id, Actor = people[0], ChangeId = Guid.NewGuid(), At = Now };
        for (var i = 0; i < 2; i++) Assert.Equal(GroupStatus.Changed, (await directory.ChangeGroupAsync(delete, Cancel)).Status);
        Assert.Equal(GroupStatus.NotFound, (await directory.ChangeGroupAsync(delete with { ChangeId = Guid.NewGuid() }, Cancel)).Status);
        var change = (await directory.ListPendingChangesAsync(group.Id, Cancel))[^1];
        Assert.Equal(people.Order(), change.Left);
        Assert.Equal(2, change.Version);
    }

    [Fact]
    public async Task What_is_in_the_log_is_forgotten_and_what_is_not_is_found_by_its_age()
    {
        var directory = await OpenAsync();
        var people = await PeopleAsync(directory, 2);
        var (a, b) = (await GroupAsync(directory, people[0]), await GroupAsync(directory, people[0]));
        await directory.ChangeGroupAsync(Put(a, people[0], null, people[1]) with { At = Now.AddSeconds(9) }, Cancel);
        await directory.RemovePendingChangesAsync(a.Id, 1, Cancel);
        await directory.RemovePendingChangesAsync(a.Id, 1, Cancel);
        Assert.Equal(2, Assert.Single(await directory.ListPendingChangesAsync(a.Id, Cancel)).Version);
        Assert.Equal([b.Id], await directory.ListGroupsWithPendingChangesAsync(Now.AddSeconds(8), 10, Cancel));
        Assert.Equal([b.Id, a.Id], await directory.ListGroupsWithPendingChangesAsync(Now.AddSeconds(9), 10, Cancel));
        Assert.Equal([b.Id], await directory.ListGroupsWithPendingChangesAsync(Now.AddSeconds(9), 1, Cancel));
        await directory.RemovePendingChangesAsync(a.Id, 2, Cancel);
        Assert.False((await directory.FindGroupAsync(a.Id, Cancel))!.HasPendingChanges);
        Assert.True((await directory.FindGroupAsync(b.Id, Cancel))!.HasPendingChanges);
    }

    [Fact]
    [Trait("Requirement", "R20")]
    public async Task Many_who_add_at_once_never_exceed_the_maximum_and_their_changes_have_an_order()
    {
        var directory = await OpenAsync();
        var people = await PeopleAsync(directory, 12);
        var group = await GroupAsync(directory, people[0]);
        var outcomes = await Task.WhenAll(people[1..].Select(p => Task.Run(
            () => directory.ChangeGroupAsync(Put(group, people[0], null, p), Cancel), Cancel)));
        Assert.Equal(MaxMembers - 1, outcomes.Count(o => o.Status == GroupStatus.Changed));
        Assert.All(outcomes, o => Assert.True(o.Status is GroupStatus.Changed or GroupStatus.Full));
        Assert.Equal((MaxMembers, MaxMembers, 1), await CountAsync(directory, group));
        Assert.Equal([1, 2, 3, 4, 5], (await directory.ListPendingChangesAsync(group.Id, Cancel)).Select(c => c.Version));
    }

    [Fact]
    public async Task Admins_who_leave_and_come_at_once_leave_a_group_that_holds_together()
    {
        var directory = await OpenAsync();
        var people = await PeopleAsync(directory, 5);
        var group = await GroupAsync(directory, people[0], people[1..4]);
        await directory.ChangeGroupAsync(Put(group, people[0], GroupRole.Admin, people[1]), Cancel);
        await Task.WhenAll(
            Task.Run(() => directory.ChangeGroupAsync(Remove(group, people[0], people[0]), Cancel), Cancel),
            Task.Run(() => directory.ChangeGroupAsync(Remove(group, people[1], people[1]), Cancel), Cancel),
            Task.Run(() => directory.ChangeGroupAsync(Put(group, people[1], null, people[4]), Cancel), Cancel));
        var (count, rows, admins) = await CountAsync(directory, group);
        Assert.Equal((count, 1), (rows, admins));
        var versions = (await directory.ListPendingChangesAsync(group.Id, Cancel)).Select(c => c.Version).ToArray();
        Assert.Equal(Enumerable.Range(1, versions.Length).Select(v => (long)v), versions);
    }

    [Fact]
    public async Task An_invite_is_good_for_as_long_and_as_often_as_it_says()
    {
        var directory = await OpenAsync();
        var people = await PeopleAsync(directory, 5);
        var group = await GroupAsync(directory, people[0]);
        GroupInvite Invite(DateTimeOffset? expires, int? most) => new(Guid.NewGuid(), group.Id, people[0], Now, expires, most, 0, null);
        var (once, short_, revoked) = (Invite(null, 1), Invite(Now.AddSeconds(1), null), Invite(null, null));
        Assert.Equal(GroupStatus.Changed, await directory.AddInviteAsync(once, Bytes(1), 3, Cancel));
        Assert.Equal(GroupStatus.Unchanged, await directory.AddInviteAsync(once, Bytes(1), 3, Cancel));
        Assert.Equal(GroupStatus.Changed, await directory.AddInviteAsync(short_, Bytes(2), 3, Cancel));
        Assert.Equal(GroupStatus.Changed, await directory.AddInviteAsync(revoked, Bytes(3), 3, Cancel));
        Assert.Equal(GroupStatus.Full, await directory.AddInviteAsync(Invite(null, null), Bytes(4), 3, Cancel));
        Assert.Equal(3, (await directory.ListInvitesAsync(group.Id, Now, Cancel)).Count);
        Assert.Equal(once, await directory.FindInviteAsync(Bytes(1), Cancel));
        Assert.Null(await directory.FindInviteAsync(Bytes(9), Cancel));

        Assert.Equal(GroupStatus.Changed, (await directory.ChangeGroupAsync(Join(group, people[1], Bytes(1)), Cancel)).Status);
        // Repeated by who is in by now: no other use, nor an ended invite.
        Assert.Equal(GroupStatus.Unchanged, (await directory.ChangeGroupAsync(Join(group, people[1], Bytes(1)), Cancel)).Status);
        Assert.Equal(GroupStatus.InviteEnded, (await directory.ChangeGroupAsync(Join(group, people[2], Bytes(1)), Cancel)).Status);
        Assert.Equal(GroupStatus.Changed, (await directory.ChangeGroupAsync(Join(group, people[2], Bytes(2)), Cancel)).Status);
        var late = Join(group, people[3], Bytes(2)) with { At = Now.AddSeconds(1) };
        Assert.Equal(GroupStatus.InviteEnded, (await directory.ChangeGroupAsync(late, Cancel)).Status);
        for (var i = 0; i < 2; i++)
            Assert.Equal(
                i == 0 ? GroupStatus.Changed : GroupStatus.Unchanged,
                await directory.RevokeInviteAsync(group.Id, revoked.Id, people[0], Now, Cancel));
        Assert.Equal(GroupStatus.InviteEnded, (await directory.ChangeGroupAsync(Join(group, people[3], Bytes(3)), Cancel)).Status);
        Assert.Equal(GroupStatus.NotFound, (await directory.ChangeGroupAsync(Join(group, people[3], Bytes(9)), Cancel)).Status);
        // The ended ones make room.
        Assert.Equal(GroupStatus.Changed, await directory.AddInviteAsync(Invite(null, null), Bytes(4), 2, Cancel));
        Assert.Equal((3, 3, 1), await CountAsync(directory, group));
    }

    [Fact]
    [Trait("Requirement", "R20")]
    public async Task Of_many_who_use_an_invite_at_once_as_many_come_in_as_it_is_good_for()
    {
        var directory = await OpenAsync();
        var people = await PeopleAsync(directory, 10);
        var group = await GroupAsync(directory, people[0]);
        await directory.AddInviteAsync(new(Guid.NewGuid(), group.Id, people[0], Now, null, 3, 0, null), Bytes(1), 1, Cancel);
        var outcomes = await Task.WhenAll(people[1..].Select(p => Task.Run(
            () => directory.ChangeGroupAsync(Join(group, p, Bytes(1)), Cancel), Cancel)));
        Assert.Equal(3, outcomes.Count(o => o.Status == GroupStatus.Changed));
        Assert.Equal((4, 4, 1), await CountAsync(directory, group));
        Assert.Equal(3, (await directory.FindInviteAsync(Bytes(1), Cancel))!.Uses);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Random_changes_of_groups_do_what_the_model_does(int seed) =>
        await DirectoryModel.CompareGroupsAsync(await OpenAsync(), seed, steps: 300, Cancel);
}
