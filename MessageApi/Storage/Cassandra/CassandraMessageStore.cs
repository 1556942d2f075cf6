using System.Diagnostics;
using Microsoft.Extensions.Options;
using WhatsAspire.Contracts;
using WhatsAspire.Cql;

namespace WhatsAspire.MessageApi.Storage.Cassandra;

/// <summary>The message store on Cassandra: any number of processes may use the same keyspace. <c>docs/storage.md</c> says
/// what is in which table, and what holds after a crash.
///
/// <para>Beyond the port: an append of more than 64 entries, or one that crosses into a new bucket, is made in several steps,
/// in order, each of which takes effect wholly or not at all. Two appends of different conversations that use one client
/// message id of one sender at the same moment may both be stored.</para></summary>
public sealed class CassandraMessageStore : IMessageStore, IDisposable
{
    private readonly HeadCache _heads;
    private readonly LogReader _log;
    private readonly MemberReader _members;
    private readonly Sends _sends;
    private readonly Positions _positions;
    private readonly GroupPositions _groups;
    private readonly Receipts _receipts;
    private readonly Marks _marks;
    private readonly Views _views;
    private readonly AppendLanes _lanes;
    private readonly int _parallelism;

    /// <param name="session">Reaches the cluster; stays the caller's.</param>
    /// <param name="options">Settings.</param>
    /// <param name="metrics">Counts appends.</param>
    /// <param name="time">For time-outs; what is stored has the caller's times.</param>
    internal CassandraMessageStore(ICqlSession session, CassandraStoreOptions options, StoreMetrics metrics, TimeProvider time)
    {
        var statements = new Statements(options.Keyspace, options.StatementTimeout);
        _parallelism = options.Parallelism;
        _heads = new(options.HeadsRemembered);
        _log = new(session, statements, _heads);
        var changes = new MemberChanges(session, statements);
        _members = new(session, statements, _log, changes, _heads);
        _sends = new(session, statements, _log);
        _positions = new(session, statements, _members, _log);
        var rises = new GroupRises(session, statements, _log, options.Parallelism);
        _groups = new(session, statements, _members, _log, rises, options.Parallelism);
        _receipts = new(_members, _log, _positions, rises);
        _marks = new(session, statements, _members, _log, _positions);
        _views = new(session, statements, _members, _log, _marks, options.Parallelism);
        var groups = new GroupAppends(_members, changes, _groups, rises, _positions, options.Parallelism);
        _lanes = new(
            new Appender(session, statements, _log, _members, _sends, _positions, groups, _heads, metrics, options.AppendTimeout, time),
            options.QueueLength);
    }

