using System.Data.Common;
using System.Globalization;
using System.Text;
using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Frames;
using WhatsAspire.MessageApi.Groups;

namespace WhatsAspire.MessageApi.Directory;

/// <summary>What commands do to a group, its row locked. Each change of it is written down as pending; at the end the row is
/// brought up to them.</summary>
public abstract partial class SqlDirectory
{
    private const string Everyone = "everyone";
    private const string Admins = "admins";

    public Task<GroupOutcome> ChangeGroupAsync(GroupCommand command, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(command);
        return WriteAsync((connection, cancel) => ChangeGroupAsync(connection, command, cancel), cancellationToken);
    }

    private async Task<GroupOutcome> ChangeGroupAsync(DbConnection connection, GroupCommand command, CancellationToken cancel)
    {
        if (await LockGroupAsync(connection, command.Group, cancel) is not { } group) return new(GroupStatus.NotFound);
        if (group.DeletedAt is not null)
            return command is DeleteGroup && await IsLastChangeAsync(connection, command, cancel)
                ? new(GroupStatus.Changed, group) : new(GroupStatus.NotFound);
        var role = await RoleAsync(connection, group.Id, command.Actor, cancel);
        if (command is JoinGroup join)
            return role is null ? await JoinAsync(connection, group, join, cancel) : new(GroupStatus.Unchanged, group);
        var isLeaving = command is RemoveGroupMember remove && remove.User == command.Actor;
        if (role is null) return isLeaving ? new(GroupStatus.Unchanged) : new(GroupStatus.NotFound);
        return command switch
        {
            RemoveGroupMember { User: var user } when isLeaving => await LeaveAsync(connection, group, command, user, role.Value, cancel),
            PutGroupMembers put => await PutMembersAsync(connection, group, put, role.Value, cancel),
            _ when role != GroupRole.Admin => new(GroupStatus.Forbidden, group),
            EditGroup edit => await EditAsync(connection, group, edit, cancel),
            RemoveGroupMember { User: var user } => await RemoveAsync(connection, group, command, user, cancel),
            DeleteGroup => await DeleteAsync(connection, group, command, command.ChangeId, cancel),
            _ => throw new ArgumentException($"{command.GetType().Name} is not known", nameof(command)),
        };
    }

    private static async Task<GroupOutcome> EditAsync(DbConnection connection, Group group, EditGroup edit, CancellationToken cancel)
    {
        var name = edit.Name == group.Name ? null : edit.Name;
        var description = edit.Description == (group.Description ?? "") ? null : edit.Description;
        var picture = edit.Picture == (group.Picture ?? "") ? null : edit.Picture;
        var onlyAdmins = edit.OnlyAdminsSend == group.OnlyAdminsSend ? null : edit.OnlyAdminsSend;
        if (name is null && description is null && picture is null && onlyAdmins is null) return new(GroupStatus.Unchanged, group);
        var next = group with
        {
            Name = name ?? group.Name,
            Description = description is null ? group.Description : NullIfEmpty(description),
            Picture = picture is null ? group.Picture : NullIfEmpty(picture),
            OnlyAdminsSend = onlyAdmins ?? group.OnlyAdminsSend,
            Version = group.Version + 1,
        };
        var change = new GroupChange
        {
            Type = GroupChangeTypes.Changed,
            Name = name,
            Description = description,
            Picture = picture,
            WhoMaySend = onlyAdmins switch { true => Admins, false => Everyone, null => null },
        };
        await InsertChangeAsync(connection, next, edit.ChangeId, edit.Actor, edit.At, change, [], [], cancel);
        return await SaveAsync(connection, next, edit.ChangeId, cancel);
    }

