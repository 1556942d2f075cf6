using RocksDbSharp;
using WhatsAspire.Contracts;

namespace WhatsAspire.MessageApi.Storage.Rocks;

/// <summary>The rows of one commit, and what the operations in it have to see of each other: each is prepared against
/// the state that those before it leave, although nothing of that is on disk yet. Used by the writer's thread
/// alone.</summary>
internal sealed partial class CommitBatch : IDisposable
{
    private readonly WriteBatch _rows = new();
    private readonly RowWriter _row = new();
    private readonly Dictionary<ConversationId, PendingConversation> _conversations = [];
    private readonly Dictionary<DedupKey, DedupRow> _dedup = [];
    private readonly HashSet<(ConversationId, UserId, long)> _hidden = [];
    private readonly Dictionary<(ConversationId, UserId), MemberSettings> _settings = [];
    private readonly List<Planned> _plan = [];
    private readonly Dictionary<DedupKey, int> _planned = [];
    private RocksEngine _engine = null!;

    /// <summary>Forgets everything, and begins upon what <paramref name="engine"/> holds.</summary>
    public void Start(RocksEngine engine)
    {
        _engine = engine;
        _rows.Clear();
        _conversations.Clear();
        _dedup.Clear();
        _hidden.Clear();
        _settings.Clear();
    }

    /// <summary>Writes all rows and returns when they are on disk.</summary>
    /// <returns>False when there was nothing to write.</returns>
    public bool Commit()
    {
        Span<byte> key = stackalloc byte[Keys.Id];
        foreach (var (id, pending) in _conversations)
        {
            PutMembers(pending);
            if (!pending.Dirty) continue;
            pending.Row.Write(_row);
            Put(_engine.Conversations, Keys.Of(id.Value, key));
        }

        if (_rows.Count() == 0) return false;
        _engine.Commit(_rows);
        return true;
    }

    /// <inheritdoc cref="IMessageStore.AppendAsync"/>
    public AppendOutcome[] Append(ConversationShape shape, IReadOnlyList<NewEntry> entries)
    {
        var pending = Load(shape.Id);
        var isNew = pending is null;
        if (pending is null)
        {
            StoreArguments.CheckShape(shape);
            pending = new(ConversationRow.New(shape));
        }

        Plan(pending, entries);
        var outcomes = new AppendOutcome[entries.Count];
        for (var i = 0; i < outcomes.Length; i++)
        {
            var (status, place, _) = _plan[i];
            if (status == AppendStatus.Appended)
            {
                outcomes[i] = Append(pending, entries[i], place.Seq);
            }
            else
            {
                var row = place.Conversation == shape.Id ? pending : Load(place.Conversation);
                var entry = row?.Entry(place.Seq) ?? FromLog(place);
                outcomes[i] = new(status, entry, row is null ? 0 : FindMember(row, entries[i].Sender)?.ReadSeq ?? 0);
            }
        }

        if (isNew && pending.Row.HeadSeq > 0) Add(pending);
        return outcomes;
    }