    public CassandraMessageStore(
        ICqlSession session, IOptions<CassandraStoreOptions> options, System.Diagnostics.Metrics.IMeterFactory meters, TimeProvider time)
        : this(session, (options ?? throw new ArgumentNullException(nameof(options))).Value, new StoreMetrics(meters), time)
    {
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<AppendOutcome>> AppendAsync(
        ConversationShape conversation, IReadOnlyList<NewEntry> entries, CancellationToken cancellationToken)
    {
        StoreArguments.CheckAppend(conversation, entries);
        StoreArguments.CheckShape(conversation);
        return RunAsync("store append", async () => await _lanes.AppendAsync(new(conversation, entries), cancellationToken));
    }

    /// <inheritdoc/>
    public async ValueTask<AppendOutcome?> FindSentAsync(
        UserId sender, string clientMessageId, ulong contentHash, CancellationToken cancellationToken)
    {
        StoreArguments.CheckClientMessageId(clientMessageId);
        return await ReadAsync<AppendOutcome?>(async () =>
        {
            if (await _sends.FindAsync(sender, clientMessageId, cancellationToken) is not { Entry: var entry, ContentHash: var hash }) return null;
            var read = (await _members.FindAsync(entry.Conversation, sender, cancellationToken))?.Member.ReadSeq ?? 0;
            return new(hash == contentHash ? AppendStatus.Duplicate : AppendStatus.Conflict, entry, read);
        });
    }

    /// <inheritdoc/>
    public async ValueTask<ConversationState?> GetConversationAsync(ConversationId conversation, CancellationToken cancellationToken) =>
        await ReadAsync(() => _members.ReadStateAsync(conversation, cancellationToken));

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<LogEntry>> ReadAsync(
        ConversationId conversation, long after, long before, int limit, bool newestFirst, CancellationToken cancellationToken)
    {
        StoreArguments.CheckRead(after, limit);
        return await ReadAsync(async () =>
        {
            var found = newestFirst
                ? await _log.DescendingAsync(conversation, after, await EndAsync(conversation, before, cancellationToken), limit, cancellationToken)
                : await _log.AscendingAsync(conversation, after, before, limit, cancellationToken);
            return found.Select(stored => stored.Entry).ToArray();
        });
    }

    /// <inheritdoc/>
    public async ValueTask<LogEntry?> FindAsync(MessageId message, CancellationToken cancellationToken) =>
        await ReadAsync(() => _sends.FindAsync(message, cancellationToken));

    /// <inheritdoc/>
    public Task<IReadOnlyList<AdvanceOutcome>> AdvanceAsync(
        IReadOnlyList<MemberPosition> positions, DateTimeOffset at, CancellationToken cancellationToken)
    {
        StoreArguments.CheckAdvance(positions);
        return RunAsync<IReadOnlyList<AdvanceOutcome>>("store advance", async () =>
        {
            var outcomes = new AdvanceOutcome[positions.Count];
            int[][] places = [.. Enumerable.Range(0, positions.Count).GroupBy(i => positions[i].Conversation).Select(g => g.ToArray())];
            var parallel = new ParallelOptions { MaxDegreeOfParallelism = _parallelism, CancellationToken = cancellationToken };
            await Parallel.ForEachAsync(places, parallel, async (of, cancel) =>
            {
                AskedPosition[] asked = Array.ConvertAll(of, i => new AskedPosition(positions[i].User, positions[i].DeliveredSeq, positions[i].ReadSeq, 0));
                var found = await AdvanceAsync(positions[of[0]].Conversation, asked, at, cancel);
                for (var i = 0; i < of.Length; i++) outcomes[of[i]] = found[i];
            });
            return outcomes;
        });
    }

    /// <inheritdoc/>
    public async ValueTask<MemberState?> GetMemberAsync(ConversationId conversation, UserId user, CancellationToken cancellationToken) =>
        await ReadAsync(async () => (await _members.FindAsync(conversation, user, cancellationToken))?.Member.State);

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<MemberState?>> GetMembersAsync(
        ConversationId conversation, IReadOnlyList<UserId> users, CancellationToken cancellationToken)
    {
        StoreArguments.CheckUsers(users);
        return await ReadAsync(async () =>
        {
            var known = await _members.ReadAsync(conversation, cancellationToken);
            return users.Select(user => known?.Find(user)?.State).ToArray();
        });
    }

    /// <inheritdoc/>
    public async ValueTask<ReceiptTimes> GetReceiptTimesAsync(
        ConversationId conversation, UserId user, long seq, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(seq);
        return await ReadAsync(() => _receipts.ReadAsync(conversation, user, seq, cancellationToken));
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<ConversationView>> ListConversationsAsync(
        UserId user, DateTimeOffset since, CancellationToken cancellationToken) =>
        await ReadAsync(() => _views.ListAsync(user, since, cancellationToken));

    /// <inheritdoc/>
    public async ValueTask<ConversationView?> GetViewAsync(ConversationId conversation, UserId user, CancellationToken cancellationToken) =>
        await ReadAsync(() => _views.ReadAsync(conversation, user, cancellationToken));

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<MemberReceipt>> GetReceiptsAsync(
        ConversationId conversation, long seq, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(seq);
        return await ReadAsync(() => _receipts.ReadAsync(conversation, seq, cancellationToken));
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<ConversationView?>> GetViewsAsync(
        ConversationId conversation, IReadOnlyList<UserId> users, CancellationToken cancellationToken)
    {
        StoreArguments.CheckUsers(users);
        return await ReadAsync(() => _views.ReadAsync(conversation, users, cancellationToken));
    }

    /// <inheritdoc/>
    public Task<bool> HideAsync(
        ConversationId conversation, UserId user, IReadOnlyList<long> seqs, DateTimeOffset at, CancellationToken cancellationToken)
    {
        StoreArguments.CheckHide(seqs);
        return RunAsync("store hide", () => _marks.HideAsync(conversation, user, seqs, at, cancellationToken));
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<long>> ReadHiddenAsync(
        ConversationId conversation, UserId user, long after, long before, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(after);
        return await ReadAsync(async () =>
        {
            var end = await EndAsync(conversation, before, cancellationToken);
            return (await _marks.ReadAsync(conversation, user, after, end, cancellationToken)).Select(mark => mark.Seq).ToArray();
        });
    }

    /// <inheritdoc/>
    public Task<bool> SetAsync(
        ConversationId conversation, UserId user, MemberSettings settings, DateTimeOffset at, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(settings);
        return RunAsync("store set", () => _positions.SetAsync(conversation, user, settings, at, cancellationToken));
    }

    /// <inheritdoc/>
    public Task<AdvanceOutcome> ClearAsync(
        ConversationId conversation, UserId user, long seq, DateTimeOffset at, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(seq);
        return RunAsync("store clear", async () => (await AdvanceAsync(conversation, [new(user, 0, seq, seq)], at, cancellationToken))[0]);
    }

    public void Dispose()
    {
        _lanes.Dispose();
        _heads.Dispose();
    }

    /// <summary>Raises positions in one conversation.</summary>
    private async Task<AdvanceOutcome[]> AdvanceAsync(
        ConversationId conversation, AskedPosition[] asked, DateTimeOffset at, CancellationToken cancellationToken)
    {
        at = Times.Floor(at);
        if (await _members.ReadAsync(conversation, cancellationToken) is not { } known)
            return Array.ConvertAll(asked, _ => new AdvanceOutcome(AdvanceStatus.NotFound, null, false, 0));
        if (known.IsGroup) return await _groups.AdvanceAsync(known, asked, at, cancellationToken);
        return await Task.WhenAll(asked.Select(one => _positions.AdvanceAsync(known, one, at, cancellationToken)));
    }

    /// <summary>The exclusive end of a range, no further than just beyond the head.</summary>
    private async Task<long> EndAsync(ConversationId conversation, long before, CancellationToken cancellationToken)
    {
        if (before <= Buckets.Size) return before;
        var roll = await _members.ReadRollAsync(conversation, cancellationToken);
        var head = await _log.ReadHeadAsync(conversation, roll.Bucket, settled: false, cancellationToken);
        return Math.Min(before, head.Seq + 1);
    }

    private static async Task<T> RunAsync<T>(string name, Func<Task<T>> work)
    {
        using var activity = StoreMetrics.Activities.StartActivity(name, ActivityKind.Internal);
        return await ReadAsync(work);
    }

    private static async Task<T> ReadAsync<T>(Func<Task<T>> work)
    {
        try
        {
            return await work();
        }
        catch (CqlException e)
        {
            throw new StoreUnavailableException($"the message store did not answer: {e.Message}", e);
        }
    }
}
