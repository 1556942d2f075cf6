using WhatsAspire.Backplane.Activity;
using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Messaging.V1;
using WhatsAspire.MessageApi.Messages;
using WhatsAspire.MessageApi.Storage;

namespace WhatsAspire.MessageApi.Receipts;

/// <summary>Positions of users in conversations: how far delivered, how far read.</summary>
internal sealed class ReceiptService(IMessageStore store, ActivityMarks marks, TimeProvider time)
{
    /// <summary>Raises positions; what is refused is refused by itself.</summary>
    /// <param name="user">Whose.</param>
    /// <param name="positions">The highest of each conversation counts.</param>
    /// <param name="withSummaries">Also give the user's summary where nothing moved.</param>
    /// <param name="isRepeated">An earlier try may have taken effect without anybody having been told: what is held by
    /// now counts as moved by this one.</param>
    /// <param name="cancellationToken">Stops waiting, not the write.</param>
    public async Task<AdvanceResult> AdvanceAsync(
        UserId user, IReadOnlyList<NewPosition> positions, bool withSummaries, bool isRepeated, CancellationToken cancellationToken)
    {
        positions = Distinct(positions);
        var now = time.GetUtcNow();
        var outcomes = await store.AdvanceAsync(user, positions, now, cancellationToken);
        var result = new AdvanceResult();
        for (var i = 0; i < outcomes.Count; i++)
            result.Advanced.Add(await ToWireAsync(user, positions[i], outcomes[i], now, withSummaries, isRepeated, cancellationToken));
        return result;
    }

    private async ValueTask<Advanced> ToWireAsync(UserId user, NewPosition position, AdvanceOutcome outcome,
        DateTimeOffset now, bool withSummaries, bool isRepeated, CancellationToken cancellationToken)
    {
        var conversation = position.Conversation;
        var advanced = new Advanced { ConversationId = conversation.ToBytes(), AtMs = now.ToUnixTimeMilliseconds() };
        if (Refusal(position, outcome) is { } refusal)
        {
            advanced.Fault = refusal.ToFault();
            return advanced;
        }

        advanced.Moved = outcome.Status == AdvanceStatus.Moved || isRepeated;
        advanced.ReadMoved = outcome.ReadMoved || (isRepeated && position.ReadSeq > 0);
        advanced.DeliveredSeq = outcome.Member!.DeliveredSeq;
        advanced.ReadSeq = outcome.Member.ReadSeq;
        if (advanced.Moved && await store.GetConversationAsync(conversation, cancellationToken) is { } state)
            foreach (var member in state.Shape.Members)
            {
                if (member == user) continue;
                advanced.Others.Add(member.ToBytes());
                marks.Add(member);
            }
        if ((advanced.ReadMoved || withSummaries) && await store.GetViewAsync(conversation, user, cancellationToken) is { } view)
            advanced.Summary = view.ToWire(user);
        return advanced;
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
