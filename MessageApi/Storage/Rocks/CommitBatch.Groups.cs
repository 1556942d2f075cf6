using WhatsAspire.Contracts;

namespace WhatsAspire.MessageApi.Storage.Rocks;

/// <content>Groups: their members have rows of their own.</content>
internal sealed partial class CommitBatch
{
    /// <inheritdoc cref="IMessageStore.AdvanceAsync"/>
    public AdvanceOutcome[] Advance(IReadOnlyList<MemberPosition> positions, DateTimeOffset at)
    {
        var outcomes = new AdvanceOutcome[positions.Count];
        Dictionary<ConversationId, int>? lastMoved = null;
        for (var i = 0; i < outcomes.Length; i++)
        {
            var p = positions[i];
            outcomes[i] = Advance(p.Conversation, p.User, p.DeliveredSeq, p.ReadSeq, cleared: 0, at);
            if (outcomes[i].Status == AdvanceStatus.Moved) (lastMoved ??= [])[p.Conversation] = i;
        }

        if (lastMoved is null) return outcomes;
        foreach (var (conversation, i) in lastMoved)
            if (Settle(Load(conversation)!, at) is { } rise) outcomes[i] = outcomes[i] with { Lowest = rise };
        return outcomes;
    }

    /// <inheritdoc cref="IMessageStore.ClearAsync"/>
    public AdvanceOutcome Clear(ConversationId conversation, UserId user, long seq, DateTimeOffset at)
    {
        var outcome = Advance(conversation, user, 0, seq, seq, at);
        return outcome.Status == AdvanceStatus.Moved ? outcome with { Lowest = Settle(Load(conversation)!, at) } : outcome;
    }

    private MemberRow? FindMember(PendingConversation pending, UserId user)
    {
        if (pending.Row.Group is null) return pending.Row.Find(user);
        if (pending.Member(user) is { } known) return known;
        if (MemberRows.One(_engine, pending.Row, user, reads: null) is not { } stored) return null;
        pending.Keep(stored);
        return stored;
    }

    /// <summary>Who comes and who goes with an entry.</summary>
    private void Apply(PendingConversation pending, IReadOnlyList<MemberChange> changes, long seq, DateTimeOffset at)
    {
        foreach (var change in changes)
        {
            var member = FindMember(pending, change.User);
            if (change.IsMember == (member is { LeftSeq: 0 })) continue;
            if (change.IsMember) Join(pending, member, change, seq, at);
            else if (member is not null) Leave(pending, member, seq, at);
        }
    }

    private void Join(PendingConversation pending, MemberRow? member, MemberChange change, long seq, DateTimeOffset at)
    {
        if (member is null)
        {
            member = new() { User = change.User };
            pending.Keep(member);
            Span<byte> key = stackalloc byte[Keys.PairLength];
            MarkRow.Write(_row);
            Put(_engine.Users, Keys.Pair(change.User.Value, pending.Row.Shape.Id.Value, key));
        }

        member.JoinSeq = member.DeliveredSeq = member.ReadSeq = seq - 1;
        member.SeesAfter = change.SeesHistory ? 0 : member.JoinSeq;
        // A system entry is not visible: the number is the same before it.
        member.ReadVisibleNumber = pending.Row.HeadVisibleNumber;
        (member.LeftSeq, member.LeftVisibleNumber, member.LeftAt) = (0, 0, default);
        member.Touch(at);
        pending.Changed(member);
        pending.Row.Group!.Join(member);
    }

    private static void Leave(PendingConversation pending, MemberRow member, long seq, DateTimeOffset at)
    {
        pending.Row.Group!.Leave(member);
        (member.LeftSeq, member.LeftVisibleNumber, member.LeftAt) = (seq, pending.Row.HeadVisibleNumber, at.ToUniversalTime());
        member.Touch(at);
        pending.Changed(member);
    }

    /// <summary>After members rose: finds the lowest anew if nobody holds it any more.</summary>
    private LowestRise? Settle(PendingConversation pending, DateTimeOffset at) =>
        pending.Row.Group is { } group ? Settle(pending, group.Lowest, at) : null;

    private LowestRise? Settle(PendingConversation pending, (long Delivered, long Read) before, DateTimeOffset at)
    {
        if (pending.Row.Group is not { } group) return null;
        if (group.IsUnsettled)
        {
            group.Settle(Current(pending));
            pending.Dirty = true;
        }

        if (group.LowestDelivered <= before.Delivered && group.LowestRead <= before.Read) return null;
        if (at > group.LowestAt) group.LowestAt = at.ToUniversalTime();
        pending.Dirty = true;
        return new(before.Delivered, before.Read, group.LowestDelivered, group.LowestRead);
    }

    private IEnumerable<MemberRow> Current(PendingConversation pending)
    {
        foreach (var stored in MemberRows.All(_engine, pending.Row.Shape.Id, reads: null))
            if (stored.LeftSeq == 0 && pending.Member(stored.User) is null) yield return stored;
        foreach (var member in pending.Members)
            if (member.LeftSeq == 0) yield return member;
    }

    private void PutMembers(PendingConversation pending)
    {
        Span<byte> key = stackalloc byte[Keys.PairLength];
        foreach (var member in pending.ChangedMembers)
        {
            GroupMemberRow.Write(member, _row);
            Put(_engine.Members, Keys.Pair(pending.Row.Shape.Id.Value, member.User.Value, key));
        }
    }
}
