using WhatsAspire.Contracts;

namespace WhatsAspire.MessageApi.Groups;

/// <summary>Who is in a group, and what each may do: what the directory says, remembered for a second at most.</summary>
internal interface IGroupMembers
{
    /// <summary>The group, at most one second old; by this process's own changes never older than those. Changes of it that
    /// are in the directory and not yet in the log are put into the log first. Null for one that does not exist or is
    /// deleted.</summary>
    /// <exception cref="ServiceDefaults.UnavailableException">Directory or message store can't be reached.</exception>
    ValueTask<GroupSnapshot?> FindAsync(ConversationId group, CancellationToken cancellationToken);
}

/// <summary>A group and its members at one moment. Immutable; shared by many callers.</summary>
/// <param name="Id">The group.</param>
/// <param name="Name">What it is called.</param>
/// <param name="OnlyAdminsSend">Others may only read.</param>
/// <param name="Members">In the order of their ids.</param>
/// <param name="Roles">The same members, by id.</param>
internal sealed record GroupSnapshot(
    ConversationId Id, string Name, bool OnlyAdminsSend, IReadOnlyList<UserId> Members, IReadOnlyDictionary<UserId, GroupRole> Roles)
{
    public bool Has(UserId user) => Roles.ContainsKey(user);

    public bool MaySend(UserId user) => Roles.TryGetValue(user, out var role) && (!OnlyAdminsSend || role == GroupRole.Admin);
}

/// <summary>The numbers are stored: never change one.</summary>
public enum GroupRole
{
    /// <summary>Reads, and sends where everyone may.</summary>
    Member = 0,

    /// <summary>Changes the group and who is in it.</summary>
    Admin = 1,
}