    /// <summary>Raises positions; 0 leaves one alone. A group's lowest is not settled by it.</summary>
    private AdvanceOutcome Advance(
        ConversationId conversation, UserId user, long delivered, long read, long cleared, DateTimeOffset at)
    {
        var pending = Load(conversation);
        if (pending is null || FindMember(pending, user) is not { } member) return new(AdvanceStatus.NotFound, null, false, 0);
        var row = pending.Row;
        var head = member.Head(row.HeadSeq);
        if (delivered > head || read > head || cleared > head) return new(AdvanceStatus.BeyondHead, member.State, false, head);

        read = Math.Max(read, member.ReadSeq);
        delivered = Math.Max(Math.Max(delivered, read), member.DeliveredSeq);
        cleared = Math.Max(cleared, member.ClearedSeq);
        var (deliveredMoved, readMoved) = (delivered > member.DeliveredSeq, read > member.ReadSeq);
        var clearedMoved = cleared > member.ClearedSeq;
        if (!deliveredMoved && !readMoved && !clearedMoved)
            return new(AdvanceStatus.Held, member.State, false, head);

        // Looked up first: it may fail, and nothing must have been changed then.
        if (readMoved)
        {
            member.ReadVisibleNumber = read == row.HeadSeq
                ? row.HeadVisibleNumber
                : (pending.Entry(read) ?? FromLog(new(conversation, read))).VisibleNumber;
        }

        if (deliveredMoved && readMoved && delivered == read)
        {
            PutAdvance(conversation, user, AdvanceKind.Both, read, at);
        }
        else
        {
            if (deliveredMoved) PutAdvance(conversation, user, AdvanceKind.Delivered, delivered, at);
            if (readMoved) PutAdvance(conversation, user, AdvanceKind.Read, read, at);
        }

        if (row.Group is { } group && member.LeftSeq == 0) group.Rise(member, delivered, read);
        (member.DeliveredSeq, member.ReadSeq, member.ClearedSeq) = (delivered, read, cleared);
        if (row.Group is null && (deliveredMoved || readMoved)) row.Touch(at);
        else member.Touch(at);
        pending.Changed(member);
        pending.Dirty = true;
        return new(AdvanceStatus.Moved, member.State, readMoved, head);
    }

    /// <inheritdoc cref="IMessageStore.HideAsync"/>
    public bool Hide(ConversationId conversation, UserId user, IReadOnlyList<long> seqs, DateTimeOffset at)
    {
        var pending = Load(conversation);
        if (pending is null || FindMember(pending, user) is not { } member) return false;
        foreach (var seq in seqs)
        {
            if (seq < 1 || seq > member.Head(pending.Row.HeadSeq)) return false;
        }

        // Everything is read before anything is changed.
        Span<byte> key = stackalloc byte[Keys.HiddenLength];
        var marks = new List<(long Seq, bool Visible)>(seqs.Count);
        foreach (var seq in seqs)
        {
            if (_hidden.Contains((conversation, user, seq))
                || _engine.Get(_engine.Hidden, Keys.Hidden(conversation, user, seq, key)) is not null)
                continue;
            marks.Add((seq, (pending.Entry(seq) ?? FromLog(new(conversation, seq))).Kind is EntryKind.Text));
        }

        foreach (var (seq, visible) in marks)
        {
            if (!_hidden.Add((conversation, user, seq))) continue;
            HiddenRow.Write(visible, at, _row);
            Put(_engine.Hidden, Keys.Hidden(conversation, user, seq, key));
            member.Touch(at);
            pending.Changed(member);
            pending.Dirty = true;
        }

        return true;
    }

    /// <inheritdoc cref="IMessageStore.SetAsync"/>
    public bool Set(ConversationId conversation, UserId user, MemberSettings settings, DateTimeOffset at)
    {
        var pending = Load(conversation);
        if (pending is null || FindMember(pending, user) is not { } member) return false;
        var known = _settings.GetValueOrDefault((conversation, user)) ?? Rows.Settings(_engine, conversation, user);
        var now = known.With(settings);
        if (now == known) return true;
        _settings[(conversation, user)] = now;
        Span<byte> key = stackalloc byte[Keys.PairLength];
        SettingsRow.Write(now, _row);
        Put(_engine.Settings, Keys.Pair(conversation.Value, user.Value, key));
        member.Touch(at);
        pending.Changed(member);
        pending.Dirty = true;
        return true;
    }

    /// <summary>An entry whose old bytes have left the files.</summary>
    public void Purged(byte[] key) => _rows.Delete(key, _engine.Purge);

    public void Dispose() => _rows.Dispose();