    private static async Task<GroupOutcome> PutMembersAsync(
        DbConnection connection, Group group, PutGroupMembers put, GroupRole actorRole, CancellationToken cancel)
    {
        var held = await RolesAsync(connection, group.Id, put.Users, cancel);
        var added = new List<UserId>();
        var others = new List<UserId>();
        foreach (var user in put.Users)
        {
            if (!held.TryGetValue(user, out var role)) added.Add(user);
            else if (put.Role is { } wanted && role != wanted) others.Add(user);
        }

        if (added.Count == 0 && others.Count == 0) return new(GroupStatus.Unchanged, group);
        if (actorRole != GroupRole.Admin) return new(GroupStatus.Forbidden, group);
        if (await RefusalOfUsersAsync(connection, put.Actor, added, cancel) is { } refusal) return refusal with { Group = group };
        if (group.MemberCount + added.Count > put.MaxMembers) return new(GroupStatus.Full, group);
        if (others.Count > 0 && put.Role == GroupRole.Member && await CountAdminsAsync(connection, group.Id, cancel) == others.Count)
            return new(GroupStatus.LastAdmin, group);

        var next = group;
        var changeId = put.ChangeId;
        if (added.Count > 0)
        {
            var role = put.Role ?? GroupRole.Member;
            next = next with { Version = next.Version + 1, MemberCount = next.MemberCount + added.Count };
            await InsertMembersAsync(connection, next, added, role, put.At, cancel);
            var change = new GroupChange { Type = GroupChangeTypes.Added, UserIds = added, Role = role == GroupRole.Admin ? Word(role) : null };
            await InsertChangeAsync(connection, next, changeId, put.Actor, put.At, change, added, [], cancel);
        }

        if (others.Count > 0)
        {
            if (added.Count > 0) changeId = Guid.NewGuid();
            next = await ChangeRoleAsync(connection, next, changeId, put, others, put.Role!.Value, cancel);
        }

        return await SaveAsync(connection, next, changeId, cancel);
    }

    private static async Task<GroupOutcome> RemoveAsync(
        DbConnection connection, Group group, GroupCommand command, UserId user, CancellationToken cancel)
    {
        if (await DeleteMemberAsync(connection, group.Id, user, cancel) == 0) return new(GroupStatus.Unchanged, group);
        await KeepNameAsync(connection, group, user, cancel);
        var next = group with { Version = group.Version + 1, MemberCount = group.MemberCount - 1 };
        var change = new GroupChange { Type = GroupChangeTypes.Removed, UserIds = [user] };
        await InsertChangeAsync(connection, next, command.ChangeId, command.Actor, command.At, change, [], [user], cancel);
        return await SaveAsync(connection, next, command.ChangeId, cancel);
    }

    private static async Task<GroupOutcome> LeaveAsync(
        DbConnection connection, Group group, GroupCommand command, UserId user, GroupRole role, CancellationToken cancel)
    {
        await DeleteMemberAsync(connection, group.Id, user, cancel);
        await KeepNameAsync(connection, group, user, cancel);
        var next = group with { Version = group.Version + 1, MemberCount = group.MemberCount - 1 };
        var change = new GroupChange { Type = GroupChangeTypes.Left, UserIds = [user] };
        await InsertChangeAsync(connection, next, command.ChangeId, command.Actor, command.At, change, [], [user], cancel);
        if (next.MemberCount == 0) return await DeleteAsync(connection, next, command, Guid.NewGuid(), cancel);
        var changeId = command.ChangeId;
        if (role == GroupRole.Admin && await CountAdminsAsync(connection, group.Id, cancel) == 0)
        {
            var heir = await connection.AllAsync(
                "SELECT user_id FROM group_members WHERE group_id = @group ORDER BY joined_version, user_id LIMIT 1",
                [("group", group.Id.Value)], r => new UserId(r.GetGuid(0)), cancel);
            changeId = Guid.NewGuid();
            next = await ChangeRoleAsync(connection, next, changeId, command, heir, GroupRole.Admin, cancel);
        }

        return await SaveAsync(connection, next, changeId, cancel);
    }

    private static async Task<GroupOutcome> DeleteAsync(
        DbConnection connection, Group group, GroupCommand command, Guid changeId, CancellationToken cancel)
    {
        var members = await connection.AllAsync(
            "SELECT user_id FROM group_members WHERE group_id = @group ORDER BY user_id",
            [("group", group.Id.Value)], r => new UserId(r.GetGuid(0)), cancel);
        await connection.ExecuteAsync("DELETE FROM group_members WHERE group_id = @group", [("group", group.Id.Value)], cancel);
        await connection.ExecuteAsync("DELETE FROM group_invites WHERE group_id = @group", [("group", group.Id.Value)], cancel);
        var next = group with { Version = group.Version + 1, MemberCount = 0, DeletedAt = Time(Ms(command.At)) };
        var change = new GroupChange { Type = GroupChangeTypes.Deleted };
        await InsertChangeAsync(connection, next, changeId, command.Actor, command.At, change, [], members, cancel);
        return await SaveAsync(connection, next, changeId, cancel);
    }

