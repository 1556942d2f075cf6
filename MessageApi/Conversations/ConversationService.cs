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
internal sealed class ConversationService(IMessageStore store, Summaries summaries, ReceiptService receipts, TimeProvider time)
{
    // Clock skew between replicas and the time of a commit: what changed shortly before a cursor is given again.
    private static readonly TimeSpan Overlap = TimeSpan.FromSeconds(10);

    /// <summary>A page of the user's conversations, newest first.</summary>
    public async Task<ConversationPage> ListAsync(
        UserId user, (long LastMessageAtMs, ConversationId Id)? after, int limit, CancellationToken cancellationToken)
    {
        var views = await store.ListConversationsAsync(user, DateTimeOffset.MinValue, cancellationToken);
        var page = new List<ConversationView>(limit);
        (long, ConversationId)? next = null;
        foreach (var view in views)
        {
            var at = view.LastMessageAt.ToUnixTimeMilliseconds();
            if (after is { } place && (at > place.LastMessageAtMs
                || (at == place.LastMessageAtMs && view.Shape.Id.Value.CompareTo(place.Id.Value) <= 0))) continue;
            if (page.Count == limit)
            {
                next = (page[^1].LastMessageAt.ToUnixTimeMilliseconds(), page[^1].Shape.Id);
                break;
            }

            page.Add(view);
        }

        return new(await summaries.ToWireAsync(page, user, cancellationToken), next);
    }

    /// <summary>What changed since a cursor of <see cref="Now"/>, or everything for 0.</summary>
    public async Task<IReadOnlyList<Summary>> ListChangedAsync(UserId user, long sinceMs, CancellationToken cancellationToken)
    {
        var since = sinceMs == 0 ? DateTimeOffset.MinValue : DateTimeOffset.FromUnixTimeMilliseconds(sinceMs) - Overlap;
        var views = await store.ListConversationsAsync(user, since, cancellationToken);
        return await summaries.ToWireAsync(views, user, cancellationToken);
    }

    /// <summary>A cursor: everything that changes from now on is found with it.</summary>
    public long Now() => time.GetUtcNow().ToUnixTimeMilliseconds();

    /// <summary>A page of history: <paramref name="after"/> &lt; seq &lt; <paramref name="before"/>, newest first.</summary>
    public async Task<Outcome<HistoryPage>> GetHistoryAsync(
        ConversationId conversation, UserId user, long after, long before, int limit, CancellationToken cancellationToken)
    {
        if (await store.GetMemberAsync(conversation, user, cancellationToken) is not { } member) return Error.NotFound("conversation");
        after = Math.Max(after, Math.Max(member.SeesAfter, member.ClearedSeq));
        before = Math.Min(before, EndOf(member));
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

        var head = HeadOf(state, member);
        if (after > head)
        {
            page.Fault = Error.Invalid($"'after' {after} is beyond the head of conversation {conversation}, which is {head}").ToFault();
            return page;
        }

        after = Math.Max(after, Math.Max(member.SeesAfter, member.ClearedSeq));
        var entries = await store.ReadAsync(conversation, after, EndOf(member), limit + 1, newestFirst: false, cancellationToken);
        page.Entries.AddRange(await ToWireAsync(conversation, user, entries.Take(limit).ToList(), cancellationToken));
        page.More = entries.Count > limit;
        page.HeadSeq = Math.Max(head, entries.Count > 0 ? entries[^1].Seq : 0);
        return page;
    }

    /// <summary>Changes how the user has the conversation in his list.</summary>
    /// <returns>What he sees now; null when he is not a member.</returns>
    public async Task<Summary?> SetAsync(
        ConversationId conversation, UserId user, MemberSettings settings, CancellationToken cancellationToken) =>
        await store.SetAsync(conversation, user, settings, time.GetUtcNow(), cancellationToken)
        && await store.GetViewAsync(conversation, user, cancellationToken) is { } view
            ? await summaries.ToWireAsync(view, user, cancellationToken)
            : null;

    /// <summary>Clears the chat for this user up to <paramref name="upTo"/>, or to the head.</summary>
    public async Task<Error?> ClearAsync(ConversationId conversation, UserId user, long? upTo, CancellationToken cancellationToken)
    {
        var seq = upTo ?? 0;
        if (upTo is null && await store.GetConversationAsync(conversation, cancellationToken) is { } state
            && await store.GetMemberAsync(conversation, user, cancellationToken) is { } member)
            seq = HeadOf(state, member);
        var now = time.GetUtcNow();
        var outcome = await store.ClearAsync(conversation, user, seq, now, cancellationToken);
        if (outcome.Lowest is { } lowest) await receipts.TellAsync(conversation, lowest, now);
        return ReceiptService.Refusal(new(conversation, seq, seq), outcome);
    }

    /// <summary>The newest entry that the member may see.</summary>
    private static long HeadOf(ConversationState state, MemberState member) => member.LeftSeq > 0 ? member.LeftSeq : state.HeadSeq;

    /// <summary>What he may see is before this.</summary>
    private static long EndOf(MemberState member) => member.LeftSeq > 0 ? member.LeftSeq + 1 : long.MaxValue;

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
