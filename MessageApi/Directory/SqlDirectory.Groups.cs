using System.Data.Common;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using WhatsAspire.Contracts;
using WhatsAspire.MessageApi.Groups;

namespace WhatsAspire.MessageApi.Directory;

/// <summary>Groups: making and reading them. Who is to change one takes its row's lock first, so that the changes of a group
/// come one after another, and what is looked at under it still holds at the commit.</summary>
public abstract partial class SqlDirectory
{
    private const int PendingAtOnce = 1_000;
    private const int UsersInStatement = 100;

    private const string GroupColumns =
        """
        g.group_id, g.name, g.description, g.picture, g.only_admins_send, g.member_count, g.created_by, g.created_ms, g.version,
        g.deleted_ms, EXISTS (SELECT 1 FROM group_changes c WHERE c.group_id = g.group_id)
        """;

    public Task<GroupOutcome> CreateGroupAsync(NewGroup group, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(group);
        return WriteAsync((connection, cancel) => MakeGroupAsync(connection, group, cancel), cancellationToken);
    }

    private static async Task<GroupOutcome> MakeGroupAsync(DbConnection connection, NewGroup group, CancellationToken cancellationToken)
    {
        var hash = ContentHash(group);
        if (await FindMadeAsync(connection, group, hash, cancellationToken) is { } known) return known;
        if (group.Members.Count + 1 > group.MaxMembers) return new(GroupStatus.Full);
        UserId[] everybody = [group.CreatedBy, .. group.Members];
        if (await RefusalOfUsersAsync(connection, group.CreatedBy, everybody, cancellationToken) is { } refusal) return refusal;

        var made = new Group
        {
            Id = group.Id,
            Name = group.Name,
            Description = group.Description,
            Picture = group.Picture,
            MemberCount = group.Members.Count + 1,
            CreatedBy = group.CreatedBy,
            CreatedAt = Time(Ms(group.CreatedAt)),
            Version = 1,
            HasPendingChanges = true,
        };
        var added = await connection.ExecuteAsync(
            """
            INSERT INTO chat_groups (group_id, name, description, picture, only_admins_send, member_count, created_by, created_ms,
                client_group_id, content_hash, version, last_change_id)
            VALUES (@group, @name, @description, @picture, @only, @count, @by, @at, @client, @hash, 1, @change)
            ON CONFLICT DO NOTHING
            """,
            [
                ("group", made.Id.Value), ("name", made.Name), ("description", made.Description), ("picture", made.Picture), ("only", false),
                ("count", made.MemberCount), ("by", made.CreatedBy.Value), ("at", Ms(made.CreatedAt)), ("client", group.ClientGroupId),
                ("hash", hash), ("change", group.ChangeId),
            ],
            cancellationToken);
        // Somebody made it meanwhile, and has committed by now.
        if (added == 0) return await FindMadeAsync(connection, group, hash, cancellationToken) ?? new(GroupStatus.Conflict);

        await InsertMembersAsync(connection, made, [made.CreatedBy], GroupRole.Admin, made.CreatedAt, cancellationToken);
        await InsertMembersAsync(connection, made, group.Members, GroupRole.Member, made.CreatedAt, cancellationToken);
        await InsertChangeAsync(
            connection, made, group.ChangeId, made.CreatedBy, group.CreatedAt,
            new()
            {
                Type = Contracts.Frames.GroupChangeTypes.Created,
                UserIds = everybody,
                Name = made.Name,
                Description = made.Description,
                Picture = made.Picture,
                WhoMaySend = Everyone,
            },
            everybody, [], cancellationToken);
        return new(GroupStatus.Changed, made);
    }

    /// <summary>The group that an earlier call with the same id, or the same id of the client's, made.</summary>
    private static async Task<GroupOutcome?> FindMadeAsync(
        DbConnection connection, NewGroup group, byte[] hash, CancellationToken cancellationToken)
    {
        var found = await connection.AllAsync(
            $"""
            SELECT {GroupColumns}, g.content_hash FROM chat_groups g
            WHERE g.group_id = @group OR (g.created_by = @by AND g.client_group_id = @client)
            """,
            [("group", group.Id.Value), ("by", group.CreatedBy.Value), ("client", group.ClientGroupId ?? "")],
            r => (Group: ReadGroup(r), Hash: r.GetFieldValue<byte[]>(11)), cancellationToken);
        if (found.Count == 0) return null;
        return found.Count == 1 && found[0].Group.CreatedBy == group.CreatedBy && Same(found[0].Hash, hash)
            ? new(GroupStatus.Unchanged, found[0].Group)
            : new(GroupStatus.Conflict);
    }

