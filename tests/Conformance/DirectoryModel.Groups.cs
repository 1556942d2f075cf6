using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Frames;
using WhatsAspire.MessageApi.Directory;
using WhatsAspire.MessageApi.Groups;

namespace WhatsAspire.Conformance;

public sealed partial class DirectoryModel
{
    private readonly List<GroupEntry> _groups = [];
    private readonly List<(GroupInvite Invite, byte[] Hash)> _invites = [];

    private sealed class GroupEntry(Group group, NewGroup made)
    {
        public Group Row { get; set; } = group;
        public NewGroup Made { get; } = made;
        public Guid LastChange { get; set; } = made.ChangeId;
        public Dictionary<UserId, (GroupRole Role, DateTimeOffset At, long Version)> Members { get; } = [];
        public List<PendingGroupChange> Pending { get; } = [];

        /// <summary>What it was called when they went.</summary>
        public Dictionary<UserId, string> Left { get; } = [];

        public Group Now => Row with { MemberCount = Members.Count, HasPendingChanges = Pending.Count > 0 };

        public void Add(IEnumerable<UserId> users, GroupRole role, DateTimeOffset at)
        {
            foreach (var user in users)
            {
                Members.Add(user, (role, at, Row.Version));
                Left.Remove(user);
            }
        }

        public void Change(
            Guid id, UserId actor, DateTimeOffset at, GroupChange change, IReadOnlyList<UserId>? joined = null, IReadOnlyList<UserId>? left = null)
        {
            LastChange = id;
            Pending.Add(new(
                Row.Version, id, actor, at, System.Text.Encoding.UTF8.GetString(FrameWriter.Write(change)), joined ?? [], left ?? []));
        }

        public void Next() => Row = Row with { Version = Row.Version + 1 };

        public void Delete(Guid id, UserId actor, DateTimeOffset at)
        {
            Next();
            Row = Row with { DeletedAt = at };
            UserId[] left = [.. Members.Keys.Order()];
            Members.Clear();
            Change(id, actor, at, new() { Type = GroupChangeTypes.Deleted }, left: left);
        }
    }

    public Task<GroupOutcome> CreateGroupAsync(NewGroup group, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(group);
        return Task.FromResult(Create(group));
    }

    private GroupOutcome Create(NewGroup group)
    {
        var known = _groups.Find(g => g.Row.Id == group.Id
            || (group.ClientGroupId is not null && g.Made.CreatedBy == group.CreatedBy && g.Made.ClientGroupId == group.ClientGroupId));
        if (known is not null)
        {
            var made = known.Made;
            return made.CreatedBy == group.CreatedBy && (made.Name, made.Description, made.Picture) == (group.Name, group.Description, group.Picture)
                && made.Members.Order().SequenceEqual(group.Members.Order())
                ? new(GroupStatus.Unchanged, known.Now) : new(GroupStatus.Conflict);
        }

        if (group.Members.Count + 1 > group.MaxMembers) return new(GroupStatus.Full);
        if (RefusalOf(group.CreatedBy, [group.CreatedBy, .. group.Members]) is { } refusal) return refusal;
        var entry = new GroupEntry(
            new()
            {
                Id = group.Id,
                Name = group.Name,
                Description = group.Description,
                Picture = group.Picture,
                MemberCount = 0,
                CreatedBy = group.CreatedBy,
                CreatedAt = group.CreatedAt,
                Version = 1,
            },
            group);
        _groups.Add(entry);
        entry.Add([group.CreatedBy], GroupRole.Admin, group.CreatedAt);
        entry.Add(group.Members, GroupRole.Member, group.CreatedAt);
        UserId[] all = [group.CreatedBy, .. group.Members];
        entry.Change(
            group.ChangeId, group.CreatedBy, group.CreatedAt,
            new() { Type = "created", UserIds = all, Name = group.Name, Description = group.Description, Picture = group.Picture, WhoMaySend = "everyone" },
            joined: all);
        return new(GroupStatus.Changed, entry.Now);
    }

