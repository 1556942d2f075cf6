using WhatsAspire.Conformance;
using WhatsAspire.Contracts;
using WhatsAspire.MessageApi.Storage;

namespace WhatsAspire.MessageApi.Tests.Storage;

/// <summary>A correct store, for others to break.</summary>
internal class SoundStore : IMessageStore
{
    protected ModelStore Inner { get; set; } = new();

    /// <summary>The process died and was started again.</summary>
    public virtual void Restart()
    {
    }

    public virtual Task<IReadOnlyList<AppendOutcome>> AppendAsync(
        ConversationShape conversation, IReadOnlyList<NewEntry> entries, CancellationToken cancellationToken) =>
        Inner.AppendAsync(conversation, entries, cancellationToken);

    public virtual ValueTask<AppendOutcome?> FindSentAsync(
        UserId sender, string clientMessageId, ulong contentHash, CancellationToken cancellationToken) =>
        Inner.FindSentAsync(sender, clientMessageId, contentHash, cancellationToken);

    public virtual Task<IReadOnlyList<AdvanceOutcome>> AdvanceAsync(
        IReadOnlyList<MemberPosition> positions, DateTimeOffset at, CancellationToken cancellationToken) =>
        Inner.AdvanceAsync(positions, at, cancellationToken);

    public virtual ValueTask<MemberState?> GetMemberAsync(ConversationId conversation, UserId user, CancellationToken cancellationToken) =>
        Inner.GetMemberAsync(conversation, user, cancellationToken);

    public ValueTask<IReadOnlyList<MemberState?>> GetMembersAsync(
        ConversationId conversation, IReadOnlyList<UserId> users, CancellationToken cancellationToken) =>
        Inner.GetMembersAsync(conversation, users, cancellationToken);

    public Task<bool> HideAsync(
        ConversationId conversation, UserId user, IReadOnlyList<long> seqs, DateTimeOffset at, CancellationToken cancellationToken) =>
        Inner.HideAsync(conversation, user, seqs, at, cancellationToken);

    public Task<bool> SetAsync(
        ConversationId conversation, UserId user, MemberSettings settings, DateTimeOffset at, CancellationToken cancellationToken) =>
        Inner.SetAsync(conversation, user, settings, at, cancellationToken);

    public Task<AdvanceOutcome> ClearAsync(
        ConversationId conversation, UserId user, long seq, DateTimeOffset at, CancellationToken cancellationToken) =>
        Inner.ClearAsync(conversation, user, seq, at, cancellationToken);

    public ValueTask<ConversationState?> GetConversationAsync(ConversationId conversation, CancellationToken cancellationToken) =>
        Inner.GetConversationAsync(conversation, cancellationToken);

    public ValueTask<IReadOnlyList<LogEntry>> ReadAsync(
        ConversationId conversation, long after, long before, int limit, bool newestFirst, CancellationToken cancellationToken) =>
        Inner.ReadAsync(conversation, after, before, limit, newestFirst, cancellationToken);

    public ValueTask<LogEntry?> FindAsync(MessageId message, CancellationToken cancellationToken) =>
        Inner.FindAsync(message, cancellationToken);

    public ValueTask<ReceiptTimes> GetReceiptTimesAsync(
        ConversationId conversation, UserId user, long seq, CancellationToken cancellationToken) =>
        Inner.GetReceiptTimesAsync(conversation, user, seq, cancellationToken);

    public virtual ValueTask<IReadOnlyList<MemberReceipt>> GetReceiptsAsync(
        ConversationId conversation, long seq, CancellationToken cancellationToken) =>
        Inner.GetReceiptsAsync(conversation, seq, cancellationToken);

    public ValueTask<IReadOnlyList<ConversationView?>> GetViewsAsync(
        ConversationId conversation, IReadOnlyList<UserId> users, CancellationToken cancellationToken) =>
        Inner.GetViewsAsync(conversation, users, cancellationToken);

    public ValueTask<IReadOnlyList<ConversationView>> ListConversationsAsync(
        UserId user, DateTimeOffset since, CancellationToken cancellationToken) =>
        Inner.ListConversationsAsync(user, since, cancellationToken);