    // The members in order: the same group named in another order is the same.
    private static byte[] ContentHash(NewGroup group)
    {
        var text = new StringBuilder().Append(group.Name).Append('\0').Append(group.Description).Append('\0').Append(group.Picture);
        foreach (var member in group.Members.Order()) text.Append('\0').Append(member);
        return SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString()));
    }

    public Task<Group?> FindGroupAsync(ConversationId group, CancellationToken cancellationToken) =>
        FirstAsync(
            $"SELECT {GroupColumns} FROM chat_groups g WHERE g.group_id = @group", [("group", group.Value)], ReadGroup, cancellationToken);

    public Task<IReadOnlyList<Group>> FindGroupsAsync(IReadOnlyList<ConversationId> groups, UserId user, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(groups);
        return ReadAsync<IReadOnlyList<Group>>(async (connection, cancel) =>
        {
            var found = new List<Group>(groups.Count);
            foreach (var some in groups.Chunk(UsersInStatement))
            {
                var (names, arguments) = List("g", some, group => group.Value, ("user", user.Value));
                found.AddRange(await connection.AllAsync(
                    $"""
                    SELECT {GroupColumns}, l.name
                    FROM chat_groups g LEFT JOIN group_leavers l ON l.group_id = g.group_id AND l.user_id = @user
                    WHERE g.group_id IN ({names})
                    """,
                    arguments, r => Text(r, 11) is { } then ? ReadGroup(r) with { Name = then } : ReadGroup(r), cancel));
            }

            return found;
        }, cancellationToken);
    }

    // One statement: the row and the members are those of one moment.
    public async Task<GroupWithMembers?> ReadGroupAsync(ConversationId group, CancellationToken cancellationToken)
    {
        var rows = await AllAsync(
            $"""
            SELECT {GroupColumns}, m.user_id, m.role, m.joined_ms
            FROM chat_groups g LEFT JOIN group_members m ON m.group_id = g.group_id
            WHERE g.group_id = @group ORDER BY m.user_id
            """,
            [("group", group.Value)],
            r => (Group: ReadGroup(r), Member: r.IsDBNull(11) ? null : ReadMember(r, 11)), cancellationToken);
        if (rows.Count == 0) return null;
        var members = new List<GroupMember>(rows.Count);
        foreach (var (_, member) in rows)
            if (member is not null) members.Add(member);
        return new(rows[0].Group, members);
    }

    public Task<IReadOnlyList<GroupMember>> ListGroupMembersAsync(
        ConversationId group, UserId? after, int limit, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1);
        const string Select = "SELECT user_id, role, joined_ms FROM group_members WHERE group_id = @group";
        return after is { } last
            ? AllAsync(
                $"{Select} AND user_id > @after ORDER BY user_id LIMIT @limit",
                [("group", group.Value), ("after", last.Value), ("limit", limit)], r => ReadMember(r, 0), cancellationToken)
            : AllAsync(
                $"{Select} ORDER BY user_id LIMIT @limit", [("group", group.Value), ("limit", limit)], r => ReadMember(r, 0), cancellationToken);
    }

    public Task<IReadOnlyList<PendingGroupChange>> ListPendingChangesAsync(ConversationId group, CancellationToken cancellationToken) =>
        AllAsync(
            $"""
            SELECT version, change_id, actor_id, at_ms, change, joined_ids, left_ids FROM group_changes
            WHERE group_id = @group ORDER BY version LIMIT {PendingAtOnce}
            """,
            [("group", group.Value)],
            r => new PendingGroupChange(
                r.GetInt64(0), r.GetGuid(1), new(r.GetGuid(2)), Time(r.GetInt64(3)), r.GetString(4),
                Ids(r.GetFieldValue<byte[]>(5)), Ids(r.GetFieldValue<byte[]>(6))),
            cancellationToken);

    public Task<IReadOnlyList<ConversationId>> ListGroupsWithPendingChangesAsync(
        DateTimeOffset madeBefore, int limit, CancellationToken cancellationToken) =>
        AllAsync(
            """
            SELECT group_id FROM group_changes WHERE at_ms <= @before
            GROUP BY group_id ORDER BY MIN(at_ms), group_id LIMIT @limit
            """,
            [("before", Ms(madeBefore)), ("limit", limit)], r => new ConversationId(r.GetGuid(0)), cancellationToken);

    public Task RemovePendingChangesAsync(ConversationId group, long upToVersion, CancellationToken cancellationToken) =>
        WriteAsync((connection, cancel) => connection.ExecuteAsync(
            "DELETE FROM group_changes WHERE group_id = @group AND version <= @version",
            [("group", group.Value), ("version", upToVersion)], cancel), cancellationToken);

    private static Group ReadGroup(DbDataReader r) => new()
    {
        Id = new(r.GetGuid(0)),
        Name = r.GetString(1),
        Description = Text(r, 2),
        Picture = Text(r, 3),
        OnlyAdminsSend = r.GetBoolean(4),
        MemberCount = r.GetInt32(5),
        CreatedBy = new(r.GetGuid(6)),
        CreatedAt = Time(r.GetInt64(7)),
        Version = r.GetInt64(8),
        DeletedAt = r.IsDBNull(9) ? null : Time(r.GetInt64(9)),
        HasPendingChanges = r.GetBoolean(10),
    };

    private static GroupMember ReadMember(DbDataReader r, int first) =>
        new(new(r.GetGuid(first)), (GroupRole)r.GetInt32(first + 1), Time(r.GetInt64(first + 2)));

    /// <summary>The parameters of a list in a statement.</summary>
    private static (string Names, (string, object?)[] Arguments) List<T>(
        string prefix, IReadOnlyList<T> items, Func<T, object> value, params (string, object?)[] others)
    {
        var names = new StringBuilder();
        var arguments = new (string, object?)[others.Length + items.Count];
        others.CopyTo(arguments, 0);
        for (var i = 0; i < items.Count; i++)
        {
            var name = string.Create(CultureInfo.InvariantCulture, $"{prefix}{i}");
            names.Append(i == 0 ? "@" : ", @").Append(name);
            arguments[others.Length + i] = (name, value(items[i]));
        }

        return (names.ToString(), arguments);
    }

    private static byte[] Bytes(IReadOnlyList<UserId> users)
    {
        var bytes = new byte[16 * users.Count];
        for (var i = 0; i < users.Count; i++) users[i].Value.TryWriteBytes(bytes.AsSpan(16 * i), bigEndian: true, out _);
        return bytes;
    }

    private static UserId[] Ids(byte[] bytes)
    {
        var users = new UserId[bytes.Length / 16];
        for (var i = 0; i < users.Length; i++) users[i] = new(new Guid(bytes.AsSpan(16 * i, 16), bigEndian: true));
        return users;
    }
}
