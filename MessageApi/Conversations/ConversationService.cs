using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Messaging.V1;
using WhatsAspire.MessageApi.Messages;
using WhatsAspire.MessageApi.Receipts;
using WhatsAspire.MessageApi.Storage;

namespace WhatsAspire.MessageApi.Conversations;

/// <param name="Entries">Newest first.</param>
/// <param name="NextBefore">Where the next page starts, exclusive; null when this was the last.</param>
internal sealed record HistoryPage(IReadOnlyList<Entry> Entries, long? NextBefore);

/// <param name="Summaries">Newest first.</param>
/// <param name="Next">The place after which the next page starts; null when this was the last.</param>
internal sealed record ConversationPage(IReadOnlyList<Summary> Summaries, (long LastMessageAtMs, ConversationId Id)? Next);

/// <summary>Conversations and their logs, as one of their members sees them.</summary>
internal sealed class ConversationService(IMessageStore store, TimeProvider time)
{
    // Clock skew between replicas and the time of a commit: what changed shortly before a cursor is given again.
    private static readonly TimeSpan Overlap = TimeSpan.FromSeconds(10);

    /// <summary>A page of the user's conversations, newest first.</summary>
    public async Task<ConversationPage> ListAsync(
        UserId user, (long LastMessageAtMs, ConversationId Id)? after, int limit, CancellationToken cancellationToken)
    {
        var views = await store.ListConversationsAsync(user, DateTimeOffset.MinValue, cancellationToken);
        var page = new List<Summary>(limit);
        foreach (var view in views)
        {
            var at = view.LastMessageAt.ToUnixTimeMilliseconds();
            if (after is { } place && (at > place.LastMessageAtMs
                || (at == place.LastMessageAtMs && view.Shape.Id.Value.CompareTo(place.Id.Value) <= 0))) continue;
            if (page.Count == limit) return new(page, (page[^1].LastMessageAtMs, page[^1].ConversationId.ToConversationId()));
            page.Add(view.ToWire(user));
        }

        return new(page, null);
    }

    /// <summary>What changed since a cursor of <see cref="Now"/>, or everything for 0.</summary>
    public async Task<IReadOnlyList<Summary>> ListChangedAsync(UserId user, long sinceMs, CancellationToken cancellationToken)
    {
        var since = sinceMs == 0 ? DateTimeOffset.MinValue : DateTimeOffset.FromUnixTimeMilliseconds(sinceMs) - Overlap;
        var views = await store.ListConversationsAsync(user, since, cancellationToken);
        return [.. views.Select(view => view.ToWire(user))];
    }

    /// <summary>A cursor: everything that changes from now on is found with it.</summary>
    public long Now() => time.GetUtcNow().ToUnixTimeMilliseconds();

    /// <summary>A page of history: <paramref name="after"/> &lt; seq &lt; <paramref name="before"/>, newest first.</summary>
    public async Task<Outcome<HistoryPage>> GetHistoryAsync(
        ConversationId conversation, UserId user, long after, long before, int limit, CancellationToken cancellationToken)
    {
        if (await store.GetMemberAsync(conversation, user, cancellationToken) is not { } member) return Error.NotFound("conversation");
        after = Math.Max(after, Math.Max(member.JoinSeq, member.ClearedSeq));
        var entries = await store.ReadAsync(conversation, after, before, limit + 1, newestFirst: true, cancellationToken);
        var page = await ToWireAsync(conversation, user, entries.Take(limit).ToList(), cancellationToken);
        return new HistoryPage(page, entries.Count > limit ? page[^1].Seq : null);
    }

    /// <summary>One range of a pull: entries after <paramref name="after"/>, ascending.</summary>
    public async Task<Page> PullAsync(
        ConversationId conversation, UserId user, long after, int limit, CancellationToken cancellationToken)
    {
        var page = new Page { ConversationId = conversation.ToBytes() };
        // The head before the entries: it may be behind what is read, never ahead of what could be.
        if (await store.GetConversationAsync(conversation, cancellationToken) is not { } state
            || await store.GetMemberAsync(conversation, user, cancellationToken) is not { } member)
        {
            page.Fault = Error.NotFound($"conversation {conversation}").ToFault();
            return page;
        }

        if (after > state.HeadSeq)
        {
            page.Fault = Error.Invalid($"'after' {after} is beyond the head of conversation {conversation}, which is {state.HeadSeq}").ToFault();
            return page;
        }

        after = Math.Max(after, Math.Max(member.JoinSeq, member.ClearedSeq));
        var entries = await store.ReadAsync(conversation, after, long.MaxValue, limit + 1, newestFirst: false, cancellationToken);
        page.Entries.AddRange(await ToWireAsync(conversation, user, entries.Take(limit).ToList(), cancellationToken));
        page.More = entries.Count > limit;
        page.HeadSeq = Math.Max(state.HeadSeq, entries.Count > 0 ? entries[^1].Seq : 0);
        return page;
    }

    /// <summary>Clears the chat for this user up to <paramref name="upTo"/>, or to the head.</summary>
    public async Task<Error?> ClearAsync(ConversationId conversation, UserId user, long? upTo, CancellationToken cancellationToken)
    {
        var state = await store.GetConversationAsync(conversation, cancellationToken);
        var seq = upTo ?? state?.HeadSeq ?? 0;
        var outcome = await store.ClearAsync(conversation, user, seq, time.GetUtcNow(), cancellationToken);
        return ReceiptService.Refusal(new(conversation, seq, seq), outcome);
    }

    private async Task<IReadOnlyList<Entry>> ToWireAsync(
        ConversationId conversation, UserId user, List<LogEntry> entries, CancellationToken cancellationToken)
    {
        if (entries.Count == 0) return [];
        var low = Math.Min(entries[0].Seq, entries[^1].Seq);
        var high = Math.Max(entries[0].Seq, entries[^1].Seq);
        var hidden = await store.ReadHiddenAsync(conversation, user, low - 1, high + 1, cancellationToken);
        var hiddenSeqs = hidden.Count == 0 ? null : hidden.ToHashSet();
        return entries.ConvertAll(entry => entry.ToWire(hidden: hiddenSeqs?.Contains(entry.Seq) == true));
    }
}
