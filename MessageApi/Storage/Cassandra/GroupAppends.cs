using WhatsAspire.Contracts;

namespace WhatsAspire.MessageApi.Storage.Cassandra;

/// <summary>What an append to a group reads and writes of its members: the senders' rows before it; after it who came and who
/// went, when the senders' positions rose, and how far the slowest is, if it may have been one of them. Never anything
/// for each member.</summary>
internal sealed class GroupAppends(
    MemberReader reader, MemberChanges changes, GroupPositions positions, GroupRises rises, Positions inboxes, int parallelism)
{
    /// <summary>How far the senders are and, for entries that change members, everybody.</summary>
    /// <returns>Null when the head is not the newest.</returns>
    public async Task<(Roll Roll, Standings Standings)?> ReadAsync(
        ConversationId group, Head head, IReadOnlyCollection<NewEntry> entries, CancellationToken cancellationToken)
    {
        while (true)
        {
            var (roll, rows) = entries.Any(entry => entry.Members.Count > 0)
                ? await reader.ReadRowsAsync(group, cancellationToken)
                : await ReadSendersAsync(group, [.. entries.Select(entry => entry.Sender).Distinct()], cancellationToken);
            if (roll.ChangesSeq > head.ChangesSeq) return null;
            if (roll.ChangesSeq == head.ChangesSeq) return (roll, Standings.Group(rows, head));
            await changes.CatchUpAsync(group, roll.ChangesSeq, head, cancellationToken);
        }
    }

    /// <summary>Before the entries: the group is in the inbox of each who comes. Without the entries it leads to nothing.</summary>
    public Task PrepareAsync(AppendPlan plan, CancellationToken cancellationToken) => Parallel.ForEachAsync(
        plan.Changes.SelectMany(change => change.Members.Where(m => m.IsMember).Select(m => (m.User, change.At))),
        new ParallelOptions { MaxDegreeOfParallelism = parallelism, CancellationToken = cancellationToken },
        async (one, cancel) => await inboxes.EnterAsync(one.User, plan.Shape.Id, one.At, cancel));

    /// <summary>After the entries.</summary>
    /// <returns>What the callers are told.</returns>
    public async Task<AppendOutcome[]> FinishAsync(AppendPlan plan, Roll before, CancellationToken cancellationToken)
    {
        await Task.WhenAll(
            changes.PutAsync(plan.Shape.Id, plan.Changes, cancellationToken),
            Task.WhenAll(plan.Entries.Select(entry => PutRisesAsync(entry, cancellationToken))));
        var outcomes = plan.Outcomes();
        if (!plan.Entries.Any(entry => MayRaise(entry, before.Lowest))) return outcomes;
        // Read after the entries are there: of them and a rise elsewhere at the same time one sees the other.
        if (await reader.ReadAsync(plan.Shape.Id, cancellationToken) is not { } after) return outcomes;
        if (Tell(plan, outcomes, after, before.Lowest) is var (lowest, at))
            await positions.PutLowestAsync(plan.Shape.Id, lowest, at, cancellationToken);
        return outcomes;
    }

    /// <summary>Of an entry that is there already: what its append did not come to tell.</summary>
    public Task<LowestRise?> RepeatedAsync(Conversation group, LogEntry entry, CancellationToken cancellationToken) =>
        positions.RaiseLowestAsync(group, group.Roll.Lowest, entry.CreatedAt, cancellationToken);

    private async Task<(Roll Roll, List<Member> Members)> ReadSendersAsync(
        ConversationId group, IReadOnlyList<UserId> senders, CancellationToken cancellationToken)
    {
        var found = await Task.WhenAll(senders.Select(sender => reader.ReadRowAsync(group, sender, cancellationToken)));
        // What changed while they were read is not in all of them: the oldest counts, and the others are read again.
        return (found.MinBy(one => one.Roll.ChangesSeq).Roll, [.. found.SelectMany(one => one.Members)]);
    }

    private Task PutRisesAsync(PlannedEntry planned, CancellationToken cancellationToken)
    {
        var (entry, _, sender) = planned;
        if (sender is not { } before) return Task.CompletedTask;
        // Who had reached everything before reaches with this his own entry alone, and the log has its time.
        var risen = new List<Rise>(2);
        if (before.DeliveredSeq < entry.Seq - 1) risen.Add(new(entry.Sender, Position.Delivered, before.DeliveredSeq, entry.Seq));
        if (before.ReadSeq < entry.Seq - 1) risen.Add(new(entry.Sender, Position.Read, before.ReadSeq, entry.Seq));
        return risen.Count == 0 ? Task.CompletedTask : rises.PutAsync(entry.Conversation, risen, entry.CreatedAt, cancellationToken);
    }

    private static bool MayRaise(PlannedEntry planned, Lowest told) => planned.Changes is not null
        || (planned.SenderBefore is { } before && (before.DeliveredSeq <= told.Delivered || before.ReadSeq <= told.Read));

    /// <summary>Goes through the entries once more, with everybody else as he is now: which of them raised the lowest?</summary>
    private static (Lowest Lowest, DateTimeOffset At)? Tell(AppendPlan plan, AppendOutcome[] outcomes, Conversation after, Lowest told)
    {
        var standings = Standings.Group(after.Members, after.Head);
        foreach (var (entry, changes, _) in plan.Entries)
        {
            standings.Reset(entry.Sender, plan.Before.Find(entry.Sender));
            foreach (var (user, _, _) in changes?.Members ?? []) standings.Reset(user, plan.Before.Find(user));
        }

        var lowest = standings.Lowest() is { } all ? all.Min(told) : default;
        var rose = default(DateTimeOffset?);
        for (var i = 0; i < outcomes.Length; i++)
        {
            var (entry, changes, _) = plan.Entries[i];
            standings.Apply(changes?.Members ?? [], entry.Seq);
            standings.Raise(entry.Sender, entry.Seq);
            var now = standings.Lowest() ?? default;
            if (lowest.To(now) is { } rise)
            {
                outcomes[i] = outcomes[i] with { Lowest = rise };
                rose = entry.CreatedAt;
            }

            lowest = now;
        }

        return rose is { } at ? (lowest, at) : null;
    }
}
