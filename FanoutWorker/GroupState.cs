using System.Text.Json;
using Microsoft.Extensions.Caching.Memory;
using Microsoft.Extensions.Options;
using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Fanout.V1;
using WhatsAspire.Contracts.Frames;
using WhatsAspire.Contracts.Messaging.V1;

namespace WhatsAspire.FanoutWorker;

/// <summary>What MessageApi says of groups. Entries are read each time: what was deleted meanwhile must not be shown. Members are
/// remembered for a moment.</summary>
internal sealed class GroupState(FanoutState.FanoutStateClient api, IOptions<FanoutWorkerOptions> options, TimeProvider time) : IDisposable
{
    private const int CachedMembers = 1_000_000;
    private static readonly TimeSpan CallTimeout = TimeSpan.FromSeconds(10);

    // As old as MessageApi's own look at the directory may be, and some.
    private static readonly TimeSpan JoinMemory = TimeSpan.FromSeconds(5);
    private readonly MemoryCache _members = new(new MemoryCacheOptions { SizeLimit = CachedMembers });
    private readonly MemoryCache _joins = new(new MemoryCacheOptions { SizeLimit = CachedMembers });

    public void Dispose()
    {
        _members.Dispose();
        _joins.Dispose();
    }

    /// <summary>The entry as it is now; null where there is none.</summary>
    /// <exception cref="Grpc.Core.RpcException">MessageApi can't be asked.</exception>
    public async Task<Entry?> FindEntryAsync(ConversationId conversation, long seq, CancellationToken cancellationToken)
    {
        var reply = await api.GetEntriesAsync(
            new() { ConversationId = conversation.ToBytes(), After = seq - 1, Limit = 1 }, deadline: Deadline(), cancellationToken: cancellationToken);
        return reply.Entries.Count == 1 && reply.Entries[0].Seq == seq ? reply.Entries[0] : null;
    }

    /// <summary>Who may see the entry. Of a change of the group that includes those whom it is about: who was removed gets his last
    /// entry.</summary>
    /// <exception cref="Grpc.Core.RpcException">MessageApi can't be asked.</exception>
    public async Task<IReadOnlyList<UserId>> FindAudienceAsync(Entry entry, CancellationToken cancellationToken)
    {
        var conversation = entry.ConversationId.ToConversationId();
        var change = entry is { Kind: EntryKind.System, Text.IsEmpty: false } ? Parse(entry) : null;
        // What is remembered is from before it.
        if (change is not null) Changed(conversation, entry.Seq, change);

        var members = await FindMembersAsync(conversation, cancellationToken);
        var audience = new List<UserId>(members.Count);
        HashSet<UserId>? about = change?.UserIds is { } users ? [.. users] : null;
        foreach (var (user, joined, left) in members)
        {
            about?.Remove(user);
            if (entry.Seq > joined && (left == 0 || entry.Seq <= left)) audience.Add(user);
        }

        if (about is not null) audience.AddRange(about);
        if (change is null && _joins.TryGetValue(conversation, out Joins? recent))
            foreach (var (user, joined) in recent!.Users)
                if (entry.Seq > joined && !members.Exists(member => member.User == user)) audience.Add(user);
        return audience;
    }

    private static GroupChange? Parse(Entry entry)
    {
        try
        {
            return JsonSerializer.Deserialize(entry.Text.Span, WireJson.Default.GroupChange);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>Who came with a change may be missing for a moment in what a replica of MessageApi says, which may have looked at
    /// the directory before.</summary>
    private void Changed(ConversationId conversation, long seq, GroupChange change)
    {
        _members.Remove(conversation);
        if (change.UserIds is not { Count: > 0 } users) return;
        var joined = _joins.TryGetValue(conversation, out Joins? recent) ? new Dictionary<UserId, long>(recent!.Users) : [];
        foreach (var user in users)
        {
            if (change.Type is GroupChangeTypes.Added or GroupChangeTypes.Joined or GroupChangeTypes.Created) joined[user] = seq - 1;
            else if (change.Type is GroupChangeTypes.Removed or GroupChangeTypes.Left) joined.Remove(user);
        }

        Remember(_joins, conversation, new Joins(joined), joined.Count, JoinMemory);
    }

    private async ValueTask<List<GroupMember>> FindMembersAsync(ConversationId conversation, CancellationToken cancellationToken)
    {
        if (_members.TryGetValue(conversation, out List<GroupMember>? known)) return known!;
        var members = new List<GroupMember>();
        var request = new ListMembersRequest { ConversationId = conversation.ToBytes(), Limit = options.Value.PageSize };
        ListMembersReply page;
        do
        {
            page = await api.ListMembersAsync(request, deadline: Deadline(), cancellationToken: cancellationToken);
            foreach (var member in page.Members) members.Add(new(member.UserId.ToUserId(), member.JoinSeq, member.LeftSeq));
            request.AfterUserId = page.Next;
        }
        while (!page.Next.IsEmpty);

        if (options.Value.MemberCache > TimeSpan.Zero) Remember(_members, conversation, members, members.Count, options.Value.MemberCache);
        return members;
    }

    private static void Remember<T>(MemoryCache cache, ConversationId conversation, T value, int size, TimeSpan lifetime)
    {
        using var entry = cache.CreateEntry(conversation);
        entry.Size = size + 1;
        entry.AbsoluteExpirationRelativeToNow = lifetime;
        entry.Value = value;
    }

    private DateTime Deadline() => (time.GetUtcNow() + CallTimeout).UtcDateTime;

    private readonly record struct GroupMember(UserId User, long JoinSeq, long LeftSeq);

    /// <summary>Never changed: several events may look at it at once.</summary>
    private sealed record Joins(IReadOnlyDictionary<UserId, long> Users);
}
