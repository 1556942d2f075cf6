using StackExchange.Redis;
using WhatsAspire.Contracts;

namespace WhatsAspire.Backplane.Push;

/// <summary>In which conversations a user has been pushed something that may still be shown: <c>pushed:{user}</c> in Redis. So
/// a read, of which there are many, goes on the queue only where there may be something to take away. What Redis forgets stays
/// shown until the app is opened.</summary>
public sealed class PushedMarks(IConnectionMultiplexer redis)
{
    /// <summary>What was pushed longer ago is not taken away any more.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromDays(30);

    /// <summary>Something was pushed.</summary>
    /// <exception cref="RedisException">Or <see cref="TimeoutException"/>: Redis does not answer.</exception>
    public async Task AddAsync(UserId user, ConversationId conversation)
    {
        var db = redis.GetDatabase();
        var added = db.HashSetAsync(Key(user), Field(conversation), RedisValue.EmptyString);
        db.KeyExpire(Key(user), Lifetime, flags: CommandFlags.FireAndForget);
        await added;
    }

    /// <summary>It was taken away again.</summary>
    /// <exception cref="RedisException">Or <see cref="TimeoutException"/>: Redis does not answer.</exception>
    public Task RemoveAsync(UserId user, ConversationId conversation) => redis.GetDatabase().HashDeleteAsync(Key(user), Field(conversation));

    /// <summary>For each pair, in order, whether something was pushed; in one round trip.</summary>
    /// <exception cref="RedisException">Or <see cref="TimeoutException"/>: Redis does not answer.</exception>
    public async Task<bool[]> HaveAsync(IReadOnlyList<(UserId User, ConversationId Conversation)> pairs)
    {
        ArgumentNullException.ThrowIfNull(pairs);
        var db = redis.GetDatabase();
        var reads = new Task<bool>[pairs.Count];
        for (var i = 0; i < reads.Length; i++) reads[i] = db.HashExistsAsync(Key(pairs[i].User), Field(pairs[i].Conversation));
        return await Task.WhenAll(reads);
    }

    private static RedisKey Key(UserId user) => $"pushed:{user}";

    private static RedisValue Field(ConversationId conversation) => conversation.ToString();
}