    /// <summary>Decides what becomes of each entry. May fail; changes nothing.</summary>
    private void Plan(PendingConversation pending, IReadOnlyList<NewEntry> entries)
    {
        _plan.Clear();
        _planned.Clear();
        var next = pending.Row.HeadSeq;
        for (var i = 0; i < entries.Count; i++)
        {
            var entry = entries[i];
            var key = new DedupKey(entry.Sender, entry.ClientMessageId);
            if (FindStored(key) is { } stored)
            {
                var status = stored.ContentHash == entry.ContentHash ? AppendStatus.Duplicate : AppendStatus.Conflict;
                _plan.Add(new(status, stored.Place, i));
                continue;
            }

            if (entries.Count > 1 && !_planned.TryAdd(key, i))
            {
                var first = _plan[_planned[key]];
                var same = entries[first.Index].ContentHash == entry.ContentHash;
                _plan.Add(first with { Status = same ? AppendStatus.Duplicate : AppendStatus.Conflict });
                continue;
            }

            if (entry.Kind == EntryKind.Delete) CheckTarget(pending, entries, entry, next);
            _plan.Add(new(AppendStatus.Appended, new(pending.Row.Shape.Id, ++next), i));
        }
    }

    private void CheckTarget(PendingConversation pending, IReadOnlyList<NewEntry> entries, NewEntry entry, long newest)
    {
        var seq = entry.TargetSeq;
        MessageId? id = null;
        if (seq >= 1 && seq <= pending.Row.HeadSeq)
        {
            id = (pending.Entry(seq) ?? FromLog(new(pending.Row.Shape.Id, seq))).Id;
        }
        else if (seq <= newest)
        {
            foreach (var planned in _plan)
            {
                if (planned.Status == AppendStatus.Appended && planned.Place.Seq == seq) id = entries[planned.Index].Id;
            }
        }

        if (id is null) throw new ArgumentException($"no entry has the seq {seq} that is to be deleted", nameof(entry));
        if (entry.Target is { } target && target != id)
            throw new ArgumentException($"the entry at seq {seq} is not the one that is to be deleted", nameof(entry));
    }

    private AppendOutcome Append(PendingConversation pending, NewEntry add, long seq)
    {
        var row = pending.Row;
        var id = row.Shape.Id;
        var at = add.CreatedAt > row.LastCreatedAt ? add.CreatedAt.ToUniversalTime() : row.LastCreatedAt;
        row.HeadSeq = seq;
        row.LastCreatedAt = at;
        if (add.IsVisible)
        {
            row.HeadVisibleNumber++;
            row.NewestVisibleSeq = seq;
            row.NewestVisibleAt = at;
        }

        var entry = new LogEntry
        {
            Conversation = id,
            Seq = seq,
            Id = add.Id,
            Sender = add.Sender,
            ClientMessageId = add.ClientMessageId,
            Kind = add.Kind,
            Text = add.Text,
            ReplyTo = add.ReplyTo,
            CreatedAt = at,
            TargetSeq = add.TargetSeq,
            Target = add.Target,
            VisibleNumber = row.HeadVisibleNumber,
        };
        pending.Add(entry);
        PutEntry(entry);

        Span<byte> key = stackalloc byte[Keys.DedupMaxLength];
        var dedup = new DedupRow(add.ContentHash, new(id, seq));
        _dedup.Add(new(add.Sender, add.ClientMessageId), dedup);
        dedup.Write(_row);
        Put(_engine.Dedup, Keys.Dedup(add.Sender, add.ClientMessageId, key));
        dedup.Place.Write(_row);
        Put(_engine.Messages, Keys.Of(add.Id.Value, key));

        var lowest = row.Group?.Lowest ?? default;
        Apply(pending, add.Members, seq, at);
        var before = 0L;
        if (FindMember(pending, add.Sender) is { LeftSeq: 0 } sender)
        {
            before = sender.ReadSeq;
            // Who had read everything before reaches with this rise his own entry alone, and the log has its time.
            if (before < seq - 1) PutAdvance(id, sender.User, AdvanceKind.Both, seq, at);
            row.Group?.Rise(sender, seq, seq);
            sender.ReadSeq = sender.DeliveredSeq = seq;
            sender.ReadVisibleNumber = row.HeadVisibleNumber;
            pending.Changed(sender);
        }

        if (add.Kind == EntryKind.Delete) Erase(pending, add.TargetSeq);
        row.Touch(at);
        pending.Dirty = true;
        return new(AppendStatus.Appended, entry, before, Settle(pending, lowest, at));
    }

