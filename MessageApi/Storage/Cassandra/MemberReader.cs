using WhatsAspire.Contracts;
using WhatsAspire.Cql;

namespace WhatsAspire.MessageApi.Storage.Cassandra;

/// <summary>Reads conversations: members with their positions, and the head.
///
/// <para>Who is in a group follows from its log. A reader that finds the log ahead of the members' rows, because somebody is
/// just writing them or has died before, brings them up to date first: so a change takes effect with its entry.</para></summary>
internal sealed class MemberReader(ICqlSession session, Statements statements, LogReader log, MemberChanges changes, HeadCache heads)
{
    private const int RollColumns = 9;
    private const int SettingsColumns = 14;
    private const int SeesAfterColumn = 17;

    /// <summary>Everybody. Null when nothing was ever appended.</summary>
    public async Task<Conversation?> ReadAsync(ConversationId conversation, CancellationToken cancellationToken)
    {
        var (roll, members, head) = await SettleAsync(conversation, () => ReadRowsAsync(conversation, cancellationToken), cancellationToken);
        if (head.Seq == 0 || (conversation.IsDirect && members.Count == 0)) return null;
        return new(Shape(conversation, members), members, head, roll);
    }

    /// <summary>One member; null for who is not and was not one.</summary>
    public async Task<Seat?> FindAsync(ConversationId conversation, UserId user, CancellationToken cancellationToken)
    {
        var (roll, members, head) = await SettleAsync(conversation, () => ReadRowAsync(conversation, user, cancellationToken), cancellationToken);
        return head.Seq == 0 || members.Count == 0 ? null : new(roll, members[0], head);
    }

    /// <summary>Kind, head and, of a direct one, the members.</summary>
    public async Task<ConversationState?> ReadStateAsync(ConversationId conversation, CancellationToken cancellationToken)
    {
        if (conversation.IsDirect) return (await ReadAsync(conversation, cancellationToken))?.State;
        var hint = heads.BucketOf(conversation) > 0 ? 0 : (await ReadRollAsync(conversation, cancellationToken)).Bucket;
        var head = await log.ReadHeadAsync(conversation, hint, settled: false, cancellationToken);
        return head.Seq == 0 ? null : new(ConversationShape.Group(conversation), head.Seq, head.Visible, head.At);
    }

    /// <summary>The members as their rows have them: without what their own entries gave them.</summary>
    public async Task<(Roll Roll, List<Member> Members)> ReadRowsAsync(ConversationId conversation, CancellationToken cancellationToken)
    {
        var roll = Roll.None;
        var members = new List<Member>();
        await foreach (var row in session.QueryAsync(statements.ReadMembers.Bind(conversation.Value), cancellationToken))
        {
            roll = ToRoll(row, RollColumns);
            if (ToMember(row) is { } member) members.Add(member);
        }

        members.Sort(static (a, b) => a.Ordinal != b.Ordinal ? a.Ordinal.CompareTo(b.Ordinal) : a.User.CompareTo(b.User));
        return (roll, members);
    }

    /// <summary>One member as his row has him; nobody where there is none.</summary>
    public async Task<(Roll Roll, List<Member> Members)> ReadRowAsync(
        ConversationId conversation, UserId user, CancellationToken cancellationToken)
    {
        var rows = await session.ExecuteAsync(statements.ReadMember.Bind(conversation.Value, user.Value), cancellationToken);
        // Without a row there are no statics beside it.
        if (rows.Count == 0) return (await ReadRollAsync(conversation, cancellationToken), []);
        return (ToRoll(rows[0], RollColumns), ToMember(rows[0]) is { } member ? [member] : []);
    }

    /// <summary>What stands beside the members' rows.</summary>
    public async Task<Roll> ReadRollAsync(ConversationId conversation, CancellationToken cancellationToken)
    {
        var rows = await session.ExecuteAsync(statements.ReadRoll.Bind(conversation.Value), cancellationToken);
        return rows.Count == 0 ? Roll.None : ToRoll(rows[0], 0);
    }

    /// <summary>Reads rows and a head that belong together.</summary>
    private async Task<(Roll Roll, List<Member> Members, Head Head)> SettleAsync(
        ConversationId conversation, Func<Task<(Roll, List<Member>)>> read, CancellationToken cancellationToken)
    {
        // Where the newest bucket is known, head and members are read at once; else the members' partition tells it.
        var known = heads.BucketOf(conversation) > 0 ? log.ReadHeadAsync(conversation, 0, settled: false, cancellationToken) : null;
        var (roll, members) = await read();
        var head = await (known ?? log.ReadHeadAsync(conversation, roll.Bucket, settled: false, cancellationToken));
        while (true)
        {
            // A head that was read before the members may be older than their positions, and than who is in.
            if (roll.ChangesSeq > head.Seq || members.Exists(m => m.DeliveredSeq > head.Seq))
                head = await log.ReadHeadAsync(conversation, roll.Bucket, settled: false, cancellationToken);
            if (roll.ChangesSeq >= head.ChangesSeq) break;
            await changes.CatchUpAsync(conversation, roll.ChangesSeq, head, cancellationToken);
            (roll, members) = await read();
        }

        for (var i = 0; i < members.Count; i++) members[i] = members[i].With(head.Senders.Find(members[i].User));
        return (roll, members, head);
    }

    private static ConversationShape Shape(ConversationId conversation, List<Member> members) => conversation.IsDirect
        ? new(conversation, ConversationKind.Direct, [.. members.Select(m => m.User)])
        : ConversationShape.Group(conversation);

    private static Roll ToRoll(CqlRow row, int first) => new(
        Seq(row, first), Seq(row, first + 1), new(Seq(row, first + 2), Seq(row, first + 3)), Time(row, first + 4));

    /// <summary>Null without its beginnings: a position that was written for nobody.</summary>
    private static Member? ToMember(CqlRow row)
    {
        if (row.IsNull(0) || row.IsNull(1) || row.IsNull(2)) return null;
        // One write has all of them, but each has a time stamp of its own.
        var (joined, read) = (Seq(row, 2), Seq(row, 4));
        return new(
            new(row.GetGuid(0)), row.GetInt32(1), joined, row.IsNull(SeesAfterColumn) ? joined : Seq(row, SeesAfterColumn),
            Math.Max(Seq(row, 3), read), read, Seq(row, 5), Seq(row, 6), Seq(row, 7), Time(row, 8))
        {
            Settings = new(
                row.IsNull(SettingsColumns) ? null : row.GetTimestamp(SettingsColumns),
                row.IsNull(SettingsColumns + 1) ? null : row.GetBoolean(SettingsColumns + 1),
                row.IsNull(SettingsColumns + 2) ? null : row.GetBoolean(SettingsColumns + 2)),
        };
    }

    private static long Seq(CqlRow row, int column) => row.IsNull(column) ? 0 : row.GetInt64(column);

    private static DateTimeOffset Time(CqlRow row, int column) =>
        row.IsNull(column) ? DateTimeOffset.MinValue : row.GetTimestamp(column);
}