    private GroupOutcome? RefusalOf(UserId actor, IReadOnlyList<UserId> users)
    {
        var unknown = users.Where(u => !_accounts.Exists(a => a.Id == u)).Order().ToArray();
        if (unknown.Length > 0) return new(GroupStatus.UnknownUsers, Users: unknown);
        var blockers = users.Where(u => _blocks.Exists(b => b.Blocker == u && b.Blocked == actor)).Order().ToArray();
        return blockers.Length > 0 ? new(GroupStatus.BlockedBy, Users: blockers) : null;
    }

    public Task<GroupOutcome> ChangeGroupAsync(GroupCommand command, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(command);
        return Task.FromResult(Apply(command));
    }

    private GroupOutcome Apply(GroupCommand command)
    {
        if (_groups.Find(g => g.Row.Id == command.Group) is not { } group) return new(GroupStatus.NotFound);
        if (group.Row.DeletedAt is not null)
            return command is DeleteGroup && group.LastChange == command.ChangeId ? new(GroupStatus.Changed, group.Now) : new(GroupStatus.NotFound);
        var (actor, at, id) = (command.Actor, command.At, command.ChangeId);
        var isMember = group.Members.TryGetValue(actor, out var role);
        var leaves = command is RemoveGroupMember r && r.User == actor;
        if (command is JoinGroup join) return isMember ? new(GroupStatus.Unchanged, group.Now) : Join(group, join);
        if (!isMember) return new(leaves ? GroupStatus.Unchanged : GroupStatus.NotFound);
        if (role.Role != GroupRole.Admin && !leaves && command is not PutGroupMembers) return new(GroupStatus.Forbidden, group.Now);
        switch (command)
        {
            case EditGroup edit:
                var change = new GroupChange
                {
                    Type = "changed",
                    Name = edit.Name == group.Row.Name ? null : edit.Name,
                    Description = edit.Description == (group.Row.Description ?? "") ? null : edit.Description,
                    Picture = edit.Picture == (group.Row.Picture ?? "") ? null : edit.Picture,
                    WhoMaySend = edit.OnlyAdminsSend is not { } only || only == group.Row.OnlyAdminsSend ? null : only ? "admins" : "everyone",
                };
                if (change == new GroupChange { Type = "changed" }) return new(GroupStatus.Unchanged, group.Now);
                group.Next();
                group.Row = group.Row with
                {
                    Name = edit.Name ?? group.Row.Name,
                    Description = edit.Description is null ? group.Row.Description : edit.Description.Length == 0 ? null : edit.Description,
                    Picture = edit.Picture is null ? group.Row.Picture : edit.Picture.Length == 0 ? null : edit.Picture,
                    OnlyAdminsSend = edit.OnlyAdminsSend ?? group.Row.OnlyAdminsSend,
                };
                group.Change(id, actor, at, change);
                break;
            case PutGroupMembers put:
                return Put(group, put, role.Role);
            case RemoveGroupMember remove when !leaves:
                if (!group.Members.Remove(remove.User)) return new(GroupStatus.Unchanged, group.Now);
                group.Left[remove.User] = group.Row.Name;
                group.Next();
                group.Change(id, actor, at, new() { Type = "removed", UserIds = [remove.User] }, left: [remove.User]);
                break;
            case RemoveGroupMember:
                group.Members.Remove(actor);
                group.Left[actor] = group.Row.Name;
                group.Next();
                group.Change(id, actor, at, new() { Type = "left", UserIds = [actor] }, left: [actor]);
                if (group.Members.Count == 0) Delete(group, Guid.NewGuid(), actor, at);
                else if (!group.Members.Values.Any(m => m.Role == GroupRole.Admin))
                    SetRole(group, [group.Members.OrderBy(m => m.Value.Version).ThenBy(m => m.Key).First().Key], GroupRole.Admin, Guid.NewGuid(), command);
                break;
            case DeleteGroup:
                Delete(group, id, actor, at);
                break;
        }

        return new(GroupStatus.Changed, group.Now);
    }

