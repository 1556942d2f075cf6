using WhatsAspire.Contracts;
using WhatsAspire.Cql;

namespace WhatsAspire.MessageApi.Storage.Cassandra;

/// <summary>An entry with what only the store knows of it.</summary>
internal readonly record struct StoredEntry(LogEntry Entry, ulong ContentHash);

/// <summary>Reads logs and their heads, bucket by bucket.</summary>
internal sealed class LogReader(ICqlSession session, Statements statements, HeadCache heads)
{
    private const int ScanPage = 128;

    /// <summary>The head; <see cref="Head.None"/> for a log that does not exist.</summary>
    /// <param name="conversation">Whose log.</param>
    /// <param name="hint">A bucket that it had reached before, from the members' partition; the newest may be a later one.</param>
    /// <param name="settled">What other writers have under way is ended first, one way or the other.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    public async Task<Head> ReadHeadAsync(ConversationId conversation, long hint, bool settled, CancellationToken cancellationToken)
    {
        var first = Math.Max(hint, heads.BucketOf(conversation));
        var statement = settled ? statements.ReadSettledHead : statements.ReadHead;
        var head = Head.None;
        for (var bucket = first; ; bucket++)
        {
            var rows = await session.ExecuteAsync(statement.Bind(conversation.Value, bucket), cancellationToken);
            if (rows.Count == 0 || rows[0].IsNull(0)) break;
            head = ToHead(rows[0]);
            if (head.Seq < Buckets.End(bucket)) break;
        }

        if (head.Seq == 0 && first > 0)
            throw new InvalidDataException($"the log of {conversation} lacks its bucket {first}, which it had reached before");
        if (head.Seq > 0) heads.Seen(conversation, head.Bucket);
        return head;
    }

    /// <summary>The entry with this seq, or null.</summary>
    public async Task<StoredEntry?> FindAsync(ConversationId conversation, long seq, CancellationToken cancellationToken)
    {
        if (seq < 1) return null;
        var rows = await session.ExecuteAsync(statements.ReadEntry.Bind(conversation.Value, Buckets.Of(seq), seq), cancellationToken);
        return rows.Count == 0 ? null : ToEntry(conversation, rows[0]);
    }

    /// <summary>The visible number of an entry that exists.</summary>
    public async Task<long> VisibleAsync(ConversationId conversation, long seq, CancellationToken cancellationToken) =>
        (await GetAsync(conversation, seq, cancellationToken)).VisibleNumber;

    /// <summary>An entry that exists.</summary>
    public async Task<LogEntry> GetAsync(ConversationId conversation, long seq, CancellationToken cancellationToken) =>
        (await FindAsync(conversation, seq, cancellationToken))?.Entry
            ?? throw new InvalidDataException($"the log of {conversation} lacks its entry {seq}");

    /// <summary>The first entry after <paramref name="after"/> that is looked for, or null.</summary>
    public async Task<StoredEntry?> FindAsync(
        ConversationId conversation, long after, Predicate<LogEntry> isIt, CancellationToken cancellationToken)
    {
        while (true)
        {
            var page = await AscendingAsync(conversation, after, long.MaxValue, ScanPage, cancellationToken);
            foreach (var stored in page)
            {
                if (isIt(stored.Entry)) return stored;
            }

            if (page.Count < ScanPage) return null;
            after = page[^1].Entry.Seq;
        }
    }

    /// <summary>Entries in (after, before), the oldest first.</summary>
    public async Task<IReadOnlyList<StoredEntry>> AscendingAsync(
        ConversationId conversation, long after, long before, int limit, CancellationToken cancellationToken)
    {
        var entries = new List<StoredEntry>();
        if (after >= before - 1) return entries;
        for (var bucket = Buckets.Of(after + 1); entries.Count < limit; bucket++)
        {
            await AddAsync(entries, statements.ReadAscending, conversation, bucket, after, before, limit, cancellationToken);
            // The next bucket has entries only if this one is full.
            if (entries.Count == 0 || entries[^1].Entry.Seq != Buckets.End(bucket) || Buckets.End(bucket) >= before - 1) break;
        }

        return entries;
    }

    /// <summary>Entries in (after, before), the newest first.</summary>
    /// <param name="conversation">Whose log.</param>
    /// <param name="after">Exclusive.</param>
    /// <param name="before">Exclusive; at most the head plus one.</param>
    /// <param name="limit">At most so many.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    public async Task<IReadOnlyList<StoredEntry>> DescendingAsync(
        ConversationId conversation, long after, long before, int limit, CancellationToken cancellationToken)
    {
        var entries = new List<StoredEntry>();
        if (after >= before - 1) return entries;
        var last = Buckets.Of(after + 1);
        for (var bucket = Buckets.Of(before - 1); bucket >= last && entries.Count < limit; bucket--)
            await AddAsync(entries, statements.ReadDescending, conversation, bucket, after, before, limit, cancellationToken);
        return entries;
    }

    private async Task AddAsync(List<StoredEntry> entries, CqlStatement statement, ConversationId conversation, long bucket,
        long after, long before, int limit, CancellationToken cancellationToken)
    {
        var command = statement.Bind(conversation.Value, bucket, after, before, limit - entries.Count);
        await foreach (var row in session.QueryAsync(command, cancellationToken)) entries.Add(ToEntry(conversation, row));
    }

    private static Head ToHead(CqlRow row) => new(
        row.GetInt64(0),
        row.GetInt64(1),
        row.GetTimestamp(2),
        row.IsNull(3) ? 0 : row.GetInt64(3),
        row.IsNull(4) ? DateTimeOffset.MinValue : row.GetTimestamp(4),
        row.IsNull(5) ? Senders.None : Senders.Read(row.GetBytes(5).Span),
        row.IsNull(6) ? 0 : row.GetInt64(6));

    private static StoredEntry ToEntry(ConversationId conversation, CqlRow row) => new(
        new()
        {
            Conversation = conversation,
            Seq = row.GetInt64(0),
            Id = new(row.GetGuid(1)),
            Sender = new(row.GetGuid(2)),
            ClientMessageId = row.GetString(3),
            Kind = (EntryKind)row.GetSByte(5),
            Text = row.IsNull(6) ? default : row.GetBytes(6),
            ReplyTo = row.IsNull(7) ? null : new MessageId(row.GetGuid(7)),
            CreatedAt = row.GetTimestamp(8),
            EditedAt = row.IsNull(9) ? null : row.GetTimestamp(9),
            Deleted = !row.IsNull(10) && row.GetBoolean(10),
            TargetSeq = row.IsNull(11) ? 0 : row.GetInt64(11),
            Target = row.IsNull(12) ? null : new MessageId(row.GetGuid(12)),
            VisibleNumber = row.GetInt64(13),
        },
        unchecked((ulong)row.GetInt64(4)));
}
