using WhatsAspire.Contracts;
using Slot = WhatsAspire.MessageApi.Storage.Cassandra.PendingAppend.Slot;

namespace WhatsAspire.MessageApi.Storage.Cassandra;

/// <summary>The entries that go into one conditional batch, and the head after them: as many as fit into one bucket and
/// one batch. One whose client message id an earlier one of them has stays open; the log answers it afterwards.</summary>
internal sealed class AppendPlan
{
    private readonly List<Slot> _slots = [];
    private readonly List<PlannedEntry> _entries = [];
    private readonly List<(UserId User, SentPosition Position)> _dropped = [];
    private readonly List<long> _targetsElsewhere = [];
    private readonly HashSet<long> _targetsHere = [];
    private readonly Standings _standings;

    /// <summary>Plans entries upon a head.</summary>
    /// <param name="head">The head.</param>
    /// <param name="shape">The conversation.</param>
    /// <param name="standings">How far the senders are, and who is named by a change of members.</param>
    /// <param name="open">What is to be appended.</param>
    /// <param name="mostEntries">At most so many.</param>
    /// <param name="mostBytes">Text of at most so many bytes, or one entry.</param>
    public AppendPlan(Head head, ConversationShape shape, Standings standings, IReadOnlyList<Slot> open, int mostEntries, int mostBytes)
    {
        (Shape, Head, Before, _standings) = (shape, head, standings.Copy(), standings);
        var keys = new HashSet<(UserId, string)>();
        var (bytes, end) = (0, Buckets.End(Buckets.Of(head.Seq + 1)));
        foreach (var slot in open)
        {
            var add = slot.Entry;
            if (!keys.Add((add.Sender, add.ClientMessageId))) continue;
            bytes += add.Text.Length;
            if (_entries.Count == mostEntries || Head.Seq == end || (bytes > mostBytes && _entries.Count > 0)) break;
            // His own row would have to say where the one is whose place he takes, before that is true.
            if (Head.Senders.NextToGo(add.Sender) is { } next && next.Seq > head.Seq) break;
            Add(slot, Buckets.Of(end));
        }
    }

    public ConversationShape Shape { get; }

    /// <summary>After the entries.</summary>
    public Head Head { get; private set; }

    /// <summary>Before the entries.</summary>
    public Standings Before { get; }

    /// <summary>What is asked for, in the same order as <see cref="Entries"/>.</summary>
    public IReadOnlyList<Slot> Slots => _slots;

    public IReadOnlyList<PlannedEntry> Entries => _entries;

    /// <summary>Whose newest entry is not told beside the head any more.</summary>
    public IReadOnlyList<(UserId User, SentPosition Position)> Dropped => _dropped;

    /// <summary>Entries in older buckets that lose their content.</summary>
    public IReadOnlyList<long> TargetsElsewhere => _targetsElsewhere;

    /// <summary>Entries in the same bucket that lose their content, some of this batch perhaps.</summary>
    public IReadOnlyCollection<long> TargetsHere => _targetsHere;

    /// <summary>Who comes and who goes.</summary>
    public IReadOnlyList<AppendedChanges> Changes => [.. _entries.Select(e => e.Changes).OfType<AppendedChanges>()];

    /// <summary>What the callers are told.</summary>
    public AppendOutcome[] Outcomes() =>
        [.. _entries.Select(e => new AppendOutcome(AppendStatus.Appended, e.Entry, e.SenderBefore?.ReadSeq ?? 0))];

    private void Add(Slot slot, long bucket)
    {
        var (add, seq) = (slot.Entry, Head.Seq + 1);
        var at = add.CreatedAt > Head.At ? add.CreatedAt : Head.At;
        var visible = add.IsVisible ? Head.Visible + 1 : Head.Visible;
        var effective = _standings.Apply(add.Members, seq);
        var changes = effective.Count == 0 ? null : new AppendedChanges(seq, visible, at, Head.ChangesSeq, effective);
        var before = _standings.Raise(add.Sender, seq);
        var senders = Head.Senders;
        if (before is not null)
        {
            senders = senders.With(add.Sender, new(seq, visible), out var dropped);
            if (dropped is { } one) _dropped.Add(one);
        }

        Head = new(
            seq, visible, at, add.IsVisible ? seq : Head.NewestVisible, add.IsVisible ? at : Head.NewestVisibleAt, senders,
            changes is null ? Head.ChangesSeq : seq);
        _slots.Add(slot);
        var entry = new LogEntry
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
        };
        _entries.Add(new(entry, changes, before));
        if (add.Kind != EntryKind.Delete) return;
        if (Buckets.Of(add.TargetSeq) == bucket) _targetsHere.Add(add.TargetSeq);
        else _targetsElsewhere.Add(add.TargetSeq);
    }
}

/// <param name="Entry">As it will be stored.</param>
/// <param name="Changes">Who comes and who goes with it; null when nobody does.</param>
/// <param name="SenderBefore">How far its sender was before, after the changes; null when he is not a member.</param>
internal sealed record PlannedEntry(LogEntry Entry, AppendedChanges? Changes, Standing? SenderBefore);