    private GroupOutcome Put(GroupEntry group, PutGroupMembers put, GroupRole actorRole)
    {
        UserId[] added = [.. put.Users.Where(u => !group.Members.ContainsKey(u))];
        UserId[] others = [.. put.Users.Where(u => put.Role is { } role && group.Members.TryGetValue(u, out var m) && m.Role != role)];
        if (added.Length + others.Length == 0) return new(GroupStatus.Unchanged, group.Now);
        if (actorRole != GroupRole.Admin) return new(GroupStatus.Forbidden, group.Now);
        if (RefusalOf(put.Actor, added) is { } refusal) return refusal with { Group = group.Now };
        if (group.Members.Count + added.Length > put.MaxMembers) return new(GroupStatus.Full, group.Now);
        if (others.Length > 0 && put.Role == GroupRole.Member && group.Members.Values.Count(m => m.Role == GroupRole.Admin) == others.Length)
            return new(GroupStatus.LastAdmin, group.Now);
        if (added.Length > 0)
        {
            group.Next();
            group.Add(added, put.Role ?? GroupRole.Member, put.At);
            group.Change(
                put.ChangeId, put.Actor, put.At,
                new() { Type = "added", UserIds = added, Role = put.Role == GroupRole.Admin ? "admin" : null }, joined: added);
        }

        if (others.Length > 0) SetRole(group, others, put.Role!.Value, added.Length > 0 ? Guid.NewGuid() : put.ChangeId, put);
        return new(GroupStatus.Changed, group.Now);
    }

    private static void SetRole(GroupEntry group, UserId[] users, GroupRole role, Guid change, GroupCommand command)
    {
        group.Next();
        foreach (var user in users) group.Members[user] = group.Members[user] with { Role = role };
        group.Change(
            change, command.Actor, command.At,
            new() { Type = "role", UserIds = users, Role = role == GroupRole.Admin ? "admin" : "member" });
    }

    private void Delete(GroupEntry group, Guid change, UserId actor, DateTimeOffset at)
    {
        group.Delete(change, actor, at);
        _invites.RemoveAll(i => i.Invite.Group == group.Row.Id);
    }

    private GroupOutcome Join(GroupEntry group, JoinGroup join)
    {
        var index = _invites.FindIndex(i => i.Invite.Group == group.Row.Id && Same(i.Hash, join.CodeHash));
        if (index < 0) return new(GroupStatus.NotFound);
        var (invite, hash) = _invites[index];
        if (!invite.IsGood(join.At)) return new(GroupStatus.InviteEnded);
        if (group.Members.Count >= join.MaxMembers) return new(GroupStatus.Full);
        _invites[index] = (invite with { Uses = invite.Uses + 1 }, hash);
        group.Next();
        group.Add([join.Actor], GroupRole.Member, join.At);
        group.Change(join.ChangeId, join.Actor, join.At, new() { Type = "joined", UserIds = [join.Actor] }, joined: [join.Actor]);
        return new(GroupStatus.Changed, group.Now);
    }

    public Task<Group?> FindGroupAsync(ConversationId group, CancellationToken cancellationToken) =>
        Task.FromResult(_groups.Find(g => g.Row.Id == group)?.Now);

