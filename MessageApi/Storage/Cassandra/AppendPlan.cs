using WhatsAspire.Contracts;
using Slot = WhatsAspire.MessageApi.Storage.Cassandra.PendingAppend.Slot;

namespace WhatsAspire.MessageApi.Storage.Cassandra;

/// <summary>The entries that go into one conditional batch, and the head after them: as many as fit into one bucket and
/// one batch. One whose client message id an earlier one of them has stays open; the log answers it afterwards.</summary>
internal sealed class AppendPlan
{
    private readonly List<Slot> _slots = [];
    private readonly List<LogEntry> _entries = [];
    private readonly List<(UserId User, SentPosition Position)> _dropped = [];
    private readonly List<long> _targetsElsewhere = [];
    private readonly HashSet<long> _targetsHere = [];

    public AppendPlan(Head head, ConversationShape shape, IReadOnlyList<Slot> open, int mostEntries, int mostBytes)
    {
        (Shape, Head) = (shape, head);
        var keys = new HashSet<(UserId, string)>();
        var (bytes, end) = (0, Buckets.End(Buckets.Of(head.Seq + 1)));
        foreach (var slot in open)
        {
            var add = slot.Entry;
            if (!keys.Add((add.Sender, add.ClientMessageId))) continue;
            bytes += add.Text.Length;
            if (_entries.Count == mostEntries || Head.Seq == end || (bytes > mostBytes && _entries.Count > 0)) break;
            Add(slot, Buckets.Of(end));
        }
    }

    public ConversationShape Shape { get; }

    /// <summary>After the entries.</summary>
    public Head Head { get; private set; }

    /// <summary>What is asked for, in the same order as <see cref="Entries"/>.</summary>
    public IReadOnlyList<Slot> Slots => _slots;

    public IReadOnlyList<LogEntry> Entries => _entries;

    /// <summary>Whose newest entry is not told beside the head any more.</summary>
    public IReadOnlyList<(UserId User, SentPosition Position)> Dropped => _dropped;

    /// <summary>Entries in older buckets that lose their content.</summary>
    public IReadOnlyList<long> TargetsElsewhere => _targetsElsewhere;

    /// <summary>Entries in the same bucket that lose their content, some of this batch perhaps.</summary>
    public IReadOnlyCollection<long> TargetsHere => _targetsHere;

    /// <summary>What the callers are told.</summary>
    /// <param name="readBefore">The read positions of the members among the senders.</param>
    public IReadOnlyList<AppendOutcome> Outcomes(IReadOnlyDictionary<UserId, long> readBefore)
    {
        var read = new Dictionary<UserId, long>(readBefore);
        var outcomes = new List<AppendOutcome>(_entries.Count);
        foreach (var entry in _entries)
        {
            outcomes.Add(new(AppendStatus.Appended, entry, read.GetValueOrDefault(entry.Sender)));
            if (read.ContainsKey(entry.Sender)) read[entry.Sender] = entry.Seq;
        }

        return outcomes;
    }

    private void Add(Slot slot, long bucket)
    {
        var (add, seq) = (slot.Entry, Head.Seq + 1);
        var at = add.CreatedAt > Head.At ? add.CreatedAt : Head.At;
        var visible = add.IsVisible ? Head.Visible + 1 : Head.Visible;
        var senders = Head.Senders;
        if (Shape.Members.Contains(add.Sender))
        {
            senders = senders.With(add.Sender, new(seq, visible), out var dropped);
            if (dropped is { } one) _dropped.Add(one);
        }

        Head = new(seq, visible, at, add.IsVisible ? seq : Head.NewestVisible, add.IsVisible ? at : Head.NewestVisibleAt, senders);
        _slots.Add(slot);
        _entries.Add(new()
        {
            Conversation = Shape.Id,
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
            VisibleNumber = visible,
        });
        if (add.Kind != EntryKind.Delete) return;
        if (Buckets.Of(add.TargetSeq) == bucket) _targetsHere.Add(add.TargetSeq);
        else _targetsElsewhere.Add(add.TargetSeq);
    }
}