    public ValueTask<ConversationView?> GetViewAsync(ConversationId conversation, UserId user, CancellationToken cancellationToken) =>
        Inner.GetViewAsync(conversation, user, cancellationToken);

    public ValueTask<IReadOnlyList<long>> ReadHiddenAsync(
        ConversationId conversation, UserId user, long after, long before, CancellationToken cancellationToken) =>
        Inner.ReadHiddenAsync(conversation, user, after, before, cancellationToken);
}

/// <summary>Acknowledges every third append and does not store it.</summary>
internal sealed class DropsAppends : SoundStore
{
    private int _calls;

    public override async Task<IReadOnlyList<AppendOutcome>> AppendAsync(
        ConversationShape conversation, IReadOnlyList<NewEntry> entries, CancellationToken cancellationToken)
    {
        if (Interlocked.Increment(ref _calls) % 3 != 0) return await base.AppendAsync(conversation, entries, cancellationToken);
        var head = (await Inner.GetConversationAsync(conversation.Id, cancellationToken))?.HeadSeq ?? 0;
        var elsewhere = new ModelStore();
        var lost = await elsewhere.AppendAsync(conversation, entries, cancellationToken);
        return [.. lost.Select(o => o with { Entry = o.Entry with { Seq = o.Entry.Seq + head } })];
    }
}

/// <summary>Stores every third append twice.</summary>
internal sealed class RepeatsAppends : SoundStore
{
    private int _calls;

    public override async Task<IReadOnlyList<AppendOutcome>> AppendAsync(
        ConversationShape conversation, IReadOnlyList<NewEntry> entries, CancellationToken cancellationToken)
    {
        var outcomes = await base.AppendAsync(conversation, entries, cancellationToken);
        if (Interlocked.Increment(ref _calls) % 3 == 0)
        {
            var again = entries.Where(e => e.Kind != EntryKind.Delete)
                .Select(e => e with { Id = new(Guid.NewGuid()), ClientMessageId = Guid.NewGuid().ToString("N") }).ToArray();
            if (again.Length > 0) await base.AppendAsync(conversation, again, cancellationToken);
        }

        return outcomes;
    }
}