    /// <summary>Overwrites the content of an entry, and notes that the old bytes have to leave the files too.</summary>
    private void Erase(PendingConversation pending, long seq)
    {
        var id = pending.Row.Shape.Id;
        var entry = pending.Entry(seq) ?? FromLog(new(id, seq));
        if (entry.Deleted) return;
        entry = entry with { Text = default, ReplyTo = null, Deleted = true };
        pending.Replace(entry);
        PutEntry(entry);
        Span<byte> key = stackalloc byte[Keys.LogLength];
        MarkRow.Write(_row);
        Put(_engine.Purge, Keys.Log(id, seq, key));
    }

    private void Add(PendingConversation pending)
    {
        var id = pending.Row.Shape.Id;
        _conversations.Add(id, pending);
        Span<byte> key = stackalloc byte[Keys.PairLength];
        foreach (var member in pending.Row.Members)
        {
            MarkRow.Write(_row);
            Put(_engine.Users, Keys.Pair(member.User.Value, id.Value, key));
        }
    }

    private PendingConversation? Load(ConversationId id)
    {
        if (_conversations.TryGetValue(id, out var pending)) return pending;
        Span<byte> key = stackalloc byte[Keys.Id];
        if (_engine.Get(_engine.Conversations, Keys.Of(id.Value, key)) is not { } row) return null;
        pending = new(ConversationRow.Read(id, row));
        _conversations.Add(id, pending);
        return pending;
    }

    private DedupRow? FindStored(DedupKey of)
    {
        if (_dedup.TryGetValue(of, out var found)) return found;
        Span<byte> key = stackalloc byte[Keys.DedupMaxLength];
        return _engine.Get(_engine.Dedup, Keys.Dedup(of.Sender, of.ClientMessageId, key)) is { } row ? DedupRow.Read(row) : null;
    }

    private LogEntry FromLog(EntryPlace place)
    {
        Span<byte> key = stackalloc byte[Keys.LogLength];
        return _engine.Get(_engine.Log, Keys.Log(place.Conversation, place.Seq, key)) is { } row
            ? LogRow.Read(place.Conversation, place.Seq, row)
            : throw new InvalidDataException($"the log of {place.Conversation} lacks its entry {place.Seq}");
    }

    private void PutEntry(LogEntry entry)
    {
        Span<byte> key = stackalloc byte[Keys.LogLength];
        LogRow.Write(entry, _row);
        Put(_engine.Log, Keys.Log(entry.Conversation, entry.Seq, key));
    }

    private void PutAdvance(ConversationId conversation, UserId user, AdvanceKind kind, long seq, DateTimeOffset at)
    {
        Span<byte> key = stackalloc byte[Keys.AdvanceLength];
        AdvanceRow.Write(at, _row);
        Put(_engine.Advances, Keys.Advance(conversation, user, kind, seq, key));
    }

    private void Put(ColumnFamilyHandle family, ReadOnlySpan<byte> key) => _rows.Put(key, _row.Written, family);

    /// <param name="Status">What becomes of the entry.</param>
    /// <param name="Place">Where it, or the one that holds its client message id, is.</param>
    /// <param name="Index">Which entry of the call that is.</param>
    private readonly record struct Planned(AppendStatus Status, EntryPlace Place, int Index);

    private readonly record struct DedupKey(UserId Sender, string ClientMessageId);
}
