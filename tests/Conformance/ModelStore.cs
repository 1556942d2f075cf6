using System.Text;
using WhatsAspire.Contracts;
using WhatsAspire.MessageApi.Storage;

namespace WhatsAspire.Conformance;

/// <summary>The meaning of <see cref="IMessageStore"/> in the plainest code: lists in memory, everything computed from
/// them anew. It is what the random sequences are compared with, and knows nothing of durability.</summary>
public sealed class ModelStore : IMessageStore
{
    private readonly Lock _lock = new();
    private readonly Dictionary<ConversationId, Conversation> _conversations = [];
    private readonly Dictionary<(UserId, string), (ulong Hash, ConversationId Conversation, long Seq)> _keys = [];

    public Task<IReadOnlyList<AppendOutcome>> AppendAsync(
        ConversationShape conversation, IReadOnlyList<NewEntry> entries, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(conversation);
        ArgumentNullException.ThrowIfNull(entries);
        cancellationToken.ThrowIfCancellationRequested();
        Check(entries.Count is >= 1 and <= 256);
        Check(conversation.Kind != ConversationKind.Group || (conversation.Members.Count == 0 && !conversation.Id.IsDirect));
        foreach (var entry in entries)
            Check(entry.Members.Count == 0 || (conversation.Kind == ConversationKind.Group && entry.Kind == EntryKind.System
                && entry.Members.Count <= 1_000 && entry.Members.DistinctBy(change => change.User).Count() == entry.Members.Count));
        lock (_lock)
        {
            CheckTargets(conversation, entries);
            return Task.FromResult<IReadOnlyList<AppendOutcome>>([.. entries.Select(e => Append(conversation, e))]);
        }
    }

