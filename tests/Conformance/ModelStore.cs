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
        UserId user, IReadOnlyList<NewPosition> positions, DateTimeOffset at, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(positions);
        Check(positions.Count is >= 1 and <= 500 && positions.DistinctBy(p => p.Conversation).Count() == positions.Count);
        lock (_lock)
        {
            return Task.FromResult<IReadOnlyList<AdvanceOutcome>>(
                [.. positions.Select(p => Raise(p.Conversation, user, p.DeliveredSeq, p.ReadSeq, 0, at))]);
        }
    }

    public ValueTask<MemberState?> GetMemberAsync(ConversationId conversation, UserId user, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            return new(Find(conversation, user)?.State);
        }
    }

    public ValueTask<ReceiptTimes> GetReceiptTimesAsync(
        ConversationId conversation, UserId user, long seq, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            var rises = Find(conversation, user)?.Rises ?? [];
            return new(new ReceiptTimes(
                rises.Where(r => r.Delivered >= seq).Select(r => (DateTimeOffset?)r.At).FirstOrDefault(),
                rises.Where(r => r.Read >= seq).Select(r => (DateTimeOffset?)r.At).FirstOrDefault()));
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

    public Task<bool> HideAsync(
        ConversationId conversation, UserId user, IReadOnlyList<long> seqs, DateTimeOffset at, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (Find(conversation, user) is not { } member || seqs.Any(s => s > _conversations[conversation].Log.Count))
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

    public Task<AdvanceOutcome> ClearAsync(
        ConversationId conversation, UserId user, long seq, DateTimeOffset at, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            return Task.FromResult(Raise(conversation, user, 0, seq, seq, at));
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

        foreach (var member in chat.Members.Values) member.Touch(at);
        var before = Find(shape.Id, entry.Sender)?.State.ReadSeq ?? 0;
        Raise(shape.Id, entry.Sender, stored.Seq, stored.Seq, 0, at);
        return new(AppendStatus.Appended, stored, before);
    }

    private AdvanceOutcome Raise(ConversationId id, UserId user, long delivered, long read, long cleared, DateTimeOffset at)
    {
        if (Find(id, user) is not { } member) return new(AdvanceStatus.NotFound, null, false, 0);
        var chat = _conversations[id];
        var head = chat.Log.Count;
        var old = member.State;
        if (delivered > head || read > head) return new(AdvanceStatus.BeyondHead, old, false, head);
        member.State = new(
            old.JoinSeq,
            Math.Max(old.DeliveredSeq, Math.Max(delivered, read)),
            Math.Max(old.ReadSeq, read),
            Math.Max(old.ClearedSeq, cleared));
        if (member.State == old) return new(AdvanceStatus.Held, old, false, head);
        member.Rises.Add((member.State.DeliveredSeq, member.State.ReadSeq, at));
        member.Touch(at);
        if (member.State.DeliveredSeq > old.DeliveredSeq || member.State.ReadSeq > old.ReadSeq)
        {
            foreach (var other in chat.Members.Values) other.Touch(at);
        }

        return new(AdvanceStatus.Moved, member.State, member.State.ReadSeq > old.ReadSeq, head);
    }

    private Member? Find(ConversationId id, UserId user) => _conversations.GetValueOrDefault(id)?.Members.GetValueOrDefault(user);

    private static ConversationView View(Conversation chat, UserId user)
    {
        var member = chat.Members[user];
        var others = chat.Members.Count == 1 ? [member] : chat.Members.Where(m => m.Key != user).Select(m => m.Value).ToArray();
        var newest = chat.Log.LastOrDefault(e => e.Kind == EntryKind.Text);
        var shown = newest is { Deleted: false } && newest.Seq > member.State.ClearedSeq && !member.Hidden.Contains(newest.Seq);
        return new()
        {
            Shape = chat.Shape,
            HeadSeq = chat.Log.Count,
            Member = member.State,
            UnreadCount = chat.Log.Count(e => e.Kind == EntryKind.Text && e.Sender != user && e.Seq > member.State.ReadSeq
                && !member.Hidden.Contains(e.Seq)),
            Preview = shown ? Start(Encoding.UTF8.GetString(newest!.Text.Span)) : null,
            LastMessageAt = (newest ?? chat.Log[^1]).CreatedAt,
            OthersDeliveredSeq = others.Min(m => m.State.DeliveredSeq),
            OthersReadSeq = others.Min(m => m.State.ReadSeq),
            ChangedAt = member.ChangedAt,
        };
    }

    private static string Start(string text) =>
        text.Length <= Limits.PreviewLength ? text
        : text[..(char.IsHighSurrogate(text[Limits.PreviewLength - 1]) ? Limits.PreviewLength - 1 : Limits.PreviewLength)];

    private sealed class Conversation(ConversationShape shape)
    {
        public ConversationShape Shape => shape;
        public List<LogEntry> Log { get; } = [];
        public Dictionary<UserId, Member> Members { get; } = shape.Members.ToDictionary(m => m, _ => new Member());
    }

    private sealed class Member
    {
        public MemberState State { get; set; } = new(0, 0, 0, 0);
        public SortedSet<long> Hidden { get; } = [];
        public List<(long Delivered, long Read, DateTimeOffset At)> Rises { get; } = [];
        public DateTimeOffset ChangedAt { get; private set; }

        public void Touch(DateTimeOffset at) => ChangedAt = at > ChangedAt ? at : ChangedAt;
    }
}