    public Task<IReadOnlyList<Group>> FindGroupsAsync(IReadOnlyList<ConversationId> groups, UserId user, CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<Group>>(
            [.. _groups.Where(g => groups.Contains(g.Row.Id)).Select(g => g.Left.TryGetValue(user, out var name) ? g.Now with { Name = name } : g.Now)]);

    public Task<GroupWithMembers?> ReadGroupAsync(ConversationId group, CancellationToken cancellationToken) =>
        Task.FromResult(_groups.Find(g => g.Row.Id == group) is { } entry ? new GroupWithMembers(entry.Now, MembersOf(entry)) : null);

    private static GroupMember[] MembersOf(GroupEntry group) =>
        [.. group.Members.OrderBy(m => m.Key).Select(m => new GroupMember(m.Key, m.Value.Role, m.Value.At))];

    public Task<IReadOnlyList<GroupMember>> ListGroupMembersAsync(
        ConversationId group, UserId? after, int limit, CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<GroupMember>>(_groups.Find(g => g.Row.Id == group) is { } entry
            ? [.. MembersOf(entry).Where(m => after is null || m.User > after).Take(limit)] : []);

    public Task<IReadOnlyList<PendingGroupChange>> ListPendingChangesAsync(ConversationId group, CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<PendingGroupChange>>([.. _groups.Find(g => g.Row.Id == group)?.Pending ?? []]);

    public Task<IReadOnlyList<ConversationId>> ListGroupsWithPendingChangesAsync(
        DateTimeOffset madeBefore, int limit, CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<ConversationId>>(
            [.. _groups.Where(g => g.Pending.Exists(c => c.At <= madeBefore))
                .OrderBy(g => g.Pending.Where(c => c.At <= madeBefore).Min(c => c.At)).ThenBy(g => g.Row.Id.ToString(), StringComparer.Ordinal)
                .Take(limit).Select(g => g.Row.Id)]);

    public Task RemovePendingChangesAsync(ConversationId group, long upToVersion, CancellationToken cancellationToken)
    {
        _groups.Find(g => g.Row.Id == group)?.Pending.RemoveAll(c => c.Version <= upToVersion);
        return Task.CompletedTask;
    }

    public Task<GroupStatus> AddInviteAsync(GroupInvite invite, byte[] codeHash, int limit, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(invite);
        if (RefusalOfAdmin(invite.Group, invite.CreatedBy) is { } refusal) return Task.FromResult(refusal);
        _invites.RemoveAll(i => i.Invite.Group == invite.Group && !i.Invite.IsGood(invite.CreatedAt));
        if (_invites.Exists(i => i.Invite.Id == invite.Id)) return Task.FromResult(GroupStatus.Unchanged);
        if (_invites.Count(i => i.Invite.Group == invite.Group) >= limit) return Task.FromResult(GroupStatus.Full);
        _invites.Add((invite, codeHash));
        return Task.FromResult(GroupStatus.Changed);
    }

    private GroupStatus? RefusalOfAdmin(ConversationId id, UserId actor) =>
        _groups.Find(g => g.Row.Id == id && g.Row.DeletedAt is null) is { } group && group.Members.TryGetValue(actor, out var member)
            ? member.Role == GroupRole.Admin ? null : GroupStatus.Forbidden
            : GroupStatus.NotFound;

    public Task<IReadOnlyList<GroupInvite>> ListInvitesAsync(ConversationId group, DateTimeOffset now, CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<GroupInvite>>(
            [.. _invites.Select(i => i.Invite).Where(i => i.Group == group && i.IsGood(now))
                .OrderBy(i => i.CreatedAt).ThenBy(i => i.Id.ToString(), StringComparer.Ordinal)]);

    public Task<GroupStatus> RevokeInviteAsync(
        ConversationId group, Guid invite, UserId actor, DateTimeOffset now, CancellationToken cancellationToken)
    {
        if (RefusalOfAdmin(group, actor) is { } refusal) return Task.FromResult(refusal);
        var index = _invites.FindIndex(i => i.Invite.Id == invite && i.Invite.Group == group && i.Invite.RevokedAt is null);
        if (index < 0) return Task.FromResult(GroupStatus.Unchanged);
        _invites[index] = (_invites[index].Invite with { RevokedAt = now }, _invites[index].Hash);
        return Task.FromResult(GroupStatus.Changed);
    }

    public Task<GroupInvite?> FindInviteAsync(byte[] codeHash, CancellationToken cancellationToken) =>
        Task.FromResult<GroupInvite?>(_invites.Find(i => Same(i.Hash, codeHash)).Invite);
}
