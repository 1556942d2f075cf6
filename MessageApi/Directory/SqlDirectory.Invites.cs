using System.Data.Common;
using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Frames;
using WhatsAspire.MessageApi.Groups;

namespace WhatsAspire.MessageApi.Directory;

/// <summary>Ways into groups. Who makes, ends or uses one holds the group's lock, so that no use is counted twice.</summary>
public abstract partial class SqlDirectory
{
    private const string InviteColumns = "invite_id, group_id, created_by, created_ms, expires_ms, max_uses, uses, revoked_ms";

    // In SQL what GroupInvite.IsGood says.
    private const string IsGood = "(revoked_ms IS NULL AND (expires_ms IS NULL OR expires_ms > @now) AND (max_uses IS NULL OR uses < max_uses))";

    public Task<GroupStatus> AddInviteAsync(GroupInvite invite, byte[] codeHash, int limit, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(invite);
        ArgumentNullException.ThrowIfNull(codeHash);
        return WriteAsync(async (connection, cancel) =>
        {
            if (await RefusalOfAdminAsync(connection, invite.Group, invite.CreatedBy, cancel) is { } refusal) return refusal;
            (string, object?)[] place = [("group", invite.Group.Value), ("now", Ms(invite.CreatedAt))];
            await connection.ExecuteAsync($"DELETE FROM group_invites WHERE group_id = @group AND NOT {IsGood}", place, cancel);
            var ids = await connection.AllAsync(
                "SELECT invite_id FROM group_invites WHERE group_id = @group", place[..1], r => r.GetGuid(0), cancel);
            if (ids.Contains(invite.Id)) return GroupStatus.Unchanged;
            if (ids.Count >= limit) return GroupStatus.Full;
            await connection.ExecuteAsync(
                $"""
                INSERT INTO group_invites ({InviteColumns}, code_hash)
                VALUES (@id, @group, @by, @at, @expires, @most, 0, NULL, @hash)
                """,
                [
                    ("id", invite.Id), ("group", invite.Group.Value), ("by", invite.CreatedBy.Value), ("at", Ms(invite.CreatedAt)),
                    ("expires", invite.ExpiresAt is { } expires ? Ms(expires) : null), ("most", invite.MaxUses), ("hash", codeHash),
                ],
                cancel);
            return GroupStatus.Changed;
        }, cancellationToken);
    }

    public Task<IReadOnlyList<GroupInvite>> ListInvitesAsync(ConversationId group, DateTimeOffset now, CancellationToken cancellationToken) =>
        AllAsync(
            $"SELECT {InviteColumns} FROM group_invites WHERE group_id = @group AND {IsGood} ORDER BY created_ms, invite_id",
            [("group", group.Value), ("now", Ms(now))], ReadInvite, cancellationToken);

    public Task<GroupStatus> RevokeInviteAsync(
        ConversationId group, Guid invite, UserId actor, DateTimeOffset now, CancellationToken cancellationToken) =>
        WriteAsync(async (connection, cancel) =>
            await RefusalOfAdminAsync(connection, group, actor, cancel)
            ?? (await connection.ExecuteAsync(
                "UPDATE group_invites SET revoked_ms = @now WHERE group_id = @group AND invite_id = @invite AND revoked_ms IS NULL",
                [("now", Ms(now)), ("group", group.Value), ("invite", invite)], cancel) == 1 ? GroupStatus.Changed : GroupStatus.Unchanged),
            cancellationToken);

    public Task<GroupInvite?> FindInviteAsync(byte[] codeHash, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(codeHash);
        return FirstAsync(
            $"SELECT {InviteColumns} FROM group_invites WHERE code_hash = @hash", [("hash", codeHash)], ReadInvite, cancellationToken);
    }

    private static async Task<GroupOutcome> JoinAsync(DbConnection connection, Group group, JoinGroup join, CancellationToken cancel)
    {
        var invite = await connection.FirstAsync(
            $"SELECT {InviteColumns} FROM group_invites WHERE code_hash = @hash AND group_id = @group",
            [("hash", join.CodeHash), ("group", group.Id.Value)], ReadInvite, cancel);
        if (invite is null) return new(GroupStatus.NotFound);
        if (!invite.IsGood(join.At)) return new(GroupStatus.InviteEnded);
        if (group.MemberCount >= join.MaxMembers) return new(GroupStatus.Full);
        var next = group with { Version = group.Version + 1, MemberCount = group.MemberCount + 1 };
        await connection.ExecuteAsync("UPDATE group_invites SET uses = uses + 1 WHERE invite_id = @id", [("id", invite.Id)], cancel);
        await InsertMembersAsync(connection, next, [join.Actor], GroupRole.Member, join.At, cancel);
        var change = new GroupChange { Type = GroupChangeTypes.Joined, UserIds = [join.Actor] };
        await InsertChangeAsync(connection, next, join.ChangeId, join.Actor, join.At, change, [join.Actor], [], cancel);
        return await SaveAsync(connection, next, join.ChangeId, cancel);
    }

    private async Task<GroupStatus?> RefusalOfAdminAsync(
        DbConnection connection, ConversationId group, UserId actor, CancellationToken cancel) =>
        await LockGroupAsync(connection, group, cancel) is not { DeletedAt: null }
            ? GroupStatus.NotFound
            : await RoleAsync(connection, group, actor, cancel) switch
            {
                null => GroupStatus.NotFound,
                GroupRole.Admin => null,
                _ => GroupStatus.Forbidden,
            };

    private static GroupInvite ReadInvite(DbDataReader r) => new(
        r.GetGuid(0), new(r.GetGuid(1)), new(r.GetGuid(2)), Time(r.GetInt64(3)), r.IsDBNull(4) ? null : Time(r.GetInt64(4)),
        r.IsDBNull(5) ? null : r.GetInt32(5), r.GetInt32(6), r.IsDBNull(7) ? null : Time(r.GetInt64(7)));
}
