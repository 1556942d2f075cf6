using Microsoft.Extensions.Caching.Memory;
using WhatsAspire.Contracts;

namespace WhatsAspire.MessageApi.Storage.Cassandra;

/// <summary>The heads that this process saw last, so that an append needs no look. A head that is not the newest any more
/// costs a second try, never correctness: the append names the head that it stands upon.</summary>
internal sealed class HeadCache(int conversations) : IDisposable
{
    private readonly MemoryCache _cache = new(new MemoryCacheOptions { SizeLimit = conversations });

    /// <summary>The head to try first, or null.</summary>
    public Head? Find(ConversationId conversation) => Entry(conversation)?.Head;

    /// <summary>A bucket that the log had reached; 0 where nothing is known.</summary>
    public long BucketOf(ConversationId conversation) => Entry(conversation)?.Bucket ?? 0;

    /// <summary>After an append of this process', or a look before one.</summary>
    public void Put(ConversationId conversation, Head head) => Put(conversation, new Known(head, head.Bucket));

    /// <summary>A bucket that was seen; the head may be another by now.</summary>
    public void Seen(ConversationId conversation, long bucket)
    {
        if (bucket > BucketOf(conversation)) Put(conversation, new Known(null, bucket));
    }

    /// <summary>The head turned out not to hold.</summary>
    public void Forget(ConversationId conversation)
    {
        if (Entry(conversation) is { } known) Put(conversation, known with { Head = null });
    }

    public void Dispose() => _cache.Dispose();

    private Known? Entry(ConversationId conversation) => _cache.TryGetValue(conversation, out Known? known) ? known : null;

    private void Put(ConversationId conversation, Known known)
    {
        using var entry = _cache.CreateEntry(conversation);
        entry.Size = 1;
        entry.Value = known;
    }

    private sealed record Known(Head? Head, long Bucket);
}
