using System.Buffers.Binary;
using RocksDbSharp;
using WhatsAspire.Contracts;

namespace WhatsAspire.MessageApi.Storage.Rocks;

/// <summary>Reads of committed rows.</summary>
internal static class Rows
{
    public static ConversationRow? Conversation(RocksEngine engine, ConversationId id, ReadOptions? reads = null)
    {
        Span<byte> key = stackalloc byte[Keys.Id];
        return engine.Get(engine.Conversations, Keys.Of(id.Value, key), reads) is { } row ? ConversationRow.Read(id, row) : null;
    }

    public static EntryPlace? Place(RocksEngine engine, MessageId id)
    {
        Span<byte> key = stackalloc byte[Keys.Id];
        return engine.Get(engine.Messages, Keys.Of(id.Value, key)) is { } row ? EntryPlace.Read(row) : null;
    }

    public static AppendOutcome? Sent(RocksEngine engine, UserId sender, string clientMessageId, ulong contentHash)
    {
        Span<byte> key = stackalloc byte[Keys.DedupMaxLength];
        if (engine.Get(engine.Dedup, Keys.Dedup(sender, clientMessageId, key)) is not { } found) return null;
        var row = DedupRow.Read(found);
        var entry = Entry(engine, row.Place)
            ?? throw new InvalidDataException($"the log of {row.Place.Conversation} lacks its entry {row.Place.Seq}");
        var status = row.ContentHash == contentHash ? AppendStatus.Duplicate : AppendStatus.Conflict;
        return new(status, entry, MemberRows.Find(engine, row.Place.Conversation, sender)?.Member.ReadSeq ?? 0);
    }

    public static LogEntry? Entry(RocksEngine engine, EntryPlace place)
    {
        Span<byte> key = stackalloc byte[Keys.LogLength];
        return engine.Get(engine.Log, Keys.Log(place.Conversation, place.Seq, key)) is { } row
            ? LogRow.Read(place.Conversation, place.Seq, row)
            : null;
    }

    public static IReadOnlyList<LogEntry> Oldest(
        RocksEngine engine, ConversationId conversation, long after, long before, int limit, CancellationToken cancellationToken)
    {
        if (after == long.MaxValue) return [];
        Span<byte> key = stackalloc byte[Keys.LogLength];
        Keys.Log(conversation, after + 1, key);
        var entries = new List<LogEntry>();
        using var rows = engine.Iterate(engine.Log);
        for (rows.Seek(key); entries.Count < limit && rows.Valid(); rows.Next())
        {
            cancellationToken.ThrowIfCancellationRequested();
            var found = rows.GetKeySpan();
            if (!found.StartsWith(key[..Keys.Id]) || Keys.Seq(found) >= before) break;
            entries.Add(LogRow.Read(conversation, Keys.Seq(found), rows.GetValueSpan()));
        }

        RocksEngine.Check(rows);
        return entries;
    }

    public static IReadOnlyList<LogEntry> Newest(
        RocksEngine engine, ConversationId conversation, long after, long before, int limit, CancellationToken cancellationToken)
    {
        if (before <= 1) return [];
        Span<byte> key = stackalloc byte[Keys.LogLength];
        Keys.Log(conversation, before - 1, key);
        var entries = new List<LogEntry>();
        using var rows = engine.Iterate(engine.Log);
        for (rows.SeekForPrev(key); entries.Count < limit && rows.Valid(); rows.Prev())
        {
            cancellationToken.ThrowIfCancellationRequested();
            var found = rows.GetKeySpan();
            if (!found.StartsWith(key[..Keys.Id]) || Keys.Seq(found) <= after) break;
            entries.Add(LogRow.Read(conversation, Keys.Seq(found), rows.GetValueSpan()));
        }

        RocksEngine.Check(rows);
        return entries;
    }

    public static IReadOnlyList<long> Hidden(
        RocksEngine engine, ConversationId conversation, UserId user, long after, long before)
    {
        var seqs = new List<long>();
        if (after == long.MaxValue) return seqs;
        Span<byte> key = stackalloc byte[Keys.HiddenLength];
        Keys.Hidden(conversation, user, after + 1, key);
        using var rows = engine.Iterate(engine.Hidden);
        for (rows.Seek(key); rows.Valid(); rows.Next())
        {
            var found = rows.GetKeySpan();
            if (!found.StartsWith(key[..Keys.PairLength]) || Keys.Seq(found) >= before) break;
            seqs.Add(Keys.Seq(found));
        }

        RocksEngine.Check(rows);
        return seqs;
    }