    private static async Task<Group> ChangeRoleAsync(
        DbConnection connection, Group group, Guid changeId, GroupCommand command, IReadOnlyList<UserId> users, GroupRole role,
        CancellationToken cancel)
    {
        foreach (var some in users.Chunk(UsersInStatement))
        {
            var (names, arguments) = List("u", some, user => user.Value, ("group", group.Id.Value), ("role", (int)role));
            await connection.ExecuteAsync(
                $"UPDATE group_members SET role = @role WHERE group_id = @group AND user_id IN ({names})", arguments, cancel);
        }

        var next = group with { Version = group.Version + 1 };
        var change = new GroupChange { Type = GroupChangeTypes.Role, UserIds = users, Role = Word(role) };
        await InsertChangeAsync(connection, next, changeId, command.Actor, command.At, change, [], [], cancel);
        return next;
    }

    private Task<Group?> LockGroupAsync(DbConnection connection, ConversationId group, CancellationToken cancel) =>
        connection.FirstAsync(
            $"SELECT {GroupColumns} FROM chat_groups g WHERE g.group_id = @group{ForUpdate}", [("group", group.Value)], ReadGroup, cancel);

    private static async Task<bool> IsLastChangeAsync(DbConnection connection, GroupCommand command, CancellationToken cancel) =>
        await connection.FirstAsync(
            "SELECT last_change_id FROM chat_groups WHERE group_id = @group AND last_change_id = @change",
            [("group", command.Group.Value), ("change", command.ChangeId)], r => (object)r.GetGuid(0), cancel) is not null;

    private static async Task<GroupRole?> RoleAsync(DbConnection connection, ConversationId group, UserId user, CancellationToken cancel) =>
        (await RolesAsync(connection, group, [user], cancel)).TryGetValue(user, out var role) ? role : null;

    private static async Task<Dictionary<UserId, GroupRole>> RolesAsync(
        DbConnection connection, ConversationId group, IReadOnlyList<UserId> users, CancellationToken cancel)
    {
        var roles = new Dictionary<UserId, GroupRole>();
        foreach (var some in users.Chunk(UsersInStatement))
        {
            var (names, arguments) = List("u", some, user => user.Value, ("group", group.Value));
            foreach (var (user, role) in await connection.AllAsync(
                $"SELECT user_id, role FROM group_members WHERE group_id = @group AND user_id IN ({names})", arguments,
                r => (new UserId(r.GetGuid(0)), (GroupRole)r.GetInt32(1)), cancel)) roles.Add(user, role);
        }

        return roles;
    }

    private static async Task<int> CountAdminsAsync(DbConnection connection, ConversationId group, CancellationToken cancel) =>
        (await connection.AllAsync(
            "SELECT COUNT(*) FROM group_members WHERE group_id = @group AND role = @admin",
            [("group", group.Value), ("admin", (int)GroupRole.Admin)], r => (int)r.GetInt64(0), cancel))[0];

    private static Task<int> DeleteMemberAsync(DbConnection connection, ConversationId group, UserId user, CancellationToken cancel) =>
        connection.ExecuteAsync(
            "DELETE FROM group_members WHERE group_id = @group AND user_id = @user",
            [("group", group.Value), ("user", user.Value)], cancel);

    /// <summary>Who goes goes on seeing the name of now, whatever the group is called later.</summary>
    private static Task<int> KeepNameAsync(DbConnection connection, Group group, UserId user, CancellationToken cancel) =>
        connection.ExecuteAsync(
            """
            INSERT INTO group_leavers (group_id, user_id, name) VALUES (@group, @user, @name)
            ON CONFLICT (group_id, user_id) DO UPDATE SET name = excluded.name
            """,
            [("group", group.Id.Value), ("user", user.Value), ("name", group.Name)], cancel);

