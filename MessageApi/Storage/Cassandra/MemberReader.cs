using WhatsAspire.Contracts;
using WhatsAspire.Cql;

namespace WhatsAspire.MessageApi.Storage.Cassandra;

/// <summary>Reads conversations: members with their positions, and the head.</summary>
internal sealed class MemberReader(ICqlSession session, Statements statements, LogReader log, HeadCache heads)
{
    /// <summary>Null when nothing was ever appended.</summary>
    public async Task<Conversation?> ReadAsync(ConversationId conversation, CancellationToken cancellationToken)
    {
        // Where the newest bucket is known, head and members are read at once; else the members' partition tells it.
        var known = heads.BucketOf(conversation) > 0 ? log.ReadHeadAsync(conversation, 0, settled: false, cancellationToken) : null;
        var (kind, bucket, members) = await ReadRowsAsync(conversation, cancellationToken);
        var head = await (known ?? log.ReadHeadAsync(conversation, bucket, settled: false, cancellationToken));
        // A head that was read before the members may be older than their positions.
        if (known is not null && members.Exists(m => m.DeliveredSeq > head.Seq))
            head = await log.ReadHeadAsync(conversation, bucket, settled: false, cancellationToken);
        if (head.Seq == 0 || members.Count == 0) return null;
        for (var i = 0; i < members.Count; i++) members[i] = members[i].With(head.Senders.Find(members[i].User));
        return new(new(conversation, kind, [.. members.Select(m => m.User)]), members, head);
    }

    /// <summary>The members as their rows have them: without what their own entries gave them.</summary>
    public async Task<(ConversationKind Kind, long Bucket, List<Member> Members)> ReadRowsAsync(
        ConversationId conversation, CancellationToken cancellationToken)
    {
        var (kind, bucket) = (ConversationKind.Direct, 0L);
        var members = new List<Member>();
        await foreach (var row in session.QueryAsync(statements.ReadMembers.Bind(conversation.Value), cancellationToken))
        {
            if (!row.IsNull(1)) kind = (ConversationKind)row.GetSByte(1);
            if (!row.IsNull(2)) bucket = row.GetInt64(2);
            // Without its beginnings it is not a member's row: a position that was written for nobody.
            if (row.IsNull(0) || row.IsNull(3)) continue;
            members.Add(new(new(row.GetGuid(0)), row.GetInt32(3), Seq(row, 4), Seq(row, 5), Seq(row, 6), Seq(row, 7), Seq(row, 8)));
        }

        members.Sort(static (a, b) => a.Ordinal != b.Ordinal ? a.Ordinal.CompareTo(b.Ordinal) : a.User.CompareTo(b.User));
        // One write has all three, but read and delivered have time stamps of their own.
        for (var i = 0; i < members.Count; i++)
            if (members[i] is var m && m.DeliveredSeq < m.ReadSeq) members[i] = m with { DeliveredSeq = m.ReadSeq };
        return (kind, bucket, members);
    }

    private static long Seq(CqlRow row, int column) => row.IsNull(column) ? 0 : row.GetInt64(column);
}
