using System.Net.Http.Json;
using WhatsAspire.Contracts;

namespace WhatsAspire.Client;

/// <content>Groups. Who is no member gets <c>not_found</c>, a member who may not do it <c>forbidden</c>.</content>
public sealed partial class ChatRest
{
    /// <summary>Makes a group with the caller as its admin.</summary>
    /// <param name="name">1 to 100 characters.</param>
    /// <param name="members">The others; at most as many as the server's limit allows.</param>
    /// <param name="description">At most 512 characters.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="ChatException"><c>not_found</c>: a user does not exist; <c>blocked</c>: one has blocked the caller.</exception>
    public Task<ChatGroup> CreateGroupAsync(
        string name, IEnumerable<UserId> members, string? description = null, CancellationToken cancellationToken = default)
    {
        // Made once, so that a call that is repeated within makes one group.
        var body = new GroupBody(name, [.. members], description, ClientGroupId: Guid.NewGuid().ToString("N"));
        return CallAsync(HttpMethod.Post, "groups", () => JsonContent.Create(body, RestJson.Default.GroupBody), RestJson.Default.ChatGroup, cancellationToken);
    }

    public Task<ChatGroup> GetGroupAsync(ConversationId group, CancellationToken cancellationToken = default) =>
        GetAsync($"groups/{group}", RestJson.Default.ChatGroup, cancellationToken);

    /// <summary>Changes what is given; null leaves it as it is, and an empty description or picture removes it. Admins only.</summary>
    /// <param name="group">The group.</param>
    /// <param name="name">1 to 100 characters.</param>
    /// <param name="description">At most 512 characters.</param>
    /// <param name="picture">An https address.</param>
    /// <param name="onlyAdminsSend">Whether the others may only read.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public Task<ChatGroup> ChangeGroupAsync(
        ConversationId group, string? name = null, string? description = null, string? picture = null, bool? onlyAdminsSend = null,
        CancellationToken cancellationToken = default)
    {
        var who = onlyAdminsSend switch { true => "admins", false => "everyone", null => null };
        return CallAsync(HttpMethod.Patch, $"groups/{group}",
            () => JsonContent.Create(new(name, description, picture, who), RestJson.Default.GroupChangeBody), RestJson.Default.ChatGroup, cancellationToken);
    }

    /// <summary>Ends a group for everybody. Admins only.</summary>
    public Task DeleteGroupAsync(ConversationId group, CancellationToken cancellationToken = default) =>
        CallAsync(HttpMethod.Delete, $"groups/{group}", null, cancellationToken);

    /// <summary>The members, in the order of their ids.</summary>
    /// <param name="group">The group.</param>
    /// <param name="cursor">Of the page before; null: from the first.</param>
    /// <param name="limit">1 to 100.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public Task<GroupMemberPage> GetGroupMembersAsync(
        ConversationId group, string? cursor = null, int limit = 100, CancellationToken cancellationToken = default) =>
        GetAsync($"groups/{group}/members{Query(limit, cursor)}", RestJson.Default.GroupMemberPage, cancellationToken);

    /// <summary>Adds users; who is in it stays as he is. Admins only.</summary>
    /// <exception cref="ChatException"><c>conflict</c>: the group would be too large.</exception>
    public Task AddGroupMembersAsync(ConversationId group, IEnumerable<UserId> users, CancellationToken cancellationToken = default)
    {
        var body = new GroupMembersBody([.. users]);
        return CallAsync(HttpMethod.Post, $"groups/{group}/members", () => JsonContent.Create(body, RestJson.Default.GroupMembersBody), cancellationToken);
    }

    /// <summary>Adds a user, or makes a member an admin or no admin any more. Admins only.</summary>
    public Task SetGroupMemberAsync(ConversationId group, UserId user, bool isAdmin, CancellationToken cancellationToken = default) =>
        CallAsync(HttpMethod.Put, $"groups/{group}/members/{user}",
            () => JsonContent.Create(new(isAdmin ? "admin" : "member"), RestJson.Default.GroupRoleBody), cancellationToken);

    /// <summary>Removes a member; admins only, but oneself: that is to leave.</summary>
    public Task RemoveGroupMemberAsync(ConversationId group, UserId user, CancellationToken cancellationToken = default) =>
        CallAsync(HttpMethod.Delete, $"groups/{group}/members/{user}", null, cancellationToken);

    /// <summary>Makes a code with which others join by themselves. Admins only.</summary>
    /// <param name="group">The group.</param>
    /// <param name="expiresIn">From now; null: it does not expire.</param>
    /// <param name="maxUses">1 or more; null: any number.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public Task<GroupInvite> CreateInviteAsync(
        ConversationId group, TimeSpan? expiresIn = null, int? maxUses = null, CancellationToken cancellationToken = default) =>
        CallAsync(HttpMethod.Post, $"groups/{group}/invites",
            () => JsonContent.Create(new((long?)expiresIn?.TotalSeconds, maxUses), RestJson.Default.InviteBody), RestJson.Default.GroupInvite, cancellationToken);

    /// <summary>Ends an invite. Admins only.</summary>
    public Task RevokeInviteAsync(ConversationId group, string inviteId, CancellationToken cancellationToken = default) =>
        CallAsync(HttpMethod.Delete, $"groups/{group}/invites/{inviteId}", null, cancellationToken);

    /// <summary>Joins a group by the code of an invite.</summary>
    /// <exception cref="ChatException"><c>not_found</c>: there is no such invite; <c>gone</c>: it expired, was used up or revoked;
    /// <c>conflict</c>: the group is full.</exception>
    public Task<ChatGroup> JoinGroupAsync(string code, CancellationToken cancellationToken = default) =>
        CallAsync(HttpMethod.Post, $"invites/{Uri.EscapeDataString(code)}", null, RestJson.Default.ChatGroup, cancellationToken);
}
