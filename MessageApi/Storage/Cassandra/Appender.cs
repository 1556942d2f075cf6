using System.Diagnostics;
using WhatsAspire.Contracts;
using WhatsAspire.Cql;
using Slot = WhatsAspire.MessageApi.Storage.Cassandra.PendingAppend.Slot;

namespace WhatsAspire.MessageApi.Storage.Cassandra;

/// <summary>Appends to one log at a time. In this order, so that a crash between any two steps loses and doubles nothing:
/// <list type="number">
/// <item>The head is known, or read.</item>
/// <item>Each client message id is claimed, with the head as the place after which its entry will be; the claims that
/// were there before are looked up in the log. A claim stands before its entry, and the head that the append is conditional
/// upon was known before the claims were read: an entry of the same id is found there, or has moved the head.</item>
/// <item>What leads to the entry is written: the id index, the members, the inboxes' times; of a group only the inboxes of
/// who comes. Without the entry it leads to nothing.</item>
/// <item>The entries and the head are written in one conditional batch: the fence.</item>
/// <item>The times at which the senders' positions rose, the number of a new bucket, and who is in a group now: if they are
/// missing, they are found from the log.</item></list>
/// A batch without an answer is settled by reading, never by guessing: the whole begins again upon the settled
/// head.</summary>
internal sealed class Appender(
    ICqlSession session, Statements statements, LogReader log, MemberReader memberReader, Sends sends, Positions positions,
    GroupAppends groups, HeadCache heads, StoreMetrics metrics, TimeSpan timeout, TimeProvider time)
{
    private const int EntriesAtOnce = 64;
    private const int BytesAtOnce = 256 * 1024;
    private static readonly TimeSpan LongestPause = TimeSpan.FromMilliseconds(200);

    /// <summary>Works on calls in their order, until each is answered or has failed. Never throws.</summary>
    public async Task AppendAsync(ConversationId conversation, IReadOnlyList<PendingAppend> calls)
    {
        var slots = calls.SelectMany(call => call.Slots).ToArray();
        var deadline = time.GetTimestamp();
        Exception? last = null;
        var settle = false;
        for (var tries = 0; Array.Exists(slots, slot => slot.IsOpen); tries++)
        {
            if (tries > 0 && time.GetElapsedTime(deadline) > timeout) break;
            var started = time.GetTimestamp();
            try
            {
                if (await TryAsync(conversation, calls, slots, settle) is { } appended)
                {
                    if (appended > 0) metrics.Committed(appended, time.GetElapsedTime(started));
                    (tries, settle) = (-1, false);
                    deadline = time.GetTimestamp();
                    continue;
                }

                // Somebody else has moved the head.
                last = null;
            }
            catch (Exception e) when (e is CqlException)
            {
                last = e;
                metrics.CommitFailed(e);
            }
            catch (Exception e)
            {
                foreach (var call in calls) call.Fail(e);
                return;
            }

            heads.Forget(conversation);
            settle = true;
            await Task.Delay(Pause(tries), time);
        }

        foreach (var call in calls) call.Fail(Unavailable(last));
    }

    /// <summary>Answers what is known already, and appends a part of the rest.</summary>
    /// <returns>How many were appended; null when the head was another.</returns>
    private async Task<int?> TryAsync(ConversationId conversation, IReadOnlyList<PendingAppend> calls, Slot[] slots, bool settle)
    {
        var head = settle ? null : heads.Find(conversation);
        if (head is null)
        {
            var hint = await memberReader.ReadRollAsync(conversation, CancellationToken.None);
            head = await log.ReadHeadAsync(conversation, hint.Bucket, settle, CancellationToken.None);
            heads.Put(conversation, head);
        }

        var open = Array.FindAll(slots, slot => slot.IsOpen);
        var shape = calls[0].Shape;
        var reading = ReadAsync(shape, head, open);
        var later = await AnswerKnownAsync(conversation, head, open);
        await CheckTargetsAsync(conversation, head, calls, later);
        if (await reading is not var (roll, standings)) return null;

        Slot[] fresh = [.. open.TakeWhile(slot => !later.Contains(slot)).Where(slot => slot.IsOpen)];
        var plan = new AppendPlan(head, shape, standings, fresh, EntriesAtOnce, BytesAtOnce);
        if (plan.Entries.Count == 0) return 0;
        await PrepareAsync(conversation, shape, head, plan);
        if (!await CommitAsync(conversation, head, plan)) return null;
        heads.Put(conversation, plan.Head);
        var outcomes = await FinishAsync(conversation, shape, head, plan, roll);
        for (var i = 0; i < outcomes.Length; i++) plan.Slots[i].Answer(outcomes[i]);
        return outcomes.Length;
    }

    /// <summary>How far those are who matter to these entries; null when the head is not the newest.</summary>
    private async Task<(Roll Roll, Standings Standings)?> ReadAsync(ConversationShape shape, Head head, Slot[] open)
    {
        if (shape.Kind == ConversationKind.Group)
            return await groups.ReadAsync(shape.Id, head, Array.ConvertAll(open, slot => slot.Entry), CancellationToken.None);
        var (roll, rows) = await memberReader.ReadRowsAsync(shape.Id, CancellationToken.None);
        return (roll, Standings.Direct(shape, rows, head));
    }

    /// <summary>Claims the ids, and answers those that have an entry.</summary>
    /// <returns>Those that have an entry and come after one that has not: their answer says what holds after that, and before those that follow.</returns>
    private async Task<HashSet<Slot>> AnswerKnownAsync(ConversationId conversation, Head head, Slot[] open)
    {
        var later = new HashSet<Slot>();
        var isFirst = true;
        var found = await Task.WhenAll(open.Select(
            slot => sends.ClaimAsync(conversation, head.Seq, slot.Entry, slot.IsClaimed, CancellationToken.None)));
        for (var i = 0; i < open.Length; i++)
        {
            var slot = open[i];
            slot.IsClaimed = true;
            if (found[i] is not { } stored)
            {
                isFirst = false;
                continue;
            }

            if (!isFirst)
            {
                later.Add(slot);
                continue;
            }

            slot.Answer(await AnswerAsync(slot, stored));
        }

        return later;
    }

    /// <summary>What is told of an entry that is there. Whoever appended it may have died before he had finished.</summary>
    private async Task<AppendOutcome> AnswerAsync(Slot slot, StoredEntry stored)
    {
        var entry = stored.Entry;
        var isSame = stored.ContentHash == slot.Entry.ContentHash;
        if (isSame && entry.Conversation.IsDirect) await positions.SentAsync(entry, CancellationToken.None);
        // How far its sender had read before is not known any more: the least that it may have been.
        var isOurs = isSame && slot.WasTried && entry.Id == slot.Entry.Id;
        if (isOurs && entry.Conversation.IsDirect) return new(AppendStatus.Appended, entry, 0);
        var known = await memberReader.ReadAsync(entry.Conversation, CancellationToken.None);
        var lowest = isSame && known is { IsGroup: true } ? await groups.RepeatedAsync(known, entry, CancellationToken.None) : null;
        if (isOurs) return new(AppendStatus.Appended, entry, 0, lowest);
        return new(isSame ? AppendStatus.Duplicate : AppendStatus.Conflict, entry, known?.Find(entry.Sender)?.ReadSeq ?? 0, lowest);
    }

    /// <summary>Fails the calls with a deletion whose target is not there, before any of their entries is appended.</summary>
    private async Task CheckTargetsAsync(
        ConversationId conversation, Head head, IReadOnlyList<PendingAppend> calls, HashSet<Slot> known)
    {
        if (!calls.Any(call => Array.Exists(call.Slots, slot => slot.IsOpen && slot.Entry.Kind == EntryKind.Delete))) return;
        var next = head.Seq;
        var planned = new Dictionary<long, MessageId>();
        var keys = new HashSet<(UserId, string)>();
        foreach (var call in calls)
        {
            var beforeCall = next;
            foreach (var slot in call.Slots)
            {
                if (!slot.IsOpen || known.Contains(slot) || !keys.Add((slot.Entry.Sender, slot.Entry.ClientMessageId))) continue;
                if (slot.Entry.Kind == EntryKind.Delete && await WhyNotAsync(slot.Entry) is { } why)
                {
                    call.Fail(why);
                    next = beforeCall;
                    break;
                }

                planned[++next] = slot.Entry.Id;
            }
        }

        async Task<Exception?> WhyNotAsync(NewEntry entry)
        {
            var seq = entry.TargetSeq;
            MessageId? id = seq <= head.Seq
                ? (await log.FindAsync(conversation, seq, CancellationToken.None))?.Entry.Id
                : seq <= next ? planned[seq] : null;
            if (id is null) return new ArgumentException($"no entry has the seq {seq} that is to be deleted", nameof(entry));
            return entry.Target is { } target && target != id
                ? new ArgumentException($"the entry at seq {seq} is not the one that is to be deleted", nameof(entry))
                : null;
        }
    }

    /// <summary>Writes what leads to the entries.</summary>
    private async Task PrepareAsync(ConversationId conversation, ConversationShape shape, Head head, AppendPlan plan)
    {
        var writes = new List<Task>();
        if (shape.Kind == ConversationKind.Group) writes.Add(groups.PrepareAsync(plan, CancellationToken.None));
        foreach (var (entry, _, _) in plan.Entries) writes.Add(sends.PutMessageAsync(entry.Id, conversation, head.Seq, CancellationToken.None));
        foreach (var member in shape.Members)
            writes.Add(positions.TouchAsync(member, conversation, plan.Head.At, CancellationToken.None));
        if (head.Seq == 0) writes.AddRange(positions.AddMembers(shape, CancellationToken.None));
        foreach (var (user, position) in plan.Dropped)
            writes.Add(positions.PutAsync(conversation, user, position.Seq, position.Seq, position.Visible, 0, CancellationToken.None));
        foreach (var target in plan.TargetsElsewhere) writes.Add(EraseAsync(conversation, target));
        await Task.WhenAll(writes);
    }

    private Task<CqlResult> EraseAsync(ConversationId conversation, long seq) =>
        session.ExecuteAsync(statements.EraseAlone.Bind(conversation.Value, Buckets.Of(seq), seq), CancellationToken.None);

    /// <summary>The one step that counts.</summary>
    private async Task<bool> CommitAsync(ConversationId conversation, Head head, AppendPlan plan)
    {
        var bucket = plan.Head.Bucket;
        var commands = new List<CqlCommand>(plan.Entries.Count + plan.TargetsHere.Count + 1)
        {
            statements.MoveHead.Bind(
                plan.Head.Seq, plan.Head.Visible, plan.Head.At, plan.Head.NewestVisible,
                plan.Head.NewestVisible == 0 ? CqlValue.Null : plan.Head.NewestVisibleAt, plan.Head.Senders.Write(),
                plan.Head.ChangesSeq == 0 ? CqlValue.Unset : plan.Head.ChangesSeq, conversation.Value, bucket, head.Seq == 0 || head.Bucket != bucket ? CqlValue.Null : head.Seq),
        };
        for (var i = 0; i < plan.Entries.Count; i++) commands.Add(Insert(conversation, bucket, plan, i));
        foreach (var target in plan.TargetsHere) commands.Add(statements.Erase.Bind(conversation.Value, bucket, target));
        var batch = new CqlBatch(commands)
        {
            Consistency = CqlConsistency.LocalQuorum,
            SerialConsistency = CqlConsistency.LocalSerial,
            Timeout = statements.MoveHead.Timeout,
        };
        try
        {
            return (await session.ExecuteAsync(batch, CancellationToken.None)).IsApplied;
        }
        catch
        {
            foreach (var slot in plan.Slots) slot.WasTried = true;
            throw;
        }
    }

    private CqlCommand Insert(ConversationId conversation, long bucket, AppendPlan plan, int i)
    {
        var ((entry, changes, _), hash) = (plan.Entries[i], plan.Slots[i].Entry.ContentHash);
        return statements.InsertEntry.Bind(
            conversation.Value, bucket, entry.Seq, entry.Id.Value, entry.Sender.Value, entry.ClientMessageId, unchecked((long)hash),
            (sbyte)entry.Kind,
            entry.Text.IsEmpty ? CqlValue.Unset : entry.Text,
            entry.ReplyTo is { } reply ? reply.Value : CqlValue.Unset,
            entry.CreatedAt, CqlValue.Unset, CqlValue.Unset,
            entry.TargetSeq == 0 ? CqlValue.Unset : entry.TargetSeq,
            entry.Target is { } target ? target.Value : CqlValue.Unset,
            entry.VisibleNumber,
            changes is null ? CqlValue.Unset : changes.Write());
    }

    /// <summary>What the log itself would tell, only not as fast.</summary>
    private async Task<AppendOutcome[]> FinishAsync(
        ConversationId conversation, ConversationShape shape, Head head, AppendPlan plan, Roll before)
    {
        var outcomes = plan.Outcomes();
        var writes = new List<Task>();
        var group = shape.Kind == ConversationKind.Group ? groups.FinishAsync(plan, before, CancellationToken.None) : null;
        if (group is not null) writes.Add(group);
        foreach (var (entry, _, sender) in plan.Entries)
        {
            // Who had read everything before reaches with this his own entry alone, and the log has its time.
            if (group is null && sender is { ReadSeq: var read } && read < entry.Seq - 1)
                writes.Add(positions.SentAsync(entry, CancellationToken.None));
        }

        if (plan.Head.Bucket != head.Bucket)
            writes.Add(positions.PutBucketAsync(conversation, plan.Head.Bucket, CancellationToken.None));
        try
        {
            await Task.WhenAll(writes);
            if (group is not null) outcomes = await group;
        }
        catch (CqlException e)
        {
            // The entries are there, and say so themselves when they are asked.
            Activity.Current?.AddException(e);
        }

        return outcomes;
    }

    private static TimeSpan Pause(int tries)
    {
        var most = Math.Min(LongestPause.TotalMilliseconds, 2 << Math.Min(tries, 8));
        return TimeSpan.FromMilliseconds(Random.Shared.NextDouble() * most);
    }

    private StoreUnavailableException Unavailable(Exception? last) => last is null
        ? new($"other writers were faster for {timeout.TotalSeconds:0.#} s")
        : new($"the message store gave no answer within {timeout.TotalSeconds:0.#} s: {last.Message}", last);
}
