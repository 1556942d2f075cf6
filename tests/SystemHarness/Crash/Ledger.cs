using System.Collections.Concurrent;
using System.Diagnostics;

namespace WhatsAspire.SystemHarness.Crash;

/// <summary>A text that somebody means to send, until he is told that it was.</summary>
/// <param name="ClientMessageId">The same in all repetitions.</param>
/// <param name="Sender">His user id.</param>
/// <param name="To">A user's id, or a group's.</param>
/// <param name="IsToGroup">Which of the two.</param>
/// <param name="Text">What it says.</param>
internal sealed record Outgoing(string ClientMessageId, string Sender, string To, bool IsToGroup, string Text);

/// <summary>What a <c>sent</c> promised.</summary>
internal sealed record Promise(string ConversationId, long Seq, string MessageId, DateTimeOffset CreatedAt);

/// <summary>What all clients of one run meant, were promised, did and found wrong. Safe for concurrent use.</summary>
internal sealed class Ledger
{
    /// <summary>The first ones tell the story; the rest are only counted.</summary>
    private const int FaultsKept = 30;

    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(20);

    private readonly ConcurrentQueue<string> _faults = new();
    private int _faultCount;
    private long _resent;
    private long _repeated;
    private long _duplicates;
    private long _reconnects;
    private long _refused;
    private long _pulled;
    private long _receipts;
    private long _system;

    /// <summary>Everything that was meant to be sent, by client message id.</summary>
    public ConcurrentDictionary<string, Outgoing> Meant { get; } = new();

    /// <summary>Everything that was promised, by client message id.</summary>
    public ConcurrentDictionary<string, Promise> Promised { get; } = new();

    public int Kills { get; set; }

    public void CountResent(int messages) => Interlocked.Add(ref _resent, messages);

    public void CountRepeated() => Interlocked.Increment(ref _repeated);

    public void CountReconnect() => Interlocked.Increment(ref _reconnects);

    public void CountRefused() => Interlocked.Increment(ref _refused);

    public void CountPulled(int messages) => Interlocked.Add(ref _pulled, messages);

    public void CountSystem() => Interlocked.Increment(ref _system);

    public void CountReceipt() => Interlocked.Increment(ref _receipts);

    /// <summary>Something is not as it was promised.</summary>
    public void Fault(string what)
    {
        if (Interlocked.Increment(ref _faultCount) <= FaultsKept) _faults.Enqueue(what);
    }

    /// <summary>Keeps what a <c>sent</c> says, and holds it against an earlier one for the same message.</summary>
    public void Sent(Frame sent, string through)
    {
        if (sent.Duplicate) Interlocked.Increment(ref _duplicates);
        var promise = new Promise(sent.ConversationId!, sent.Seq, sent.MessageId!, sent.CreatedAt);
        var first = Promised.GetOrAdd(sent.ClientMessageId!, promise);
        if (!Meant.ContainsKey(sent.ClientMessageId!))
            Fault($"{through} got 'sent' for {sent.ClientMessageId}, which nobody has sent");
        else if (first != promise)
            Fault($"{sent.ClientMessageId} was promised as {first}, and then, through {through}, as {promise}");
    }

    /// <summary>Fails when something is wrong.</summary>
    public void Check(string context)
    {
        if (_faultCount > 0)
            Assert.Fail($"{context}: {_faultCount} faults:\n{string.Join('\n', _faults)}\n{this}");
    }

    /// <summary>Waits until so many more messages were promised.</summary>
    public Task PromisedAsync(int more, TimeSpan timeout, CancellationToken cancellationToken)
    {
        var goal = Promised.Count + more;
        return UntilAsync(() => Promised.Count >= goal, timeout, () => $"{goal} messages to be sent, of which {Promised.Count} are", cancellationToken);
    }

    /// <summary>Waits for something that the clients' own tasks bring about.</summary>
    /// <exception cref="TimeoutException">It did not come; the message has the faults so far.</exception>
    public async Task UntilAsync(Func<bool> condition, TimeSpan timeout, Func<string> what, CancellationToken cancellationToken)
    {
        var started = Stopwatch.GetTimestamp();
        using var timer = new PeriodicTimer(Poll);
        while (!condition())
        {
            if (Stopwatch.GetElapsedTime(started) > timeout)
                throw new TimeoutException($"Waited {timeout.TotalSeconds:F0} s for {what()}.\n{_faultCount} faults:\n{string.Join('\n', _faults)}\n{this}");
            await timer.WaitForNextTickAsync(cancellationToken);
        }
    }

    public override string ToString() =>
        $"{Kills} kills, {Meant.Count} messages meant, {Promised.Count} sent, {_resent} resent, {_repeated} repeated on purpose, "
        + $"{_duplicates} answered as duplicates, {_refused} refused for a while, {_reconnects} reconnects, {_pulled} pulled, {_receipts} receipts, {_system} system entries";
}
