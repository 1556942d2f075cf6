using WhatsAspire.Contracts;
using WhatsAspire.MessageApi.Groups;

namespace WhatsAspire.MessageApi.Directory;

/// <summary>A group as the directory has it.</summary>
public sealed record Group
{
    public required ConversationId Id { get; init; }
    public required string Name { get; init; }
    public string? Description { get; init; }
    public string? Picture { get; init; }

    /// <summary>Others may only read.</summary>
    public bool OnlyAdminsSend { get; init; }

    /// <summary>Always the number of its members' rows.</summary>
    public required int MemberCount { get; init; }

    public required UserId CreatedBy { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>Rises by one with each change; 1 as it was made.</summary>
    public required long Version { get; init; }

    public DateTimeOffset? DeletedAt { get; init; }

    /// <summary>Some changes are not yet known to be in its log.</summary>
    public bool HasPendingChanges { get; init; }
}

/// <param name="User">Who.</param>
/// <param name="Role">What he may do.</param>
/// <param name="JoinedAt">When he came, the last time.</param>
public sealed record GroupMember(UserId User, GroupRole Role, DateTimeOffset JoinedAt);

/// <param name="Group">The group.</param>
/// <param name="Members">In the order of their ids.</param>
public sealed record GroupWithMembers(Group Group, IReadOnlyList<GroupMember> Members);

/// <summary>A group to be made.</summary>
public sealed record NewGroup
{
    public required ConversationId Id { get; init; }
    public required string Name { get; init; }
    public string? Description { get; init; }
    public string? Picture { get; init; }
    public required UserId CreatedBy { get; init; }

    /// <summary>Distinct, without the maker.</summary>
    public required IReadOnlyList<UserId> Members { get; init; }

    /// <summary>The maker's client's own id, which makes retries one group; null: a retry makes another.</summary>
    public string? ClientGroupId { get; init; }

    /// <summary>Random: the first change's.</summary>
    public required Guid ChangeId { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>With the maker.</summary>
    public required int MaxMembers { get; init; }
}

/// <summary>Something that somebody wants to change in a group.</summary>
public abstract record GroupCommand
{
    public required ConversationId Group { get; init; }
    public required UserId Actor { get; init; }

    /// <summary>Random: the change's, of several the first one's.</summary>
    public required Guid ChangeId { get; init; }

    public required DateTimeOffset At { get; init; }
}

/// <summary>By an admin. What is null stays; an empty description or picture goes.</summary>
public sealed record EditGroup : GroupCommand
{
    public string? Name { get; init; }
    public string? Description { get; init; }
    public string? Picture { get; init; }
    public bool? OnlyAdminsSend { get; init; }
}

/// <summary>By an admin. Who is not in the group is added; who is in it gets the role, if one is given. All of them or
/// none.</summary>
public sealed record PutGroupMembers : GroupCommand
{
    /// <summary>Distinct, at least one.</summary>
    public required IReadOnlyList<UserId> Users { get; init; }

    /// <summary>Null: who is added is a member, who is in the group keeps his.</summary>
    public GroupRole? Role { get; init; }

    public required int MaxMembers { get; init; }
}

/// <summary>By an admin, or by the user himself, who leaves.</summary>
public sealed record RemoveGroupMember : GroupCommand
{
    public required UserId User { get; init; }
}

/// <summary>By who has a code. The invite's uses rise with it.</summary>
public sealed record JoinGroup : GroupCommand
{
    /// <summary>SHA-256 of the code.</summary>
    public required byte[] CodeHash { get; init; }

    public required int MaxMembers { get; init; }
}

/// <summary>By an admin. Repeated with the same change id it succeeds again.</summary>
public sealed record DeleteGroup : GroupCommand;

/// <summary>What became of a command.</summary>
public enum GroupStatus
{
    /// <summary>It took effect.</summary>
    Changed,
    /// <summary>It held already.</summary>
    Unchanged,
    /// <summary>There is no such group, or the actor is not in it; or no such invite.</summary>
    NotFound,
    /// <summary>The actor is a member and no admin.</summary>
    Forbidden,
    /// <summary>Some users have no account.</summary>
    UnknownUsers,
    /// <summary>Some users have blocked the actor.</summary>
    BlockedBy,
    /// <summary>More members, or invites, than there may be.</summary>
    Full,
    /// <summary>The group's only admin would be none any more.</summary>
    LastAdmin,
    /// <summary>The invite was revoked, has expired or is used up.</summary>
    InviteEnded,
    /// <summary>The client's id was used for another content.</summary>
    Conflict,
}

/// <param name="Status">What became of it.</param>
/// <param name="Group">As it is now; null where it is not found.</param>
/// <param name="Users">The unknown users, or those who have blocked the actor.</param>
public sealed record GroupOutcome(GroupStatus Status, Group? Group = null, IReadOnlyList<UserId>? Users = null);

/// <summary>A change that took effect and is not yet known to be in the group's log.</summary>
/// <param name="Version">The group's, since then. Changes go into the log in the order of these.</param>
/// <param name="ChangeId">Random: nobody else can have used it.</param>
/// <param name="Actor">Who did it.</param>
/// <param name="At">When.</param>
/// <param name="Json">A <see cref="Contracts.Frames.GroupChange"/> as its entry of the log has it.</param>
/// <param name="Joined">Who came with it.</param>
/// <param name="Left">Who went with it.</param>
public sealed record PendingGroupChange(
    long Version, Guid ChangeId, UserId Actor, DateTimeOffset At, string Json, IReadOnlyList<UserId> Joined, IReadOnlyList<UserId> Left);

/// <summary>A way into a group for who has the code.</summary>
/// <param name="Id">Names it to the admins; it is not the code.</param>
/// <param name="Group">Of which group.</param>
/// <param name="CreatedBy">Who made it.</param>
/// <param name="CreatedAt">When.</param>
/// <param name="ExpiresAt">Good before this; null: for ever.</param>
/// <param name="MaxUses">How many may join with it; null: any number.</param>
/// <param name="Uses">How many have.</param>
/// <param name="RevokedAt">Ended by an admin.</param>
public sealed record GroupInvite(
    Guid Id, ConversationId Group, UserId CreatedBy, DateTimeOffset CreatedAt, DateTimeOffset? ExpiresAt, int? MaxUses, int Uses,
    DateTimeOffset? RevokedAt)
{
    /// <summary>Whether one may join with it.</summary>
    public bool IsGood(DateTimeOffset now) =>
        RevokedAt is null && (ExpiresAt is not { } expires || now < expires) && (MaxUses is not { } most || Uses < most);
}