    /// <summary>Why the actor can't bring these users in, or null.</summary>
    private static async Task<GroupOutcome?> RefusalOfUsersAsync(
        DbConnection connection, UserId actor, IReadOnlyList<UserId> users, CancellationToken cancel)
    {
        var known = new HashSet<UserId>();
        var blockers = new List<UserId>();
        foreach (var some in users.Chunk(UsersInStatement))
        {
            var (names, arguments) = List("u", some, user => user.Value, ("actor", actor.Value));
            known.UnionWith(await connection.AllAsync(
                $"SELECT user_id FROM accounts WHERE user_id IN ({names})", arguments[1..], r => new UserId(r.GetGuid(0)), cancel));
            blockers.AddRange(await connection.AllAsync(
                $"SELECT blocker_id FROM blocks WHERE blocked_id = @actor AND blocker_id IN ({names}) ORDER BY blocker_id", arguments,
                r => new UserId(r.GetGuid(0)), cancel));
        }

        if (known.Count < users.Count) return new(GroupStatus.UnknownUsers, Users: [.. users.Where(user => !known.Contains(user)).Order()]);
        return blockers.Count > 0 ? new(GroupStatus.BlockedBy, Users: [.. blockers.Order()]) : null;
    }

    private static async Task InsertMembersAsync(
        DbConnection connection, Group group, IReadOnlyList<UserId> users, GroupRole role, DateTimeOffset at, CancellationToken cancel)
    {
        foreach (var some in users.Chunk(UsersInStatement))
        {
            var (_, arguments) = List(
                "u", some, user => user.Value, ("group", group.Id.Value), ("role", (int)role), ("at", Ms(at)), ("version", group.Version));
            var rows = new StringBuilder();
            for (var i = 0; i < some.Length; i++)
                rows.Append(CultureInfo.InvariantCulture, $"{(i == 0 ? "" : ", ")}(@group, @u{i}, @role, @at, @version)");
            await connection.ExecuteAsync(
                $"INSERT INTO group_members (group_id, user_id, role, joined_ms, joined_version) VALUES {rows}", arguments, cancel);
            if (group.Version == 1) continue;
            // Who comes back sees what all see.
            var (names, leavers) = List("u", some, user => user.Value, ("group", group.Id.Value));
            await connection.ExecuteAsync($"DELETE FROM group_leavers WHERE group_id = @group AND user_id IN ({names})", leavers, cancel);
        }
    }

    private static Task<int> InsertChangeAsync(
        DbConnection connection, Group group, Guid changeId, UserId actor, DateTimeOffset at, GroupChange change,
        IReadOnlyList<UserId> joined, IReadOnlyList<UserId> left, CancellationToken cancel) =>
        connection.ExecuteAsync(
            """
            INSERT INTO group_changes (group_id, version, change_id, actor_id, at_ms, change, joined_ids, left_ids)
            VALUES (@group, @version, @id, @actor, @at, @change, @joined, @left)
            """,
            [
                ("group", group.Id.Value), ("version", group.Version), ("id", changeId), ("actor", actor.Value), ("at", Ms(at)),
                ("change", Encoding.UTF8.GetString(FrameWriter.Write(change))), ("joined", Bytes(joined)), ("left", Bytes(left)),
            ],
            cancel);

    private static async Task<GroupOutcome> SaveAsync(DbConnection connection, Group group, Guid lastChange, CancellationToken cancel)
    {
        await connection.ExecuteAsync(
            """
            UPDATE chat_groups SET name = @name, description = @description, picture = @picture, only_admins_send = @only,
                member_count = @count, version = @version, last_change_id = @change, deleted_ms = @deleted
            WHERE group_id = @group
            """,
            [
                ("name", group.Name), ("description", group.Description), ("picture", group.Picture), ("only", group.OnlyAdminsSend),
                ("count", group.MemberCount), ("version", group.Version), ("change", lastChange),
                ("deleted", group.DeletedAt is { } deleted ? Ms(deleted) : null), ("group", group.Id.Value),
            ],
            cancel);
        return new(GroupStatus.Changed, group with { HasPendingChanges = true });
    }

    private static string Word(GroupRole role) => role == GroupRole.Admin ? "admin" : "member";

    private static string? NullIfEmpty(string text) => text.Length == 0 ? null : text;
}
