using WhatsAspire.Cql;

namespace WhatsAspire.MessageApi.Storage.Cassandra;

/// <summary>Every statement of the store, in one place. Reads and writes are acknowledged by a quorum of the local data
/// centre; the conditional ones agree within it. Those that are safe to repeat are marked so.</summary>
internal sealed class Statements(string keyspace, TimeSpan timeout)
{
    private const string EntryColumns =
        "seq, message_id, sender_id, client_message_id, content_hash, kind, body, reply_to, created_at, edited_at, deleted, target_seq, target_id, visible_number";

    private const string HeadColumns = "head, head_visible, head_at, newest_visible, newest_visible_at, senders, changes_seq";

    private const string MemberColumns =
        "user_id, ordinal, join_seq, delivered_seq, read_seq, read_visible, cleared_seq, left_seq, changed_at, " + RollColumns + ", muted_until, archived, pinned, sees_after";

    private const string RollColumns = "bucket, changes_seq, lowest_delivered, lowest_read, lowest_at";

    private CqlStatement? _serialHead;

    // The log. One partition each.
    public CqlStatement ReadHead { get; } = Read($"SELECT {HeadColumns} FROM {keyspace}.log WHERE conversation_id = ? AND bucket = ? LIMIT 1", timeout);

    /// <summary>Ends what is still under way in the partition, and reads what holds then.</summary>
    public CqlStatement ReadSettledHead => _serialHead ??= new(ReadHead.Text)
    {
        Consistency = CqlConsistency.LocalSerial,
        IsIdempotent = true,
        Timeout = timeout,
    };

    public CqlStatement ReadAscending { get; } = Read(
        $"SELECT {EntryColumns} FROM {keyspace}.log WHERE conversation_id = ? AND bucket = ? AND seq > ? AND seq < ? ORDER BY seq ASC LIMIT ?", timeout);

    public CqlStatement ReadDescending { get; } = Read(
        $"SELECT {EntryColumns} FROM {keyspace}.log WHERE conversation_id = ? AND bucket = ? AND seq > ? AND seq < ? ORDER BY seq DESC LIMIT ?", timeout);

    public CqlStatement ReadEntry { get; } = Read(
        $"SELECT {EntryColumns} FROM {keyspace}.log WHERE conversation_id = ? AND bucket = ? AND seq = ?", timeout);

    public CqlStatement ReadChanges { get; } = Read(
        $"SELECT member_changes, visible_number, created_at FROM {keyspace}.log WHERE conversation_id = ? AND bucket = ? AND seq = ?", timeout);

    public CqlStatement InsertEntry { get; } = Conditional(
        $"INSERT INTO {keyspace}.log (conversation_id, bucket, {EntryColumns}, member_changes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", timeout);

    public CqlStatement MoveHead { get; } = Conditional(
        $"""
        UPDATE {keyspace}.log SET head = ?, head_visible = ?, head_at = ?, newest_visible = ?, newest_visible_at = ?, senders = ?, changes_seq = ?
        WHERE conversation_id = ? AND bucket = ? IF head = ?
        """,
        timeout);

    /// <summary>Within an append to the same bucket.</summary>
    public CqlStatement Erase { get; } = Conditional(
        $"UPDATE {keyspace}.log SET body = null, reply_to = null, deleted = true WHERE conversation_id = ? AND bucket = ? AND seq = ?", timeout);

    /// <summary>By itself. Conditional, so that its time stamp is later than that of the append.</summary>
    public CqlStatement EraseAlone { get; } = Conditional(
        $"UPDATE {keyspace}.log SET body = null, reply_to = null, deleted = true WHERE conversation_id = ? AND bucket = ? AND seq = ? IF EXISTS",
        timeout);

    // De-duplication and ids. One partition of some rows, and one of one row.
    public CqlStatement Claim { get; } = Write(
        $"UPDATE {keyspace}.sends USING TIMESTAMP ? SET base_seq = ? WHERE sender_id = ? AND client_message_id = ? AND conversation_id = ?", timeout);

