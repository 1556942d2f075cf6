using Microsoft.Extensions.Caching.Memory;
using WhatsAspire.Contracts;
using WhatsAspire.MessageApi.Directory;
using WhatsAspire.MessageApi.Groups;
using WhatsAspire.MessageApi.Storage;

namespace WhatsAspire.MessageApi.Conversations;

/// <summary>Who may do what in which conversation. What never changes is remembered in a bounded cache; what may
/// change, such as a block or who is in a group, for a second at most.</summary>
internal sealed class ConversationAccess(IMessageStore store, IDirectory directory, IGroupMembers groups) : IDisposable
{
    private const int CacheEntries = 200_000;
    private static readonly TimeSpan BlockLifetime = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan ExistenceLifetime = TimeSpan.FromMinutes(1);
    private readonly MemoryCache _cache = new(new MemoryCacheOptions { SizeLimit = CacheEntries });

    private readonly record struct BlockKey(UserId Blocker, UserId Blocked);

    public void Dispose() => _cache.Dispose();

    /// <summary>The conversation, if the user is in it. What he may read of it is another matter: who has left a group keeps what
    /// he saw, see <see cref="MemberState.Sees"/>.</summary>
    public async ValueTask<ConversationNow?> FindAsync(ConversationId conversation, UserId user, CancellationToken cancellationToken)
    {
        if (!conversation.IsDirect)
            return await groups.FindAsync(conversation, cancellationToken) is { } group && group.Has(user) ? ConversationNow.Of(group) : null;
        if (!_cache.TryGetValue(conversation, out ConversationShape? shape))
        {
            shape = (await store.GetConversationAsync(conversation, cancellationToken))?.Shape;
            if (shape is null) return null;
            Remember(conversation, shape, ExistenceLifetime);
        }

        return shape!.Members.Contains(user) ? ConversationNow.Direct(shape) : null;
    }

    /// <summary>The conversation into which the user may write. Blocks are between two: they don't matter in groups. A group that
    /// he is not in, or no more, answers as one that does not exist.</summary>
    public async ValueTask<Outcome<ConversationNow>> MayWriteAsync(
        UserId sender, UserId? to, ConversationId? conversation, CancellationToken cancellationToken)
    {
        ConversationNow place;
        if (to is { } recipient)
        {
            if (recipient != sender && !await ExistsAsync(recipient, cancellationToken)) return Error.NotFound("user");
            place = ConversationNow.Direct(ConversationShape.Direct(sender, recipient));
        }
        else
        {
            var found = await FindAsync(conversation.GetValueOrDefault(), sender, cancellationToken);
            if (found is null) return Error.NotFound("conversation");
            place = found;
        }

        if (place.Group is { } group)
            return group.MaySend(sender) ? place : new Error(ErrorCode.Forbidden, "only admins may send to this group");
        foreach (var member in place.Members)
            if (member != sender && await IsBlockedAsync(member, sender, cancellationToken))
                return new Error(ErrorCode.Blocked, "the recipient has blocked you");
        return place;
    }

    /// <summary>The members of a conversation, whoever asks: for a send that was allowed once. None where it is gone.</summary>
    public async ValueTask<ConversationNow> FindAsSentAsync(ConversationId conversation, UserId sender, CancellationToken cancellationToken)
    {
        if (conversation.IsDirect)
            return await FindAsync(conversation, sender, cancellationToken) ?? new(new(conversation, ConversationKind.Direct, []), []);
        return await groups.FindAsync(conversation, cancellationToken) is { } group
            ? ConversationNow.Of(group) : new(ConversationShape.Group(conversation), []);
    }

    private async ValueTask<bool> ExistsAsync(UserId user, CancellationToken cancellationToken)
    {
        if (_cache.TryGetValue(user, out _)) return true;
        if (await directory.FindAccountAsync(user, cancellationToken) is null) return false;
        Remember(user, true, ExistenceLifetime);
        return true;
    }

    private async ValueTask<bool> IsBlockedAsync(UserId blocker, UserId blocked, CancellationToken cancellationToken)
    {
        var key = new BlockKey(blocker, blocked);
        if (_cache.TryGetValue(key, out bool isBlocked)) return isBlocked;
        isBlocked = await directory.IsBlockedAsync(blocker, blocked, cancellationToken);
        Remember(key, isBlocked, BlockLifetime);
        return isBlocked;
    }

    private void Remember<T>(object key, T value, TimeSpan lifetime)
    {
        using var entry = _cache.CreateEntry(key);
        entry.Size = 1;
        entry.AbsoluteExpirationRelativeToNow = lifetime;
        entry.Value = value;
    }
}
