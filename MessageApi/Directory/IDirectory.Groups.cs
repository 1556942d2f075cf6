using WhatsAspire.Contracts;

namespace WhatsAspire.MessageApi.Directory;

/// <content><para><b>Groups.</b> What holds is here; that the members learn of it is the affair of the group's log. So each
/// change, in the transaction that makes it, is also put down as a <see cref="PendingGroupChange"/>, and stays until it is said
/// to be in the log. Changes of one group take effect one after another, numbered by <see cref="Group.Version"/> without gaps;
/// a group's row stays for ever, also that of a deleted one.</para></content>
public partial interface IDirectory
{
    /// <summary>Makes a group with its members, the maker as its admin, and the first change, <c>created</c>. Idempotent: the
    /// same group, by its id or by its maker's <see cref="NewGroup.ClientGroupId"/>, is found as it is now.</summary>
    /// <returns><see cref="GroupStatus.Changed"/>, or <see cref="GroupStatus.Unchanged"/> when it was there;
    /// <see cref="GroupStatus.Conflict"/> when the client's id was used for a group with another content;
    /// <see cref="GroupStatus.UnknownUsers"/>, <see cref="GroupStatus.BlockedBy"/>, <see cref="GroupStatus.Full"/>.</returns>
    Task<GroupOutcome> CreateGroupAsync(NewGroup group, CancellationToken cancellationToken);

    /// <summary>Changes a group. In one transaction, with the group's row locked: the actor's rights are looked at, then the
    /// rules, then members, member count, version and the pending changes move together or not at all. Idempotent: what holds
    /// already is <see cref="GroupStatus.Unchanged"/> and leaves no trace.
    ///
    /// <para>A group always has an admin while it has members: when the last one leaves, the member who joined first becomes
    /// one (of those who joined together the one with the lowest id), as a change that follows. When the last member leaves, the
    /// group is deleted.</para></summary>
    /// <returns><see cref="GroupStatus.NotFound"/> for a group that is not there, is deleted, or that the actor is not in;
    /// to leave one that he is not in is <see cref="GroupStatus.Unchanged"/>.</returns>
    Task<GroupOutcome> ChangeGroupAsync(GroupCommand command, CancellationToken cancellationToken);

    /// <summary>The group, a deleted one too; null when there never was one.</summary>
    Task<Group?> FindGroupAsync(ConversationId group, CancellationToken cancellationToken);

    /// <summary>Those of the groups that there are, deleted ones too, in any order, with the names by which a user knows them: who
    /// has left a group, the one that it had then.</summary>
    /// <param name="groups">Any number.</param>
    /// <param name="user">Whose eyes they are seen with.</param>
    /// <param name="cancellationToken">Ends it.</param>
    Task<IReadOnlyList<Group>> FindGroupsAsync(IReadOnlyList<ConversationId> groups, UserId user, CancellationToken cancellationToken);

    /// <summary>The group and all its members at one moment, the members in the order of their ids; null when there never was
    /// one.</summary>
    Task<GroupWithMembers?> ReadGroupAsync(ConversationId group, CancellationToken cancellationToken);

    /// <summary>A page of the members, in the order of their ids.</summary>
    /// <param name="group">One that is not there has none.</param>
    /// <param name="after">The last one of the page before; null for the start.</param>
    /// <param name="limit">At least 1.</param>
    /// <param name="cancellationToken">Ends it.</param>
    Task<IReadOnlyList<GroupMember>> ListGroupMembersAsync(
        ConversationId group, UserId? after, int limit, CancellationToken cancellationToken);

    /// <summary>The changes of a group that are not yet known to be in its log, oldest first, at most 1,000.</summary>
    Task<IReadOnlyList<PendingGroupChange>> ListPendingChangesAsync(ConversationId group, CancellationToken cancellationToken);

    /// <summary>Groups that have pending changes made at or before <paramref name="madeBefore"/>, those with the oldest
    /// first.</summary>
    Task<IReadOnlyList<ConversationId>> ListGroupsWithPendingChangesAsync(
        DateTimeOffset madeBefore, int limit, CancellationToken cancellationToken);

    /// <summary>The changes of the group up to a version are in the log. Idempotent.</summary>
    Task RemovePendingChangesAsync(ConversationId group, long upToVersion, CancellationToken cancellationToken);

    /// <summary>Makes an invite, which who has its code may join with. What can't be used any more is removed with it.
    /// Idempotent by the invite's id.</summary>
    /// <param name="invite">By an admin.</param>
    /// <param name="codeHash">SHA-256 of the code, which is kept nowhere.</param>
    /// <param name="limit">Invites of a group that may be good at once.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <returns><see cref="GroupStatus.Full"/> when there are as many as there may be; not found and forbidden as in
    /// <see cref="ChangeGroupAsync"/>.</returns>
    Task<GroupStatus> AddInviteAsync(GroupInvite invite, byte[] codeHash, int limit, CancellationToken cancellationToken);

    /// <summary>The group's invites that are good at <paramref name="now"/>, oldest first.</summary>
    Task<IReadOnlyList<GroupInvite>> ListInvitesAsync(ConversationId group, DateTimeOffset now, CancellationToken cancellationToken);

    /// <summary>Ends an invite; one that is not there, or has ended, is left as it is. Idempotent.</summary>
    /// <returns>Not found and forbidden as in <see cref="ChangeGroupAsync"/>.</returns>
    Task<GroupStatus> RevokeInviteAsync(
        ConversationId group, Guid invite, UserId actor, DateTimeOffset now, CancellationToken cancellationToken);

    /// <summary>The invite with this code, good or not, while its group is there.</summary>
    Task<GroupInvite?> FindInviteAsync(byte[] codeHash, CancellationToken cancellationToken);
}