    public ValueTask<AppendOutcome?> FindSentAsync(
        UserId sender, string clientMessageId, ulong contentHash, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            return new(Known(sender, clientMessageId, contentHash));
        }
    }

    public ValueTask<ConversationState?> GetConversationAsync(ConversationId conversation, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            return new(_conversations.GetValueOrDefault(conversation) is { } c
                ? new ConversationState(c.Shape, c.Log.Count, c.Log[^1].VisibleNumber, c.Log[^1].CreatedAt)
                : null);
        }
    }

    public ValueTask<IReadOnlyList<LogEntry>> ReadAsync(
        ConversationId conversation, long after, long before, int limit, bool newestFirst, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        Check(limit is >= 1 and <= 1_000);
        lock (_lock)
        {
            var log = _conversations.GetValueOrDefault(conversation)?.Log ?? [];
            var found = log.Where(e => e.Seq > after && e.Seq < before);
            return new([.. (newestFirst ? found.Reverse() : found).Take(limit)]);
        }
    }

    public ValueTask<LogEntry?> FindAsync(MessageId message, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            return new(_conversations.Values.SelectMany(c => c.Log).SingleOrDefault(e => e.Id == message));
        }
    }

    public Task<IReadOnlyList<AdvanceOutcome>> AdvanceAsync(
        IReadOnlyList<MemberPosition> positions, DateTimeOffset at, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(positions);
        Check(positions.Count is >= 1 and <= 1_000 && positions.DistinctBy(p => (p.User, p.Conversation)).Count() == positions.Count);
        lock (_lock)
        {
            var lowest = positions.Select(p => p.Conversation).Distinct().ToDictionary(id => id, LowestOf);
            AdvanceOutcome[] outcomes = [.. positions.Select(p => Raise(p.Conversation, p.User, p.DeliveredSeq, p.ReadSeq, 0, at))];
            foreach (var (id, before) in lowest)
            {
                var last = Enumerable.Range(0, outcomes.Length)
                    .LastOrDefault(i => positions[i].Conversation == id && outcomes[i].Status == AdvanceStatus.Moved, -1);
                if (last >= 0) outcomes[last] = outcomes[last] with { Lowest = RiseOf(id, before, at) };
            }

            return Task.FromResult<IReadOnlyList<AdvanceOutcome>>(outcomes);
        }
    }

    public ValueTask<MemberState?> GetMemberAsync(ConversationId conversation, UserId user, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            return new(Find(conversation, user)?.State);
        }
    }

    public ValueTask<IReadOnlyList<MemberState?>> GetMembersAsync(
        ConversationId conversation, IReadOnlyList<UserId> users, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            return new([.. users.Select(user => Find(conversation, user)?.State)]);
        }
    }

    public ValueTask<ReceiptTimes> GetReceiptTimesAsync(
        ConversationId conversation, UserId user, long seq, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            return new(Times(Find(conversation, user), seq));
        }
    }

    public ValueTask<IReadOnlyList<MemberReceipt>> GetReceiptsAsync(
        ConversationId conversation, long seq, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (_conversations.GetValueOrDefault(conversation) is not { } chat || seq > chat.Log.Count) return new([]);
            return new([.. chat.Members
                .Where(m => m.Key != chat.Log[(int)seq - 1].Sender && m.Value.State.WasIn(seq)
                    && (m.Value.State.LeftSeq == 0 || m.Value.State.DeliveredSeq >= seq))
                .OrderBy(m => m.Key)
                .Select(m => new MemberReceipt(m.Key, m.Value.State.LeftSeq == 0, Times(m.Value, seq)))]);
        }
    }

    public ValueTask<IReadOnlyList<ConversationView>> ListConversationsAsync(
        UserId user, DateTimeOffset since, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            return new([.. _conversations.Values.Where(c => c.Members.ContainsKey(user)).Select(c => View(c, user))
                .Where(v => v.ChangedAt >= since)
                .OrderByDescending(v => v.LastMessageAt).ThenBy(v => v.Shape.Id.ToString(), StringComparer.Ordinal)]);
        }
    }

    public ValueTask<ConversationView?> GetViewAsync(ConversationId conversation, UserId user, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            return new(Find(conversation, user) is null ? null : View(_conversations[conversation], user));
        }
    }

    public ValueTask<IReadOnlyList<ConversationView?>> GetViewsAsync(
        ConversationId conversation, IReadOnlyList<UserId> users, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            return new([.. users.Select(user => Find(conversation, user) is null ? null : View(_conversations[conversation], user))]);
        }
    }

    public Task<bool> HideAsync(
        ConversationId conversation, UserId user, IReadOnlyList<long> seqs, DateTimeOffset at, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (Find(conversation, user) is not { } member || seqs.Any(s => s > HeadOf(_conversations[conversation], member)))
                return Task.FromResult(false);
            foreach (var seq in seqs)
            {
                if (member.Hidden.Add(seq)) member.Touch(at);
            }

            return Task.FromResult(true);
        }
    }

    public ValueTask<IReadOnlyList<long>> ReadHiddenAsync(
        ConversationId conversation, UserId user, long after, long before, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            return new([.. (Find(conversation, user)?.Hidden ?? []).Where(s => s > after && s < before)]);
        }
    }

    public Task<bool> SetAsync(
        ConversationId conversation, UserId user, MemberSettings settings, DateTimeOffset at, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (Find(conversation, user) is not { } member) return Task.FromResult(false);
            var now = member.Settings.With(settings);
            if (now != member.Settings) member.Touch(at);
            member.Settings = now;
            return Task.FromResult(true);
        }
    }

    public Task<AdvanceOutcome> ClearAsync(
        ConversationId conversation, UserId user, long seq, DateTimeOffset at, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            var before = LowestOf(conversation);
            var outcome = Raise(conversation, user, 0, seq, seq, at);
            return Task.FromResult(outcome.Status == AdvanceStatus.Moved ? outcome with { Lowest = RiseOf(conversation, before, at) } : outcome);
        }
    }

    private static void Check(bool allowed)
    {
        if (!allowed) throw new ArgumentException("out of what the port allows");
    }

    private void CheckTargets(ConversationShape shape, IReadOnlyList<NewEntry> entries)
    {
        var ids = (_conversations.GetValueOrDefault(shape.Id)?.Log ?? []).Select(e => e.Id).ToList();
        var keys = new HashSet<(UserId, string)>();
        foreach (var entry in entries)
        {
            var key = (entry.Sender, entry.ClientMessageId);
            if (_keys.ContainsKey(key) || !keys.Add(key)) continue;
            if (entry.Kind == EntryKind.Delete)
                Check(entry.TargetSeq >= 1 && entry.TargetSeq <= ids.Count && (entry.Target ?? ids[(int)entry.TargetSeq - 1]) == ids[(int)entry.TargetSeq - 1]);
            ids.Add(entry.Id);
        }
    }

    private AppendOutcome? Known(UserId sender, string clientMessageId, ulong contentHash) =>
        _keys.TryGetValue((sender, clientMessageId), out var known)
            ? new(known.Hash == contentHash ? AppendStatus.Duplicate : AppendStatus.Conflict,
                _conversations[known.Conversation].Log[(int)known.Seq - 1], Find(known.Conversation, sender)?.State.ReadSeq ?? 0)
            : null;

    private AppendOutcome Append(ConversationShape shape, NewEntry entry)
    {
        if (Known(entry.Sender, entry.ClientMessageId, entry.ContentHash) is { } known) return known;
        if (!_conversations.TryGetValue(shape.Id, out var chat)) _conversations.Add(shape.Id, chat = new(shape));
        var last = chat.Log.LastOrDefault();
        var at = last is null || entry.CreatedAt > last.CreatedAt ? entry.CreatedAt : last.CreatedAt;
        var stored = new LogEntry
        {
            Conversation = shape.Id,
            Seq = chat.Log.Count + 1,
            Id = entry.Id,
            Sender = entry.Sender,
            ClientMessageId = entry.ClientMessageId,
            Kind = entry.Kind,
            Text = entry.Text,
            ReplyTo = entry.ReplyTo,
            CreatedAt = at,
            TargetSeq = entry.TargetSeq,
            Target = entry.Target,
            VisibleNumber = (last?.VisibleNumber ?? 0) + (entry.IsVisible ? 1 : 0),
        };
        chat.Log.Add(stored);
        _keys.Add((entry.Sender, entry.ClientMessageId), (entry.ContentHash, shape.Id, stored.Seq));
        if (entry.Kind == EntryKind.Delete)
        {
            var target = (int)entry.TargetSeq - 1;
            chat.Log[target] = chat.Log[target] with { Text = default, ReplyTo = null, Deleted = true };
        }

        var lowest = LowestOf(shape.Id);
        foreach (var change in entry.Members) Apply(chat, change, stored.Seq, at);
        foreach (var member in chat.Members.Values)
            if (member.State.LeftSeq == 0) member.Touch(at);
        var sender = Find(shape.Id, entry.Sender) is { State.LeftSeq: 0 } found ? found : null;
        var before = sender?.State.ReadSeq ?? 0;
        if (sender is not null) Raise(shape.Id, entry.Sender, stored.Seq, stored.Seq, 0, at);
        return new(AppendStatus.Appended, stored, before, RiseOf(shape.Id, lowest, at));
    }

    private static void Apply(Conversation chat, MemberChange change, long seq, DateTimeOffset at)
    {
        var known = chat.Members.GetValueOrDefault(change.User);
        if (change.IsMember == (known?.State.LeftSeq == 0)) return;
        if (!change.IsMember)
        {
            if (known is null) return;
            known.State = known.State with { LeftSeq = seq };
            known.Touch(at);
            return;
        }

        if (known is null) chat.Members.Add(change.User, known = new Member());
        known.State = new(seq - 1, seq - 1, seq - 1, Math.Min(known.State.ClearedSeq, seq - 1)) { SeesAfter = change.SeesHistory ? 0 : seq - 1 };
        known.Rises.Clear();
    }

    /// <summary>The lowest positions of all who are in a group; 0 where nobody is.</summary>
    private (long Delivered, long Read) LowestOf(ConversationId id)
    {
        var members = (_conversations.GetValueOrDefault(id)?.Members.Values.Where(m => m.State.LeftSeq == 0) ?? []).ToArray();
        return members.Length == 0 ? (0, 0) : (members.Min(m => m.State.DeliveredSeq), members.Min(m => m.State.ReadSeq));
    }

    private LowestRise? RiseOf(ConversationId id, (long Delivered, long Read) before, DateTimeOffset at)
    {
        if (_conversations.GetValueOrDefault(id) is not { Shape.Kind: ConversationKind.Group } chat) return null;
        var (delivered, read) = LowestOf(id);
        if (delivered <= before.Delivered && read <= before.Read) return null;
        chat.LowestAt = at > chat.LowestAt ? at : chat.LowestAt;
        return new(before.Delivered, before.Read, delivered, read);
    }

    private static ReceiptTimes Times(Member? member, long seq)
    {
        if (member?.State.WasIn(seq) is not true) return new(null, null);
        return new(
            member.Rises.Where(r => r.Delivered >= seq).Select(r => (DateTimeOffset?)r.At).FirstOrDefault(),
            member.Rises.Where(r => r.Read >= seq).Select(r => (DateTimeOffset?)r.At).FirstOrDefault());
    }

    /// <summary>The newest entry that the member may see.</summary>
    private static long HeadOf(Conversation chat, Member member) => member.State.LeftSeq > 0 ? member.State.LeftSeq : chat.Log.Count;

    private AdvanceOutcome Raise(ConversationId id, UserId user, long delivered, long read, long cleared, DateTimeOffset at)
    {
        if (Find(id, user) is not { } member) return new(AdvanceStatus.NotFound, null, false, 0);
        var chat = _conversations[id];
        var head = HeadOf(chat, member);
        var old = member.State;
        if (delivered > head || read > head) return new(AdvanceStatus.BeyondHead, old, false, head);
        member.State = old with
        {
            DeliveredSeq = Math.Max(old.DeliveredSeq, Math.Max(delivered, read)),
            ReadSeq = Math.Max(old.ReadSeq, read),
            ClearedSeq = Math.Max(old.ClearedSeq, cleared),
        };
        if (member.State == old) return new(AdvanceStatus.Held, old, false, head);
        member.Rises.Add((member.State.DeliveredSeq, member.State.ReadSeq, at));
        member.Touch(at);
        if (chat.Shape.Kind == ConversationKind.Direct
            && (member.State.DeliveredSeq > old.DeliveredSeq || member.State.ReadSeq > old.ReadSeq))
        {
            foreach (var other in chat.Members.Values) other.Touch(at);
        }

        return new(AdvanceStatus.Moved, member.State, member.State.ReadSeq > old.ReadSeq, head);
    }

    private Member? Find(ConversationId id, UserId user) => _conversations.GetValueOrDefault(id)?.Members.GetValueOrDefault(user);

    private ConversationView View(Conversation chat, UserId user)
    {
        var member = chat.Members[user];
        var state = member.State;
        var head = HeadOf(chat, member);
        var seen = chat.Log.Where(e => state.Sees(e.Seq)).ToArray();
        var newest = state.LeftSeq > 0 ? null : seen.LastOrDefault(e => e.Kind == EntryKind.Text);
        var shown = newest is { Deleted: false } && newest.Seq > state.ClearedSeq && !member.Hidden.Contains(newest.Seq);
        var (othersDelivered, othersRead) = Others(chat, user, head);
        return new()
        {
            Shape = chat.Shape,
            HeadSeq = head,
            Member = state,
            Settings = member.Settings,
            UnreadCount = seen.Count(e => e.Kind == EntryKind.Text && e.Sender != user && e.Seq > state.ReadSeq && !member.Hidden.Contains(e.Seq)),
            Preview = shown ? Start(Encoding.UTF8.GetString(newest!.Text.Span)) : null,
            LastMessageAt = (newest ?? seen[^1]).CreatedAt,
            OthersDeliveredSeq = othersDelivered,
            OthersReadSeq = othersRead,
            ChangedAt = chat.Shape.Kind == ConversationKind.Group && chat.LowestAt > member.ChangedAt ? chat.LowestAt : member.ChangedAt,
        };
    }

    private (long Delivered, long Read) Others(Conversation chat, UserId user, long head)
    {
        if (chat.Shape.Kind == ConversationKind.Group)
        {
            var (delivered, read) = LowestOf(chat.Shape.Id);
            return (Math.Min(delivered, head), Math.Min(read, head));
        }

        var others = chat.Members.Count == 1 ? chat.Members.Values : chat.Members.Where(m => m.Key != user).Select(m => m.Value);
        return (others.Min(m => m.State.DeliveredSeq), others.Min(m => m.State.ReadSeq));
    }

    private static string Start(string text) =>
        text.Length <= Limits.PreviewLength ? text
        : text[..(char.IsHighSurrogate(text[Limits.PreviewLength - 1]) ? Limits.PreviewLength - 1 : Limits.PreviewLength)];

    private sealed class Conversation(ConversationShape shape)
    {
        public ConversationShape Shape => shape;
        public List<LogEntry> Log { get; } = [];

        /// <summary>When the lowest positions of a group last rose.</summary>
        public DateTimeOffset LowestAt { get; set; }

        public Dictionary<UserId, Member> Members { get; } = shape.Members.ToDictionary(m => m, _ => new Member());
    }

    private sealed class Member
    {
        public MemberState State { get; set; } = new(0, 0, 0, 0);
        public MemberSettings Settings { get; set; } = new();
        public SortedSet<long> Hidden { get; } = [];
        public List<(long Delivered, long Read, DateTimeOffset At)> Rises { get; } = [];
        public DateTimeOffset ChangedAt { get; private set; }

        public void Touch(DateTimeOffset at) => ChangedAt = at > ChangedAt ? at : ChangedAt;
    }
}