    public CqlStatement ReadClaims { get; } = Read(
        $"SELECT conversation_id, base_seq FROM {keyspace}.sends WHERE sender_id = ? AND client_message_id = ?", timeout);

    public CqlStatement PutMessage { get; } = Write(
        $"UPDATE {keyspace}.messages USING TIMESTAMP ? SET conversation_id = ?, base_seq = ? WHERE message_id = ?", timeout);

    public CqlStatement ReadMessage { get; } = Read($"SELECT conversation_id, base_seq FROM {keyspace}.messages WHERE message_id = ?", timeout);

    // Members. One partition for each conversation.
    public CqlStatement PutMember { get; } = Write(
        $"UPDATE {keyspace}.members USING TIMESTAMP 1 SET kind = ?, ordinal = ?, join_seq = ? WHERE conversation_id = ? AND user_id = ?", timeout);

    public CqlStatement PutBucket { get; } = Write(
        $"UPDATE {keyspace}.members USING TIMESTAMP ? SET bucket = ? WHERE conversation_id = ?", timeout);

    public CqlStatement ReadMembers { get; } = Read(
        $"SELECT {MemberColumns} FROM {keyspace}.members WHERE conversation_id = ?", timeout);

    public CqlStatement ReadMember { get; } = Read(
        $"SELECT {MemberColumns} FROM {keyspace}.members WHERE conversation_id = ? AND user_id = ?", timeout);

    /// <summary>The statics, which stand beside any one row.</summary>
    public CqlStatement ReadRoll { get; } = Read($"SELECT {RollColumns} FROM {keyspace}.members WHERE conversation_id = ? LIMIT 1", timeout);

    public CqlStatement PutDelivered { get; } = Write(
        $"UPDATE {keyspace}.members USING TIMESTAMP ? SET delivered_seq = ? WHERE conversation_id = ? AND user_id = ?", timeout);

    public CqlStatement PutRead { get; } = Write(
        $"UPDATE {keyspace}.members USING TIMESTAMP ? SET read_seq = ?, read_visible = ? WHERE conversation_id = ? AND user_id = ?", timeout);

    public CqlStatement PutCleared { get; } = Write(
        $"UPDATE {keyspace}.members USING TIMESTAMP ? SET cleared_seq = ? WHERE conversation_id = ? AND user_id = ?", timeout);

    /// <summary>What is not set stays. Not to be repeated by itself: it would win over a later one.</summary>
    public CqlStatement PutSettings { get; } = new(
        $"UPDATE {keyspace}.members SET muted_until = ?, archived = ?, pinned = ? WHERE conversation_id = ? AND user_id = ?")
    {
        Consistency = CqlConsistency.LocalQuorum,
        Timeout = timeout,
    };

    // Of groups alone. The time stamps of the first two and of the roll are seqs.
    public CqlStatement Join { get; } = Write(
        $"UPDATE {keyspace}.members USING TIMESTAMP ? SET ordinal = 0, join_seq = ?, sees_after = ?, left_seq = 0 WHERE conversation_id = ? AND user_id = ?", timeout);

    public CqlStatement Leave { get; } = Write(
        $"UPDATE {keyspace}.members USING TIMESTAMP ? SET left_seq = ? WHERE conversation_id = ? AND user_id = ?", timeout);

    public CqlStatement PutChanges { get; } = Write(
        $"UPDATE {keyspace}.members USING TIMESTAMP ? SET changes_seq = ? WHERE conversation_id = ?", timeout);

    public CqlStatement TouchMember { get; } = Write(
        $"UPDATE {keyspace}.members USING TIMESTAMP ? SET changed_at = ? WHERE conversation_id = ? AND user_id = ?", timeout);

    public CqlStatement PutLowestDelivered { get; } = Write(
        $"UPDATE {keyspace}.members USING TIMESTAMP ? SET lowest_delivered = ? WHERE conversation_id = ?", timeout);

