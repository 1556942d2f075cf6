using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Options;
using WhatsAspire.Contracts;
using WhatsAspire.MessageApi.Directory;

namespace WhatsAspire.MessageApi.Groups;

/// <summary>Invites: who has the code may join. The code is random, shown once, and kept as its hash.</summary>
internal sealed class InviteService(IDirectory directory, GroupMembers members, IOptions<GroupsOptions> options, TimeProvider time)
{
    // 128 bits: no one guesses one.
    private const int CodeBytes = 16;

    /// <summary>The group of a good code, which any user may look at.</summary>
    public async Task<Outcome<(GroupInvite Invite, Group Group)>> FindAsync(string code, CancellationToken cancellationToken)
    {
        if (Hash(code) is not { } hash || await directory.FindInviteAsync(hash, cancellationToken) is not { } invite) return NoInvite();
        if (!invite.IsGood(time.GetUtcNow())) return Ended();
        return await directory.FindGroupAsync(invite.Group, cancellationToken) is { DeletedAt: null } group ? (invite, group) : NoInvite();
    }

    /// <summary>The group that a code, good or not, is of: who is in it already may repeat his joining.</summary>
    public async Task<Outcome<(ConversationId Group, byte[] CodeHash)>> FindGroupAsync(string code, CancellationToken cancellationToken) =>
        Hash(code) is { } hash && await directory.FindInviteAsync(hash, cancellationToken) is { } invite ? (invite.Group, hash) : NoInvite();

    /// <summary>Makes an invite.</summary>
    public async Task<Outcome<(GroupInvite Invite, string Code)>> AddAsync(
        UserId actor, ConversationId group, TimeSpan? lifetime, int? maxUses, CancellationToken cancellationToken)
    {
        var code = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(CodeBytes));
        var now = time.GetUtcNow();
        var invite = new GroupInvite(Guid.NewGuid(), group, actor, now, now + lifetime, maxUses, 0, null);
        return await directory.AddInviteAsync(invite, Hash(code)!, options.Value.MaxInvites, cancellationToken) switch
        {
            GroupStatus.NotFound => GroupService.NoGroup(),
            GroupStatus.Forbidden => GroupService.NoAdmin(),
            GroupStatus.Full => new Error(ErrorCode.Conflict, $"a group has at most {options.Value.MaxInvites} invites; revoke one first"),
            _ => (invite, code),
        };
    }

    /// <summary>The group's good invites, for an admin.</summary>
    public async Task<Outcome<GroupInvite[]>> ListAsync(UserId actor, ConversationId group, CancellationToken cancellationToken)
    {
        if (await members.FindAsync(group, cancellationToken) is not { } snapshot || !snapshot.Roles.TryGetValue(actor, out var role))
            return GroupService.NoGroup();
        if (role != GroupRole.Admin) return GroupService.NoAdmin();
        return (await directory.ListInvitesAsync(group, time.GetUtcNow(), cancellationToken)).ToArray();
    }

    /// <summary>Ends an invite.</summary>
    public async Task<Error?> RevokeAsync(UserId actor, ConversationId group, Guid invite, CancellationToken cancellationToken) =>
        await directory.RevokeInviteAsync(group, invite, actor, time.GetUtcNow(), cancellationToken) switch
        {
            GroupStatus.NotFound => GroupService.NoGroup(),
            GroupStatus.Forbidden => GroupService.NoAdmin(),
            _ => null,
        };

    public static Error NoInvite() => Error.NotFound("invite");

    public static Error Ended() => new(ErrorCode.Gone, "the invite was revoked, has expired or is used up");

    private static byte[]? Hash(string code) =>
        code.Length == Base64Url.GetEncodedLength(CodeBytes) && Base64Url.IsValid(code) ? SHA256.HashData(Encoding.ASCII.GetBytes(code)) : null;
}
