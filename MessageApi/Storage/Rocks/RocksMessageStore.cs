using System.Diagnostics;
using Microsoft.Extensions.Options;
using WhatsAspire.Contracts;

namespace WhatsAspire.MessageApi.Storage.Rocks;

/// <summary>The message store on RocksDB, in one folder that this process owns. Writes are committed in groups, see
/// <see cref="GroupCommit"/>; reads go to RocksDB directly, on the caller's thread.</summary>
public sealed class RocksMessageStore : IMessageStore, IAsyncDisposable
{
    private readonly GroupCommit _commits;
    private readonly StorePurge _purge;

    /// <exception cref="StoreUnavailableException">The folder is in use by another process, or cannot be opened.</exception>
    public RocksMessageStore(
        IOptions<RocksStoreOptions> options, System.Diagnostics.Metrics.IMeterFactory meters, TimeProvider time, ILogger<RocksMessageStore> logger)
    {
        ArgumentNullException.ThrowIfNull(options);
        _commits = new(options.Value, new StoreMetrics(meters), time, logger);
        _purge = new(_commits);
    }

    /// <summary>Why the store does not answer; null while it does.</summary>
    public string? Fault => _commits.Fault?.Message;

    /// <summary>How often RocksDB synced its write-ahead log to disk since the folder was opened.</summary>
    /// <exception cref="StoreUnavailableException">The folder is not open.</exception>
    public long WalSyncs
    {
        get
        {
            using var lease = _commits.Use();
            return lease.Engine.WalSyncs;
        }
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<AppendOutcome>> AppendAsync(
        ConversationShape conversation, IReadOnlyList<NewEntry> entries, CancellationToken cancellationToken)
    {
        StoreArguments.CheckAppend(conversation, entries);
        return RunAsync("store append", new Append(conversation, entries), cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask<AppendOutcome?> FindSentAsync(
        UserId sender, string clientMessageId, ulong contentHash, CancellationToken cancellationToken)
    {
        StoreArguments.CheckClientMessageId(clientMessageId);
        using var lease = Read(cancellationToken);
        return new(Rows.Sent(lease.Engine, sender, clientMessageId, contentHash));
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<AdvanceOutcome>> AdvanceAsync(
        IReadOnlyList<MemberPosition> positions, DateTimeOffset at, CancellationToken cancellationToken)
    {
        StoreArguments.CheckAdvance(positions);
        return RunAsync("store advance", new Advance(positions, at), cancellationToken);
    }

    /// <inheritdoc/>
    public Task<bool> HideAsync(
        ConversationId conversation, UserId user, IReadOnlyList<long> seqs, DateTimeOffset at, CancellationToken cancellationToken)
    {
        StoreArguments.CheckHide(seqs);
        return RunAsync("store hide", new Hide(conversation, user, seqs, at), cancellationToken);
    }

    /// <inheritdoc/>
    public Task<bool> SetAsync(
        ConversationId conversation, UserId user, MemberSettings settings, DateTimeOffset at, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(settings);
        return RunAsync("store set", new Set(conversation, user, settings, at), cancellationToken);
    }

    /// <inheritdoc/>
    public Task<AdvanceOutcome> ClearAsync(
        ConversationId conversation, UserId user, long seq, DateTimeOffset at, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(seq);
        return RunAsync("store clear", new Clear(conversation, user, seq, at), cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask<ConversationState?> GetConversationAsync(ConversationId conversation, CancellationToken cancellationToken)
    {
        using var lease = Read(cancellationToken);
        var row = Rows.Conversation(lease.Engine, conversation);
        return new(row is null ? null : new ConversationState(row.Shape, row.HeadSeq, row.HeadVisibleNumber, row.LastCreatedAt));
    }

    /// <inheritdoc/>
    public ValueTask<MemberState?> GetMemberAsync(ConversationId conversation, UserId user, CancellationToken cancellationToken)
    {
        using var lease = Read(cancellationToken);
        return new(MemberRows.Find(lease.Engine, conversation, user)?.Member.State);
    }

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<MemberState?>> GetMembersAsync(
        ConversationId conversation, IReadOnlyList<UserId> users, CancellationToken cancellationToken)
    {
        StoreArguments.CheckUsers(users);
        using var lease = Read(cancellationToken);
        return new(Array.ConvertAll(MemberRows.Find(lease.Engine, conversation, users).Members, member => member?.State));
    }

    /// <inheritdoc/>
    public ValueTask<LogEntry?> FindAsync(MessageId message, CancellationToken cancellationToken)
    {
        using var lease = Read(cancellationToken);
        return new(Rows.Place(lease.Engine, message) is { } place ? Rows.Entry(lease.Engine, place) : null);
    }

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<LogEntry>> ReadAsync(
        ConversationId conversation, long after, long before, int limit, bool newestFirst, CancellationToken cancellationToken)
    {
        StoreArguments.CheckRead(after, limit);
        using var lease = Read(cancellationToken);
        return new(newestFirst
            ? Rows.Newest(lease.Engine, conversation, after, before, limit, cancellationToken)
            : Rows.Oldest(lease.Engine, conversation, after, before, limit, cancellationToken));
    }

    /// <inheritdoc/>
    public ValueTask<ReceiptTimes> GetReceiptTimesAsync(
        ConversationId conversation, UserId user, long seq, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(seq);
        using var lease = Read(cancellationToken);
        return new(Rows.ReceiptTimes(lease.Engine, conversation, user, seq));
    }

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<long>> ReadHiddenAsync(
        ConversationId conversation, UserId user, long after, long before, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(after);
        using var lease = Read(cancellationToken);
        return new(Rows.Hidden(lease.Engine, conversation, user, after, before));
    }

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<MemberReceipt>> GetReceiptsAsync(
        ConversationId conversation, long seq, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(seq);
        using var lease = Read(cancellationToken);
        return new(Rows.Receipts(lease.Engine, conversation, seq, cancellationToken));
    }

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<ConversationView?>> GetViewsAsync(
        ConversationId conversation, IReadOnlyList<UserId> users, CancellationToken cancellationToken)
    {
        StoreArguments.CheckUsers(users);
        using var lease = Read(cancellationToken);
        var (row, members) = MemberRows.Find(lease.Engine, conversation, users);
        return new(Array.ConvertAll(members, member => member is null ? null : Views.Of(lease.Engine, row!, member)));
    }

    /// <inheritdoc/>
    public ValueTask<ConversationView?> GetViewAsync(ConversationId conversation, UserId user, CancellationToken cancellationToken)
    {
        using var lease = Read(cancellationToken);
        return new(MemberRows.Find(lease.Engine, conversation, user) is { } found ? Views.Of(lease.Engine, found.Row, found.Member) : null);
    }

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<ConversationView>> ListConversationsAsync(
        UserId user, DateTimeOffset since, CancellationToken cancellationToken)
    {
        using var lease = Read(cancellationToken);
        return new(Views.List(lease.Engine, user, since, cancellationToken));
    }

    /// <summary>Removes from the files what was deleted for everyone before this call: the old versions that the log
    /// tables and the write-ahead log still hold. <see cref="PurgeService"/> calls it at intervals; it works while
    /// the store is in use.</summary>
    /// <returns>How many entries it was.</returns>
    public Task<int> PurgeAsync(CancellationToken cancellationToken) => _purge.RunAsync(cancellationToken);

    /// <summary>Commits what waits, and closes the folder.</summary>
    public async ValueTask DisposeAsync()
    {
        await _commits.DisposeAsync();
        _purge.Dispose();
    }

    private RocksEngine.Lease Read(CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return _commits.Use();
    }

    private async Task<T> RunAsync<T>(string name, Operation<T> operation, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        using var activity = StoreMetrics.Activities.StartActivity(name, ActivityKind.Internal);
        await _commits.EnqueueAsync(operation, cancellationToken);
        return await operation.Task.WaitAsync(cancellationToken);
    }
}