    public CqlStatement PutLowestRead { get; } = Write(
        $"UPDATE {keyspace}.members USING TIMESTAMP ? SET lowest_read = ? WHERE conversation_id = ?", timeout);

    public CqlStatement PutLowestAt { get; } = Write(
        $"UPDATE {keyspace}.members USING TIMESTAMP ? SET lowest_at = ? WHERE conversation_id = ?", timeout);

    // Times of receipts, marks of deletion. One partition for each member and bucket.
    public CqlStatement PutRise { get; } = Write(
        $"UPDATE {keyspace}.rises USING TIMESTAMP ? SET at = ? WHERE conversation_id = ? AND user_id = ? AND bucket = ? AND position = ? AND seq = ?", timeout);

    public CqlStatement FindRise { get; } = Read(
        $"SELECT seq, at, from_seq FROM {keyspace}.rises WHERE conversation_id = ? AND user_id = ? AND bucket = ? AND position = ? AND seq >= ? LIMIT 1", timeout);

    public CqlStatement PutLongRise { get; } = Write(
        $"UPDATE {keyspace}.rises USING TIMESTAMP ? SET at = ?, from_seq = ? WHERE conversation_id = ? AND user_id = ? AND bucket = ? AND position = ? AND seq = ?",
        timeout);

    // One partition for 64 entries.
    public CqlStatement PutGroupRise { get; } = Write(
        $"UPDATE {keyspace}.group_rises USING TIMESTAMP ? SET at = ?, from_seq = ? WHERE conversation_id = ? AND bucket = ? AND position = ? AND seq = ? AND user_id = ?",
        timeout);

    public CqlStatement ReadGroupRises { get; } = Read(
        $"SELECT user_id, from_seq, at FROM {keyspace}.group_rises WHERE conversation_id = ? AND bucket = ? AND position = ? AND seq >= ?", timeout);

    public CqlStatement Hide { get; } = Write(
        $"INSERT INTO {keyspace}.hidden (conversation_id, user_id, bucket, seq, visible) VALUES (?, ?, ?, ?, ?)", timeout);

    public CqlStatement ReadHidden { get; } = Read(
        $"SELECT seq, visible FROM {keyspace}.hidden WHERE conversation_id = ? AND user_id = ? AND bucket = ? AND seq > ? AND seq < ?", timeout);

    // Inbox. One partition for each user.
    public CqlStatement Touch { get; } = Write(
        $"UPDATE {keyspace}.inbox USING TIMESTAMP ? SET changed_at = ? WHERE user_id = ? AND conversation_id = ?", timeout);

    public CqlStatement ReadInbox { get; } = Read($"SELECT conversation_id, changed_at FROM {keyspace}.inbox WHERE user_id = ?", timeout);

    public CqlStatement ReadInboxRow { get; } = Read(
        $"SELECT changed_at FROM {keyspace}.inbox WHERE user_id = ? AND conversation_id = ?", timeout);

    /// <summary>Writes to one partition, which take effect together. Each has its own time stamp.</summary>
    public CqlBatch Together(IReadOnlyList<CqlCommand> commands) => new(commands, CqlBatchKind.Unlogged)
    {
        Consistency = CqlConsistency.LocalQuorum,
        IsIdempotent = true,
        Timeout = timeout,
    };

    private static CqlStatement Read(string text, TimeSpan timeout) => new(text)
    {
        Consistency = CqlConsistency.LocalQuorum,
        IsIdempotent = true,
        Timeout = timeout,
    };

    /// <summary>Safe to repeat: each names its time stamp, or says the same again.</summary>
    private static CqlStatement Write(string text, TimeSpan timeout) => Read(text, timeout);

    private static CqlStatement Conditional(string text, TimeSpan timeout) => new(text)
    {
        Consistency = CqlConsistency.LocalQuorum,
        SerialConsistency = CqlConsistency.LocalSerial,
        Timeout = timeout,
    };
}