/// <summary>Lets an append be overtaken by those that are made while it waits.</summary>
internal sealed class ReordersAppends : SoundStore
{
    private int _calls;
    private TaskCompletionSource _overtaken = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public override async Task<IReadOnlyList<AppendOutcome>> AppendAsync(
        ConversationShape conversation, IReadOnlyList<NewEntry> entries, CancellationToken cancellationToken)
    {
        // Where no other call comes it must go on at last.
        if (Interlocked.Increment(ref _calls) % 3 == 0)
            await Task.WhenAny(_overtaken.Task, Task.Delay(TimeSpan.FromMilliseconds(20), cancellationToken));
        var stored = base.AppendAsync(conversation, entries, cancellationToken);
        Interlocked.Exchange(ref _overtaken, new(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();
        return await stored;
    }
}

/// <summary>Takes each call for a new one.</summary>
internal sealed class ForgetsClientMessageIds : SoundStore
{
    public override async Task<IReadOnlyList<AppendOutcome>> AppendAsync(
        ConversationShape conversation, IReadOnlyList<NewEntry> entries, CancellationToken cancellationToken)
    {
        var renamed = entries.Select(e => e.ClientMessageId.Length == 0 ? e : e with { ClientMessageId = Guid.NewGuid().ToString("N") });
        return await base.AppendAsync(conversation, [.. renamed], cancellationToken);
    }
}

/// <summary>Believes the last advance instead of the highest.</summary>
internal sealed class LetsPositionsFall : SoundStore
{
    private readonly Dictionary<(ConversationId, UserId), MemberState> _last = [];

    public override async Task<IReadOnlyList<AdvanceOutcome>> AdvanceAsync(
        IReadOnlyList<MemberPosition> positions, DateTimeOffset at, CancellationToken cancellationToken)
    {
        var outcomes = await base.AdvanceAsync(positions, at, cancellationToken);
        lock (_last)
        {
            foreach (var p in positions) _last[(p.Conversation, p.User)] = new(0, Math.Max(p.DeliveredSeq, p.ReadSeq), p.ReadSeq, 0);
            return [.. outcomes.Zip(positions).Select(o => o.First.Member is null ? o.First : o.First with { Member = _last[(o.Second.Conversation, o.Second.User)] })];
        }
    }

    public override ValueTask<MemberState?> GetMemberAsync(ConversationId conversation, UserId user, CancellationToken cancellationToken)
    {
        lock (_last)
        {
            return _last.TryGetValue((conversation, user), out var last) ? new(last) : base.GetMemberAsync(conversation, user, cancellationToken);
        }
    }
}

/// <summary>Acknowledges an append before it is durable: the last one is lost with the process.</summary>
internal sealed class AcknowledgesTooEarly : SoundStore
{
    private readonly List<(ConversationShape, IReadOnlyList<NewEntry>)> _appends = [];

    public override async Task<IReadOnlyList<AppendOutcome>> AppendAsync(
        ConversationShape conversation, IReadOnlyList<NewEntry> entries, CancellationToken cancellationToken)
    {
        var outcomes = await base.AppendAsync(conversation, entries, cancellationToken);
        lock (_appends) _appends.Add((conversation, entries));
        return outcomes;
    }

    public override void Restart()
    {
        Inner = new();
        if (_appends.Count > 0) _appends.RemoveAt(_appends.Count - 1);
        foreach (var (conversation, entries) in _appends) _ = Inner.AppendAsync(conversation, entries, CancellationToken.None);
    }
}

/// <summary>Who was in a group once is in it for ever.</summary>
internal sealed class LetsNobodyLeave : SoundStore
{
    public override Task<IReadOnlyList<AppendOutcome>> AppendAsync(
        ConversationShape conversation, IReadOnlyList<NewEntry> entries, CancellationToken cancellationToken) =>
        base.AppendAsync(conversation, [.. entries.Select(e => e with { Members = [.. e.Members.Where(m => m.IsMember)] })], cancellationToken);
}

/// <summary>Who comes into a group sees from then on, whatever was said of him.</summary>
internal sealed class ShowsNoHistory : SoundStore
{
    public override Task<IReadOnlyList<AppendOutcome>> AppendAsync(
        ConversationShape conversation, IReadOnlyList<NewEntry> entries, CancellationToken cancellationToken) =>
        base.AppendAsync(
            conversation, [.. entries.Select(e => e with { Members = [.. e.Members.Select(m => m with { SeesHistory = false })] })], cancellationToken);
}

/// <summary>Who comes into a group and may see what was before counts as having been there.</summary>
internal sealed class TakesHistoryForPresence : SoundStore
{
    public override async ValueTask<IReadOnlyList<MemberReceipt>> GetReceiptsAsync(
        ConversationId conversation, long seq, CancellationToken cancellationToken)
    {
        var receipts = new List<MemberReceipt>(await base.GetReceiptsAsync(conversation, seq, cancellationToken));
        // Everybody who is or was in it has a receipt of some entry, or sent it.
        var head = (await Inner.GetConversationAsync(conversation, cancellationToken))?.HeadSeq ?? 0;
        for (var later = seq + 1; later <= head; later++)
            foreach (var receipt in await base.GetReceiptsAsync(conversation, later, cancellationToken))
                if (receipts.TrueForAll(r => r.User != receipt.User)
                    && (await Inner.GetMemberAsync(conversation, receipt.User, cancellationToken))!.Sees(seq))
                    receipts.Add(receipt);
        return receipts;
    }
}

/// <summary>Keeps to itself how far all members of a group are.</summary>
internal sealed class TellsNoRise : SoundStore
{
    public override async Task<IReadOnlyList<AdvanceOutcome>> AdvanceAsync(
        IReadOnlyList<MemberPosition> positions, DateTimeOffset at, CancellationToken cancellationToken) =>
        [.. (await base.AdvanceAsync(positions, at, cancellationToken)).Select(o => o with { Lowest = null })];
}
