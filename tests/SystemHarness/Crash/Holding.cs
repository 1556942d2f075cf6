namespace WhatsAspire.SystemHarness.Crash;

/// <summary>One entry as a device was given it.</summary>
internal readonly record struct Held(string ClientMessageId, string MessageId);

/// <summary>What one device holds of one conversation, and what it was told about it. Whatever contradicts something
/// earlier is a fault. Not safe for concurrent use.</summary>
internal sealed class Holding(string conversation, string device, Ledger ledger)
{
    private readonly Dictionary<long, Held> _entries = [];
    private readonly Dictionary<string, long> _seqs = [];

    // The greatest positions that were ever shown to this device, and those before the connection that lives now.
    private Positions _seen;
    private Positions _before;

    // What came last on this connection, in each of the streams that may never fall.
    private long _lastLive;
    private Others _lastReceipt = new(0, 0);
    private Positions? _summarized;

    private readonly record struct Positions(long Head, long Delivered, long Read, long OthersDelivered, long OthersRead);

    /// <summary>By seq.</summary>
    public IReadOnlyDictionary<long, Held> Entries => _entries;

    /// <summary>Everything up to here is held.</summary>
    public long Complete { get; private set; }

    /// <summary>The greatest seq that the device knows of.</summary>
    public long Known { get; private set; }

    /// <summary>What the others have, as far as this device was told.</summary>
    public Others Others => new(_seen.OthersDelivered, _seen.OthersRead);

    /// <summary>The user's read position as far as the server confirmed it to this device.</summary>
    public long ConfirmedRead { get; private set; }

    /// <summary>The position that was acked on this connection.</summary>
    public long Acked { get; set; }

    /// <summary>A gap was there at the last look already.</summary>
    public bool IsGapOld { get; set; }

    /// <summary>When a pull that is not yet answered was sent; 0 for none.</summary>
    public long PullSentAt { get; set; }

    /// <summary>The connection is over: the next one begins with what was seen up to now.</summary>
    public void Disconnected()
    {
        _before = _seen;
        _lastLive = 0;
        _lastReceipt = new(0, 0);
        _summarized = null;
        Acked = PullSentAt = 0;
    }

    /// <summary>A <c>message</c> frame.</summary>
    public void Live(Frame message)
    {
        if (message.Seq <= _lastLive)
            ledger.Fault($"{device}: seq {message.Seq} came live after {_lastLive} on one connection in {conversation}");
        _lastLive = message.Seq;
        Hold(message);
    }

    /// <summary>An entry, however it came.</summary>
    public void Hold(Frame entry)
    {
        var held = new Held(entry.ClientMessageId!, entry.MessageId!);
        if (!_entries.TryAdd(entry.Seq, held))
        {
            if (_entries[entry.Seq] != held)
                ledger.Fault($"{device}: seq {entry.Seq} of {conversation} was {_entries[entry.Seq]} and is now {held}");
            return;
        }

        if (!_seqs.TryAdd(held.ClientMessageId, entry.Seq))
            ledger.Fault($"{device}: {held.ClientMessageId} is in {conversation} twice, at {_seqs[held.ClientMessageId]} and at {entry.Seq}");
        if (!entry.IsText)
            ledger.CountSystem();
        else if (!ledger.Meant.TryGetValue(held.ClientMessageId, out var meant))
            ledger.Fault($"{device}: {held.ClientMessageId} came, which nobody has sent");
        else if (entry.Text is not null && meant.Text != entry.Text)
            ledger.Fault($"{device}: {held.ClientMessageId} came with another text");
        Known = Math.Max(Known, entry.Seq);
        _seen = Greatest(_seen, new(entry.Seq, 0, 0, 0, 0));
        while (_entries.ContainsKey(Complete + 1)) Complete++;
    }

    /// <summary>A <c>conversation</c> frame.</summary>
    public void Summary(Frame summary)
    {
        Known = Math.Max(Known, summary.HeadSeq);
        var positions = new Positions(
            summary.HeadSeq, summary.DeliveredSeq, summary.ReadSeq, summary.Others!.DeliveredSeq, summary.Others.ReadSeq);
        _summarized = Greatest(_summarized ?? default, positions);
        _seen = Greatest(_seen, positions);
    }

    /// <summary>The summaries of a new connection are complete. They were read from what is durable after everything
    /// that an earlier connection was shown: nothing of that may have fallen.</summary>
    public void Synced()
    {
        if (_summarized is { } now && now != Greatest(now, _before))
            ledger.Fault($"{device}: positions of {conversation} fell over a reconnect, from {_before} to {now}");
    }

    /// <summary>A <c>receipt</c> frame.</summary>
    public void Receipt(Frame receipt)
    {
        ledger.CountReceipt();
        if (receipt.DeliveredSeq < _lastReceipt.DeliveredSeq || receipt.ReadSeq < _lastReceipt.ReadSeq)
            ledger.Fault($"{device}: a tick of {conversation} fell on one connection, from {_lastReceipt} to ({receipt.DeliveredSeq}, {receipt.ReadSeq})");
        if (receipt.ReadSeq > receipt.DeliveredSeq)
            ledger.Fault($"{device}: a receipt of {conversation} has read {receipt.ReadSeq} beyond delivered {receipt.DeliveredSeq}");
        _lastReceipt = new(receipt.DeliveredSeq, receipt.ReadSeq);
        _seen = Greatest(_seen, new(0, 0, 0, receipt.DeliveredSeq, receipt.ReadSeq));
    }

    /// <summary>The answer to a <c>read</c>.</summary>
    public void ReadConfirmed(long asked, long answered)
    {
        if (answered < asked) ledger.Fault($"{device}: read {asked} of {conversation} was answered with {answered}");
        ConfirmedRead = Math.Max(ConfirmedRead, answered);
    }

    private static Positions Greatest(Positions a, Positions b) => new(
        Math.Max(a.Head, b.Head), Math.Max(a.Delivered, b.Delivered), Math.Max(a.Read, b.Read),
        Math.Max(a.OthersDelivered, b.OthersDelivered), Math.Max(a.OthersRead, b.OthersRead));
}
