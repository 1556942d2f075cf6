using WhatsAspire.Contracts;
using WhatsAspire.Cql;

namespace WhatsAspire.MessageApi.Storage.Cassandra;

/// <summary>Which of a member's two positions. The numbers are stored.</summary>
internal enum Position : sbyte
{
    Delivered = 1,
    Read = 2,
}

/// <summary>A position of a member's rose.</summary>
/// <param name="User">Whose.</param>
/// <param name="Position">Which.</param>
/// <param name="From">From here, exclusive.</param>
/// <param name="To">To here.</param>
internal readonly record struct Rise(UserId User, Position Position, long From, long To)
{
    private const int Bits = 6;

    /// <summary>Where it is kept: with the rises to the 64 entries around the one that it reached.</summary>
    public long Bucket => BucketOf(To);

    /// <summary>It passes over a whole bucket: who looks for the rise over an entry, in that entry's bucket and in the next,
    /// would not find it.</summary>
    public bool IsLong => Bucket > BucketOf(From + 1) + 1;

    public static long BucketOf(long seq) => (seq - 1) >> Bits;

    /// <summary>The last entry of a bucket.</summary>
    public static long End(long bucket) => (bucket + 1) << Bits;
}

/// <summary>When members of groups got and read what. Most rises are short, and stand with those of all members in one partition
/// for each 64 entries: writing 500 of them is one request, and so is reading them. Those that are not stand with the
/// member, as in a direct conversation.</summary>
internal sealed class GroupRises(ICqlSession session, Statements statements, LogReader log, int parallelism)
{
    /// <summary>Notes rises. Ones that were noted before keep the earlier time.</summary>
    public async Task PutAsync(ConversationId conversation, IReadOnlyList<Rise> rises, DateTimeOffset at, CancellationToken cancellationToken)
    {
        var writes = new List<Func<CancellationToken, Task>>();
        foreach (var bucket in rises.Where(rise => !rise.IsLong).GroupBy(rise => rise.Bucket))
        {
            CqlCommand[] commands = [.. bucket.Select(rise => statements.PutGroupRise.Bind(
                Times.Earliest(at), at, rise.From, conversation.Value, rise.Bucket, (sbyte)rise.Position, rise.To, rise.User.Value))];
            writes.Add(cancel => session.ExecuteAsync(statements.Together(commands), cancel));
        }

        foreach (var rise in rises.Where(rise => rise.IsLong))
        {
            var command = statements.PutLongRise.Bind(
                Times.Earliest(at), at, rise.From, conversation.Value, rise.User.Value, Buckets.Of(rise.To), (sbyte)rise.Position, rise.To);
            writes.Add(cancel => session.ExecuteAsync(command, cancel));
        }

        var parallel = new ParallelOptions { MaxDegreeOfParallelism = parallelism, CancellationToken = cancellationToken };
        await Parallel.ForEachAsync(writes, parallel, async (write, cancel) => await write(cancel));
    }

    /// <summary>When a position of each of these members first reached an entry that is not his own.</summary>
    /// <param name="group">The group, with these members.</param>
    /// <param name="members">Who can see the entry.</param>
    /// <param name="position">Which position.</param>
    /// <param name="seq">The entry.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <returns>Of those who have reached it.</returns>
    public async Task<Dictionary<UserId, DateTimeOffset>> ReadAsync(
        Conversation group, IEnumerable<Member> members, Position position, long seq, CancellationToken cancellationToken)
    {
        var reached = members.ToDictionary(m => m.User, m => position == Position.Delivered ? m.DeliveredSeq : m.ReadSeq);
        foreach (var (user, to) in reached.ToArray())
            if (to < seq) reached.Remove(user);
        var times = await ScanAsync(group, reached.Keys, position, seq, cancellationToken);
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = parallelism, CancellationToken = cancellationToken };
        var others = new Lock();
        await Parallel.ForEachAsync(reached.Where(r => !times.ContainsKey(r.Key)).ToArray(), parallel, async (one, cancel) =>
        {
            if (await FindAsync(group.Shape.Id, one.Key, position, seq, one.Value, cancel) is not { } at) return;
            lock (others) times.Add(one.Key, at);
        });
        return times;
    }

    /// <summary>The short rises that passed over an entry. A member's rises follow one upon the other: the one with the lowest
    /// end from the entry on is it, or it is not here.</summary>
    private async Task<Dictionary<UserId, DateTimeOffset>> ScanAsync(
        Conversation group, IEnumerable<UserId> users, Position position, long seq, CancellationToken cancellationToken)
    {
        var times = new Dictionary<UserId, DateTimeOffset>();
        var open = users.ToHashSet();
        var first = Rise.BucketOf(seq);
        for (var bucket = first; bucket <= first + 1 && open.Count > 0; bucket++)
        {
            if (Rise.End(bucket - 1) >= group.Head.Seq) break;
            var command = statements.ReadGroupRises.Bind(group.Shape.Id.Value, bucket, (sbyte)position, seq);
            await foreach (var row in session.QueryAsync(command, cancellationToken))
            {
                var user = new UserId(row.GetGuid(0));
                if (!open.Remove(user)) continue;
                if (row.GetInt64(1) < seq) times[user] = row.GetTimestamp(2);
                if (open.Count == 0) break;
            }
        }

        return times;
    }

    private async Task<DateTimeOffset?> FindAsync(
        ConversationId conversation, UserId user, Position position, long seq, long reached, CancellationToken cancellationToken)
    {
        for (var bucket = Buckets.Of(seq); bucket <= Buckets.Of(reached); bucket++)
        {
            var rows = await session.ExecuteAsync(
                statements.FindRise.Bind(conversation.Value, user.Value, bucket, (sbyte)position, seq), cancellationToken);
            if (rows.Count == 0) continue;
            if (rows[0].GetInt64(2) < seq) return rows[0].GetTimestamp(1);
            break;
        }

        // It rose with an entry of the member's own whose process died before the rise was written.
        var sent = await log.FindAsync(conversation, seq, entry => entry.Sender == user || entry.Seq > reached, cancellationToken);
        return sent is { Entry: var own } && own.Seq <= reached ? own.CreatedAt : null;
    }
}