    /// <summary>How many of the entries in (after, upTo] the user hid that would count as unread.</summary>
    public static long HiddenVisible(RocksEngine engine, ConversationId conversation, UserId user, long after, long upTo)
    {
        if (after >= upTo) return 0;
        Span<byte> key = stackalloc byte[Keys.HiddenLength];
        Keys.Hidden(conversation, user, after + 1, key);
        var count = 0L;
        using var rows = engine.Iterate(engine.Hidden);
        for (rows.Seek(key); rows.Valid(); rows.Next())
        {
            var found = rows.GetKeySpan();
            if (!found.StartsWith(key[..Keys.PairLength]) || Keys.Seq(found) > upTo) break;
            if (HiddenRow.IsVisible(rows.GetValueSpan())) count++;
        }

        RocksEngine.Check(rows);
        return count;
    }

    public static MemberSettings Settings(RocksEngine engine, ConversationId conversation, UserId user)
    {
        Span<byte> key = stackalloc byte[Keys.PairLength];
        return engine.Get(engine.Settings, Keys.Pair(conversation.Value, user.Value, key)) is { } row ? SettingsRow.Read(row) : new();
    }

    public static bool IsHidden(RocksEngine engine, ConversationId conversation, UserId user, long seq)
    {
        Span<byte> key = stackalloc byte[Keys.HiddenLength];
        return engine.Get(engine.Hidden, Keys.Hidden(conversation, user, seq, key)) is not null;
    }

    /// <summary>The rises of one position have ever greater seqs, in the order in which they happened: the one that
    /// first reached <paramref name="seq"/> is the lowest that is not below it. An entry of one's own was reached by
    /// sending it.</summary>
    public static ReceiptTimes ReceiptTimes(RocksEngine engine, ConversationId conversation, UserId user, long seq)
    {
        if (MemberRows.Find(engine, conversation, user)?.Member is not { } member) return new(null, null);
        var entry = Entry(engine, new(conversation, seq));
        // With the entry by which he left his positions did not rise.
        var isOwn = entry?.Sender == user && seq != member.LeftSeq;
        return ReceiptTimes(engine, conversation, member, seq, isOwn ? entry!.CreatedAt : null);
    }

    /// <summary>Of everybody for whom an entry is.</summary>
    public static IReadOnlyList<MemberReceipt> Receipts(
        RocksEngine engine, ConversationId conversation, long seq, CancellationToken cancellationToken)
    {
        if (Entry(engine, new(conversation, seq)) is not { } entry) return [];
        var receipts = new List<MemberReceipt>();
        foreach (var member in MemberRows.All(engine, conversation).Members)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var isMember = member.LeftSeq == 0;
            if (member.User == entry.Sender || !member.State.WasIn(seq) || (!isMember && member.DeliveredSeq < seq)) continue;
            receipts.Add(new(member.User, isMember, ReceiptTimes(engine, conversation, member, seq, sentAt: null)));
        }

        return receipts;
    }

    private static ReceiptTimes ReceiptTimes(
        RocksEngine engine, ConversationId conversation, MemberRow member, long seq, DateTimeOffset? sentAt)
    {
        var user = member.User;
        if (seq > member.DeliveredSeq || !member.State.WasIn(seq)) return new(null, null);
        if (sentAt is not null) return new(sentAt, sentAt);
        using var rows = engine.Iterate(engine.Advances);
        var both = First(rows, conversation, user, AdvanceKind.Both, seq);
        var delivered = First(rows, conversation, user, AdvanceKind.Delivered, seq);
        var read = First(rows, conversation, user, AdvanceKind.Read, seq);
        return new(Earlier(delivered, both), Earlier(read, both));
    }

    private static (long Seq, DateTimeOffset At)? First(
        Iterator rows, ConversationId conversation, UserId user, AdvanceKind kind, long seq)
    {
        Span<byte> key = stackalloc byte[Keys.AdvanceLength];
        Keys.Advance(conversation, user, kind, seq, key);
        rows.Seek(key);
        if (!rows.Valid())
        {
            RocksEngine.Check(rows);
            return null;
        }

        var found = rows.GetKeySpan();
        return found.StartsWith(key[..(Keys.PairLength + 1)])
            ? (BinaryPrimitives.ReadInt64BigEndian(found[(Keys.PairLength + 1)..]), AdvanceRow.Read(rows.GetValueSpan()))
            : null;
    }

    private static DateTimeOffset? Earlier((long Seq, DateTimeOffset At)? one, (long Seq, DateTimeOffset At)? other)
    {
        if (one is not { } a) return other?.At;
        return other is { } b && b.Seq < a.Seq ? b.At : a.At;
    }
}
