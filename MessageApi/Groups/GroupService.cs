using Microsoft.Extensions.Options;
using WhatsAspire.Contracts;
using WhatsAspire.MessageApi.Directory;

namespace WhatsAspire.MessageApi.Groups;

/// <param name="Group">The group.</param>
/// <param name="Role">The asking member's.</param>
internal sealed record MemberView(Group Group, GroupRole Role);

/// <summary>Groups and who is in them. A change is first in the directory, then in the group's log, then answered; one whose way
/// into the log failed holds nevertheless, is answered <c>unavailable</c>, and gets there by itself.</summary>
internal sealed class GroupService(
    IDirectory directory, GroupMembers members, IOptions<GroupsOptions> options, TimeProvider time)
{
    private int MaxMembers => options.Value.MaxMembers;

    /// <summary>Makes a group. <c>Made</c> is false where an earlier try had made it.</summary>
    public async Task<Outcome<(MemberView View, bool Made)>> CreateAsync(
        UserId maker, CreateGroupRequest request, IReadOnlyList<UserId> others, CancellationToken cancellationToken)
    {
        var outcome = await directory.CreateGroupAsync(
            new()
            {
                Id = ConversationId.NewGroup(),
                Name = request.Name!,
                Description = string.IsNullOrEmpty(request.Description) ? null : request.Description,
                Picture = string.IsNullOrEmpty(request.Picture) ? null : request.Picture,
                CreatedBy = maker,
                Members = others,
                ClientGroupId = request.ClientGroupId,
                ChangeId = Guid.NewGuid(),
                CreatedAt = time.GetUtcNow(),
                MaxMembers = MaxMembers,
            },
            cancellationToken);
        if (Refusal(outcome) is { } refusal) return refusal;
        var view = await ViewAfterAsync(maker, outcome.Group!.Id);
        return view.IsOk ? (view.Value, outcome.Status == GroupStatus.Changed) : view.Error!;
    }

    /// <summary>The group, for a member.</summary>
    public async Task<Outcome<MemberView>> GetAsync(UserId user, ConversationId id, CancellationToken cancellationToken)
    {
        var snapshot = await members.FindAsync(id, cancellationToken);
        if (snapshot is null || !snapshot.Roles.TryGetValue(user, out var role)) return NoGroup();
        return await directory.FindGroupAsync(id, cancellationToken) is { DeletedAt: null } group ? new MemberView(group, role) : NoGroup();
    }

    /// <summary>A page of the members, for a member.</summary>
    public async Task<Outcome<GroupMember[]>> ListMembersAsync(
        UserId user, ConversationId id, UserId? after, int limit, CancellationToken cancellationToken)
    {
        if (await members.FindAsync(id, cancellationToken) is not { } snapshot || !snapshot.Has(user)) return NoGroup();
        return (await directory.ListGroupMembersAsync(id, after, limit, cancellationToken)).ToArray();
    }

    /// <summary>Changes name, description, picture, or who may send.</summary>
    public async Task<Outcome<MemberView>> EditAsync(
        UserId actor, ConversationId id, EditGroupRequest request, CancellationToken cancellationToken)
    {
        var refusal = await ChangeAsync(
            new EditGroup
            {
                Group = id,
                Actor = actor,
                ChangeId = Guid.NewGuid(),
                At = time.GetUtcNow(),
                Name = request.Name,
                Description = request.Description,
                Picture = request.Picture,
                OnlyAdminsSend = request.WhoMaySend switch { "admins" => true, "everyone" => false, _ => null },
            },
            cancellationToken);
        return refusal is null ? await ViewAfterAsync(actor, id) : refusal;
    }

    /// <summary>Adds users, and gives the role, where there is one, to those who are in the group.</summary>
    public Task<Error?> PutMembersAsync(
        UserId actor, ConversationId id, IReadOnlyList<UserId> users, GroupRole? role, CancellationToken cancellationToken) =>
        ChangeAsync(
            new PutGroupMembers
            {
                Group = id,
                Actor = actor,
                ChangeId = Guid.NewGuid(),
                At = time.GetUtcNow(),
                Users = users,
                Role = role,
                MaxMembers = MaxMembers,
            },
            cancellationToken);

    /// <summary>Removes a member, or leaves. To leave what one is not in, whether there is such a group or not, is no error.</summary>
    public async Task<Error?> RemoveMemberAsync(UserId actor, ConversationId id, UserId user, CancellationToken cancellationToken)
    {
        var refusal = await ChangeAsync(
            new RemoveGroupMember { Group = id, Actor = actor, ChangeId = Guid.NewGuid(), At = time.GetUtcNow(), User = user }, cancellationToken);
        return actor == user && refusal is { Code: ErrorCode.NotFound } ? null : refusal;
    }

    /// <summary>Ends the group for everybody.</summary>
    public Task<Error?> DeleteAsync(UserId actor, ConversationId id, CancellationToken cancellationToken) =>
        ChangeAsync(new DeleteGroup { Group = id, Actor = actor, ChangeId = Guid.NewGuid(), At = time.GetUtcNow() }, cancellationToken);

    /// <summary>Joins with an invite's code.</summary>
    public async Task<Outcome<MemberView>> JoinAsync(UserId user, ConversationId id, byte[] codeHash, CancellationToken cancellationToken)
    {
        var outcome = await directory.ChangeGroupAsync(
            new JoinGroup
            {
                Group = id,
                Actor = user,
                ChangeId = Guid.NewGuid(),
                At = time.GetUtcNow(),
                CodeHash = codeHash,
                MaxMembers = MaxMembers,
            },
            cancellationToken);
        return Refusal(outcome, "invite") is { } refusal ? refusal : await ViewAfterAsync(user, id);
    }

    public static Error NoGroup() => Error.NotFound("group");

    public static Error NoAdmin() => new(ErrorCode.Forbidden, "only an admin of the group can do this");

    private async Task<Error?> ChangeAsync(GroupCommand command, CancellationToken cancellationToken)
    {
        var outcome = await directory.ChangeGroupAsync(command, cancellationToken);
        if (Refusal(outcome) is { } refusal) return refusal;
        // Where nothing changed, too: it may be the retry of a change that is not in the log yet. The caller's patience ends
        // nothing from here on.
        await members.RefreshAsync(command.Group, CancellationToken.None);
        return null;
    }

    private async Task<Outcome<MemberView>> ViewAfterAsync(UserId user, ConversationId id)
    {
        await members.RefreshAsync(id, CancellationToken.None);
        return await GetAsync(user, id, CancellationToken.None);
    }

    private Error? Refusal(GroupOutcome outcome, string notFound = "group") => outcome.Status switch
    {
        GroupStatus.Changed or GroupStatus.Unchanged => null,
        GroupStatus.NotFound => Error.NotFound(notFound),
        GroupStatus.Forbidden => NoAdmin(),
        GroupStatus.UnknownUsers => Error.NotFound($"user: {string.Join(", ", outcome.Users!)}"),
        GroupStatus.BlockedBy => new(ErrorCode.Blocked, $"these have blocked you and can't be added by you: {string.Join(", ", outcome.Users!)}"),
        GroupStatus.Full => new(ErrorCode.Conflict, $"the group would have more than {MaxMembers} members, which is the most"),
        GroupStatus.LastAdmin => new(ErrorCode.Conflict, "a group needs an admin; make another member one first"),
        GroupStatus.InviteEnded => InviteService.Ended(),
        GroupStatus.Conflict => new(ErrorCode.Conflict, "this client_group_id was used for another group; a new group needs a new one"),
        _ => throw new InvalidOperationException($"no answer for {outcome.Status}"),
    };
}
