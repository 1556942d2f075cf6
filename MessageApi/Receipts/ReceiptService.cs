using WhatsAspire.Backplane.Activity;
using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Messaging.V1;
using WhatsAspire.MessageApi.Conversations;
using WhatsAspire.MessageApi.Groups;
using WhatsAspire.MessageApi.Storage;
using WhatsAspire.ServiceDefaults;
using MemberPosition = WhatsAspire.MessageApi.Storage.MemberPosition;

namespace WhatsAspire.MessageApi.Receipts;

/// <param name="Position">What is asked for.</param>
/// <param name="WithSummary">The user's summary is asked for too, whether or not anything moves.</param>
internal readonly record struct Rise(MemberPosition Position, bool WithSummary);

/// <summary>Positions of users in conversations: how far delivered, how far read.</summary>
internal sealed class ReceiptService(
    IMessageStore store, Summaries summaries, IGroupMembers groups, GroupReceipts groupReceipts, ActivityMarks marks, TimeProvider time,
    ILogger<ReceiptService> logger)
{
    /// <summary>Raises positions of one user; what is refused is refused by itself.</summary>
    /// <param name="user">Whose.</param>
    /// <param name="positions">The highest of each conversation counts.</param>
    /// <param name="withSummaries">Also give the user's summary where nothing moved.</param>
    /// <param name="isRepeated">An earlier try may have taken effect without anybody having been told: what is held by
    /// now counts as moved by this one.</param>
    /// <param name="cancellationToken">Stops waiting, not the write.</param>
    public Task<AdvanceResult> AdvanceAsync(
        UserId user, IReadOnlyList<NewPosition> positions, bool withSummaries, bool isRepeated, CancellationToken cancellationToken) =>
        AdvanceAsync(
            [.. Distinct(positions).Select(p => new Rise(new(user, p.Conversation, p.DeliveredSeq, p.ReadSeq), withSummaries))],
            isRepeated, cancellationToken);

    /// <summary>Raises positions of several users; what is refused is refused by itself. Whose messages a group's lowest
    /// watermarks have passed is told here, once for all of them.</summary>
    /// <param name="rises">A user in a conversation at most once.</param>
    /// <param name="isRepeated">As above.</param>
    /// <param name="cancellationToken">Stops waiting, not the write.</param>
    /// <returns>One answer for each, in order.</returns>
    public async Task<AdvanceResult> AdvanceAsync(IReadOnlyList<Rise> rises, bool isRepeated, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        var outcomes = await store.AdvanceAsync([.. rises.Select(r => r.Position)], now, cancellationToken);
        var result = new AdvanceResult();
        for (var i = 0; i < outcomes.Count; i++)
            result.Advanced.Add(await ToWireAsync(rises[i].Position, outcomes[i], now, isRepeated, cancellationToken));
        await AddSummariesAsync(rises, result, cancellationToken);

        for (var i = 0; i < outcomes.Count; i++)
            if (outcomes[i].Lowest is { } lowest) await TellAsync(rises[i].Position.Conversation, lowest, now);
        if (isRepeated)
            foreach (var conversation in rises.Select(r => r.Position.Conversation).Distinct())
                if (!conversation.IsDirect) await TellAsync(conversation, null, now);
        return result;
    }

    /// <summary>A group's lowest watermarks rose; null: perhaps, in an earlier try. Never fails: the positions are stored.</summary>
    public async Task TellAsync(ConversationId group, LowestRise? lowest, DateTimeOffset at)
    {
        try
        {
            if (await groups.FindAsync(group, CancellationToken.None) is not { } now) return;
            if (lowest is null) await groupReceipts.AgainAsync(group, at, now.Members);
            else await groupReceipts.RoseAsync(group, lowest, at, now.Members);
        }
        catch (UnavailableException e)
        {
            logger.GroupReceiptNotTold(e);
        }
    }

    private async ValueTask<Advanced> ToWireAsync(
        MemberPosition position, AdvanceOutcome outcome, DateTimeOffset now, bool isRepeated, CancellationToken cancellationToken)
    {
        var conversation = position.Conversation;
        var advanced = new Advanced { ConversationId = conversation.ToBytes(), AtMs = now.ToUnixTimeMilliseconds() };
        if (Refusal(new(conversation, position.DeliveredSeq, position.ReadSeq), outcome) is { } refusal)
        {
            advanced.Fault = refusal.ToFault();
            return advanced;
        }

        advanced.Moved = outcome.Status == AdvanceStatus.Moved || isRepeated;
        advanced.ReadMoved = outcome.ReadMoved || (isRepeated && position.ReadSeq > 0);
        advanced.DeliveredSeq = outcome.Member!.DeliveredSeq;
        advanced.ReadSeq = outcome.Member.ReadSeq;
        if (advanced.Moved && conversation.IsDirect && await store.GetConversationAsync(conversation, cancellationToken) is { } state)
            foreach (var member in state.Shape.Members)
            {
                if (member == position.User) continue;
                advanced.Others.Add(member.ToBytes());
                marks.Add(member);
            }
        return advanced;
    }

    /// <summary>Those of one conversation are read together.</summary>
    private async Task AddSummariesAsync(IReadOnlyList<Rise> rises, AdvanceResult result, CancellationToken cancellationToken)
    {
        var asked = Enumerable.Range(0, rises.Count)
            .Where(i => result.Advanced[i].Fault is null && (rises[i].WithSummary || result.Advanced[i].ReadMoved))
            .GroupBy(i => rises[i].Position.Conversation);
        foreach (var conversation in asked)
        {
            var indexes = conversation.ToArray();
            var views = await store.GetViewsAsync(
                conversation.Key, Array.ConvertAll(indexes, i => rises[i].Position.User), cancellationToken);
            for (var i = 0; i < indexes.Length; i++)
                if (views[i] is { } view)
                    result.Advanced[indexes[i]].Summary = await summaries.ToWireAsync(view, rises[indexes[i]].Position.User, cancellationToken);
        }
    }

    /// <summary>Why a position was refused, or null.</summary>
    public static Error? Refusal(NewPosition position, AdvanceOutcome outcome) => outcome.Status switch
    {
        AdvanceStatus.NotFound => Error.NotFound($"conversation {position.Conversation}"),
        AdvanceStatus.BeyondHead => Error.Invalid(
            $"seq {Math.Max(position.DeliveredSeq, position.ReadSeq)} is beyond the head of conversation {position.Conversation}, which is {outcome.HeadSeq}"),
        _ => null,
    };

    private static IReadOnlyList<NewPosition> Distinct(IReadOnlyList<NewPosition> positions)
    {
        if (positions.Count < 2) return positions;
        var highest = new Dictionary<ConversationId, NewPosition>(positions.Count);
        foreach (var position in positions)
            highest[position.Conversation] = highest.TryGetValue(position.Conversation, out var known)
                ? new(position.Conversation, Math.Max(known.DeliveredSeq, position.DeliveredSeq), Math.Max(known.ReadSeq, position.ReadSeq))
                : position;
        return highest.Count == positions.Count ? positions : [.. highest.Values];
    }
}
