using Microsoft.Extensions.Caching.Memory;
using WhatsAspire.Contracts;
using WhatsAspire.MessageApi.Directory;
using WhatsAspire.MessageApi.Storage;

namespace WhatsAspire.MessageApi.Conversations;

/// <summary>Who may do what in which conversation. What never changes is remembered in a bounded cache; what may
/// change, such as a block, for a second at most.</summary>
internal sealed class ConversationAccess(IMessageStore store, IDirectory directory) : IDisposable
{
    private const int CacheEntries = 200_000;
    private static readonly TimeSpan BlockLifetime = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan ExistenceLifetime = TimeSpan.FromMinutes(1);
    private readonly MemoryCache _cache = new(new MemoryCacheOptions { SizeLimit = CacheEntries });

    private readonly record struct BlockKey(UserId Blocker, UserId Blocked);

    public void Dispose() => _cache.Dispose();

    /// <summary>The conversation, if the user is in it.</summary>
    public async ValueTask<ConversationShape?> FindAsync(ConversationId conversation, UserId user, CancellationToken cancellationToken)
    {
        if (!_cache.TryGetValue(conversation, out ConversationShape? shape))
        {
            shape = (await store.GetConversationAsync(conversation, cancellationToken))?.Shape;
            if (shape is null) return null;
            Remember(conversation, shape, ExistenceLifetime);
        }

        return shape!.Members.Contains(user) ? shape : null;
    }

    /// <summary>The conversation into which the user may write.</summary>
    public async ValueTask<Outcome<ConversationShape>> MayWriteAsync(
        UserId sender, UserId? to, ConversationId? conversation, CancellationToken cancellationToken)
    {
        ConversationShape shape;
        if (to is { } recipient)
        {
            if (recipient != sender && !await ExistsAsync(recipient, cancellationToken)) return Error.NotFound("user");
            shape = ConversationShape.Direct(sender, recipient);
        }
        else
        {
            var found = await FindAsync(conversation.GetValueOrDefault(), sender, cancellationToken);
            if (found is null) return Error.NotFound("conversation");
            shape = found;
        }

        foreach (var member in shape.Members)
            if (member != sender && await IsBlockedAsync(member, sender, cancellationToken))
                return new Error(ErrorCode.Blocked, "the recipient has blocked you");
        return shape;
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
