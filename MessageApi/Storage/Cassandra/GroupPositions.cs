using WhatsAspire.Contracts;
using WhatsAspire.Cql;

namespace WhatsAspire.MessageApi.Storage.Cassandra;

/// <summary>A rise of a member's positions that is asked for; 0 leaves one alone.</summary>
internal readonly record struct AskedPosition(UserId User, long DeliveredSeq, long ReadSeq, long ClearedSeq);

/// <summary>Raises positions in groups, of many members at once: their rows are one partition, so that 500 rises are one
/// write. Before it the times of the rises are written, after it how far the slowest is now.</summary>
internal sealed class GroupPositions(
    ICqlSession session, Statements statements, MemberReader members, LogReader log, GroupRises rises, int parallelism)
{
    /// <summary>Raises positions.</summary>
    /// <param name="group">As it was read just now.</param>
    /// <param name="asked">Each member once.</param>
    /// <param name="at">The time of the rise, whole milliseconds.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>One outcome for each, in order.</returns>
    public async Task<AdvanceOutcome[]> AdvanceAsync(
        Conversation group, IReadOnlyList<AskedPosition> asked, DateTimeOffset at, CancellationToken cancellationToken)
    {
        var outcomes = new AdvanceOutcome[asked.Count];
        var moves = new List<Move>(asked.Count);
        var (last, isHeld) = (-1, false);
        for (var i = 0; i < outcomes.Length; i++)
        {
            outcomes[i] = Of(group, asked[i]);
            if (outcomes[i].Status == AdvanceStatus.Moved)
            {
                moves.Add(new(i, group.Find(asked[i].User)!, outcomes[i].Member!));
                (last, isHeld) = (i, false);
            }
            else if (outcomes[i].Status == AdvanceStatus.Held && (last < 0 || isHeld))
            {
                (last, isHeld) = (i, true);
            }
        }

        var after = group;
        if (moves.Count > 0)
        {
            await PutAsync(group, moves, at, cancellationToken);
            // What holds is what is read now: other processes may have raised other positions meanwhile. Each reads after its
            // own write, so that at least one of them sees that the slowest has moved.
            after = await members.ReadAsync(group.Shape.Id, cancellationToken) ?? group;
            foreach (var (i, before, _) in moves)
            {
                if (after.Find(before.User) is { } now) outcomes[i] = outcomes[i] with { Member = now.State, HeadSeq = now.HeadOf(after.Head) };
            }
        }

        // Also when nothing moved: the call before may have died in between.
        if (last >= 0 && await RaiseLowestAsync(after, group.Roll.Lowest, at, cancellationToken) is { } rise)
            outcomes[last] = outcomes[last] with { Lowest = rise };
        return outcomes;
    }

    /// <summary>Notes how far the slowest member is, if that is further than was told.</summary>
    /// <param name="group">As it is read now.</param>
    /// <param name="told">What was told of it before the caller's own write.</param>
    /// <param name="at">When it rose.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task<LowestRise?> RaiseLowestAsync(
        Conversation group, Lowest told, DateTimeOffset at, CancellationToken cancellationToken)
    {
        if (group.Lowest is not { } now || told.To(now) is not { } rise) return null;
        await PutLowestAsync(group.Shape.Id, now, at, cancellationToken);
        return rise;
    }

    /// <summary>Notes how far the slowest member is since a time.</summary>
    public Task PutLowestAsync(ConversationId group, Lowest lowest, DateTimeOffset at, CancellationToken cancellationToken)
    {
        var commands = new List<CqlCommand> { statements.PutLowestAt.Bind(Times.Latest(at), at, group.Value) };
        if (lowest.Delivered > 0) commands.Add(statements.PutLowestDelivered.Bind(lowest.Delivered, lowest.Delivered, group.Value));
        if (lowest.Read > 0) commands.Add(statements.PutLowestRead.Bind(lowest.Read, lowest.Read, group.Value));
        return session.ExecuteAsync(statements.Together(commands), cancellationToken);
    }

    private static AdvanceOutcome Of(Conversation group, AskedPosition asked)
    {
        if (group.Find(asked.User) is not { } member) return new(AdvanceStatus.NotFound, null, false, 0);
        var (state, head) = (member.State, member.HeadOf(group.Head));
        if (asked.DeliveredSeq > head || asked.ReadSeq > head || asked.ClearedSeq > head)
            return new(AdvanceStatus.BeyondHead, state, false, head);
        var read = Math.Max(asked.ReadSeq, state.ReadSeq);
        var now = state with
        {
            ReadSeq = read,
            DeliveredSeq = Math.Max(Math.Max(asked.DeliveredSeq, read), state.DeliveredSeq),
            ClearedSeq = Math.Max(asked.ClearedSeq, state.ClearedSeq),
        };
        return now == state
            ? new(AdvanceStatus.Held, state, false, head)
            : new(AdvanceStatus.Moved, now, now.ReadSeq > state.ReadSeq, head);
    }

    private async Task PutAsync(Conversation group, List<Move> moves, DateTimeOffset at, CancellationToken cancellationToken)
    {
        var id = group.Shape.Id;
        var risen = new List<Rise>(moves.Count * 2);
        foreach (var (_, before, now) in moves)
        {
            if (now.DeliveredSeq > before.DeliveredSeq) risen.Add(new(before.User, Position.Delivered, before.DeliveredSeq, now.DeliveredSeq));
            if (now.ReadSeq > before.ReadSeq) risen.Add(new(before.User, Position.Read, before.ReadSeq, now.ReadSeq));
        }

        var noted = rises.PutAsync(id, risen, at, cancellationToken);
        var visible = await VisibleAsync(group, risen, cancellationToken);
        await noted;

        var commands = new List<CqlCommand>(moves.Count * 3);
        foreach (var (_, before, now) in moves)
        {
            var who = before.User.Value;
            commands.Add(statements.TouchMember.Bind(Times.Latest(at), at, id.Value, who));
            if (now.DeliveredSeq > before.DeliveredSeq)
                commands.Add(statements.PutDelivered.Bind(now.DeliveredSeq, now.DeliveredSeq, id.Value, who));
            if (now.ReadSeq > before.ReadSeq)
                commands.Add(statements.PutRead.Bind(now.ReadSeq, now.ReadSeq, visible[now.ReadSeq], id.Value, who));
            if (now.ClearedSeq > before.ClearedSeq)
                commands.Add(statements.PutCleared.Bind(now.ClearedSeq, now.ClearedSeq, id.Value, who));
        }

        await session.ExecuteAsync(statements.Together(commands), cancellationToken);
    }

    /// <summary>The visible number at each entry that somebody has read.</summary>
    private async Task<Dictionary<long, long>> VisibleAsync(Conversation group, List<Rise> risen, CancellationToken cancellationToken)
    {
        var numbers = new Dictionary<long, long> { [group.Head.Seq] = group.Head.Visible };
        long[] missing = [.. risen.Where(rise => rise.Position == Position.Read && rise.To != group.Head.Seq).Select(rise => rise.To).Distinct()];
        var found = new long[missing.Length];
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = parallelism, CancellationToken = cancellationToken };
        await Parallel.ForAsync(0, missing.Length, parallel, async (i, cancel) =>
            found[i] = await log.VisibleAsync(group.Shape.Id, missing[i], cancel));
        for (var i = 0; i < missing.Length; i++) numbers[missing[i]] = found[i];
        return numbers;
    }

    private readonly record struct Move(int Index, Member Before, MemberState Now);
}
