using System.Diagnostics;
using System.Globalization;

namespace WhatsAspire.SystemHarness.Crash;

/// <content>What the device does with what comes, and by itself. All of it under the gate.</content>
internal sealed partial class CrashClient
{
    private static readonly TimeSpan PullTimeout = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan ReadTimeout = TimeSpan.FromSeconds(12);

    // How far the user wants each conversation read, and when that was last asked for.
    private readonly Dictionary<string, long> _reads = [];
    private readonly Dictionary<string, long> _readsAsked = [];
    private readonly Dictionary<string, double> _due = [];

    private void Take(Frame frame)
    {
        switch (frame.Type)
        {
            case "conversation":
                Of(frame.ConversationId!).Summary(frame);
                if (frame.Ref is not null)
                {
                    Of(frame.ConversationId!).ReadConfirmed(long.Parse(frame.Ref, CultureInfo.InvariantCulture), frame.ReadSeq);
                    _readsAsked.Remove(frame.ConversationId!);
                }

                break;
            case "synced":
                _cursor = frame.Cursor;
                _isSynced = true;
                foreach (var holding in _holdings.Values) holding.Synced();
                break;
            case "sent":
                _ledger.Sent(frame, Name);
                _outbox.Sent(frame.ClientMessageId!);
                Of(frame.ConversationId!).Hold(frame);
                break;
            case "message":
                Of(frame.ConversationId!).Live(frame);
                break;
            case "page":
                foreach (var entry in frame.Messages!) Of(frame.ConversationId!).Hold(entry);
                _ledger.CountPulled(frame.Messages.Count);
                Of(frame.ConversationId!).PullSentAt = 0;
                break;
            case "receipt":
                Of(frame.ConversationId!).Receipt(frame);
                break;
            case "acked":
                foreach (var (conversation, seq) in frame.Positions!)
                    if (seq < long.Parse(frame.Ref!, CultureInfo.InvariantCulture))
                        _ledger.Fault($"{Name}: ack {frame.Ref} of {conversation} was answered with {seq}");
                break;
            case "error" when frame.Retryable:
                _ledger.CountRefused();
                if (!_outbox.Refused(frame.Ref))
                    foreach (var holding in _holdings.Values) holding.Acked = 0;
                break;
            case "error":
                _ledger.Fault($"{Name}: error {frame.Code} for '{frame.Ref}': {frame.Message}");
                break;
            case "welcome" or "pong" or "reconnect":
                break;
            default:
                _ledger.Fault($"{Name}: a frame of type {frame.Type}");
                break;
        }
    }

    private void Work(long now)
    {
        foreach (var frame in _outbox.Resend(now)) Write(frame);
        if (IsBusy)
        {
            foreach (var (partner, isGroup, perSecond) in Partners) Send(partner, isGroup, perSecond, now);
            ReadSome();
        }

        var acks = new List<object>();
        foreach (var (conversation, holding) in _holdings)
        {
            Pull(conversation, holding, now);
            if (holding.Complete <= holding.Acked) continue;
            holding.Acked = holding.Complete;
            // With an answer now and then: that is another path through the edge.
            if (_random.Next(5) == 0)
                Write(new
                {
                    type = "ack",
                    @ref = holding.Acked.ToString(CultureInfo.InvariantCulture),
                    positions = new[] { new { conversation_id = conversation, seq = holding.Acked } },
                });
            else acks.Add(new { conversation_id = conversation, seq = holding.Acked });
        }

        if (acks.Count > 0) Write(new { type = "ack", positions = acks });
        foreach (var (conversation, seq) in _reads) AskToRead(conversation, seq, now);
    }

    private void Send(string partner, bool isGroup, double perSecond, long now)
    {
        var due = _due.GetValueOrDefault(partner) + (perSecond * Tick.TotalSeconds);
        for (; due >= 1; due--)
        {
            if (_outbox.IsFull) break;
            var message = _outbox.Add(Account, partner, isGroup, _random, now);
            Write(Outbox.ToFrame(message));
            Repeat(message);
        }

        _due[partner] = Math.Min(due, 1);
    }

    /// <summary>One in ten is sent again though nothing asks for it: at once or after its answer, here or elsewhere.</summary>
    private void Repeat(Outgoing message)
    {
        if (_random.Next(10) != 0) return;
        _ledger.CountRepeated();
        var copy = _random.Next(2) == 0 ? message : _outbox.AnyEarlier(_random) ?? message;
        var way = _random.Next(OtherWays.Count + 1);
        if (way == OtherWays.Count) Write(Outbox.ToFrame(copy));
        else OtherWays[way](copy);
    }

    private void ReadSome()
    {
        foreach (var (conversation, holding) in _holdings)
            if (_random.Next(20) == 0 && holding.Complete > 0) _reads[conversation] = Math.Max(1, holding.Complete - _random.Next(5));
    }

    private void AskToRead(string conversation, long seq, long now)
    {
        if (Of(conversation).ConfirmedRead >= seq) return;
        if (_readsAsked.TryGetValue(conversation, out var askedAt) && Stopwatch.GetElapsedTime(askedAt, now) < ReadTimeout) return;
        _readsAsked[conversation] = now;
        Write(new { type = "read", @ref = seq.ToString(CultureInfo.InvariantCulture), conversation_id = conversation, seq });
    }

    /// <summary>A gap that is still there a tick later is asked for; what lies in it is often just on its way.</summary>
    private void Pull(string conversation, Holding holding, long now)
    {
        var wasOld = holding.IsGapOld;
        holding.IsGapOld = holding.Known > holding.Complete;
        if (!holding.IsGapOld || !wasOld) return;
        if (holding.PullSentAt != 0 && Stopwatch.GetElapsedTime(holding.PullSentAt, now) < PullTimeout) return;
        holding.PullSentAt = now;
        Write(new { type = "pull", @ref = "gap", ranges = new[] { new { conversation_id = conversation, after = holding.Complete } } });
    }
}
