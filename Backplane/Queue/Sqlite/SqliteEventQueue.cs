using System.Collections.Concurrent;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace WhatsAspire.Backplane.Queue.Sqlite;

/// <summary>The queue as a partitioned log in one SQLite file, which several processes on one machine share. Write-ahead
/// log, synced to disk at each commit; publishes that wait are committed together.</summary>
public sealed class SqliteEventQueue : EventQueue
{
    private readonly SqliteQueueOptions _settings;
    private readonly ConcurrentDictionary<SqliteSubscription, bool> _subscriptions = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _trimming;

    /// <exception cref="QueueUnavailableException">The file can't be opened.</exception>
    public SqliteEventQueue(
        IOptions<QueueOptions> options, IOptions<SqliteQueueOptions> settings, QueueMetrics metrics, TimeProvider time,
        ILogger<SqliteEventQueue> logger) : base("sqlite", options, metrics, time, logger)
    {
        ArgumentNullException.ThrowIfNull(settings);
        _settings = settings.Value;
        Writer = new(_settings, Options.PublishQueue, SignalAll, logger);
        _trimming = Task.Run(TrimAsync);
    }

    internal LogWriter Writer { get; }

    internal void Forget(SqliteSubscription subscription) => _subscriptions.TryRemove(subscription, out _);

    /// <summary>Ends as a killed process does. For tests.</summary>
    internal async Task CrashAsync()
    {
        foreach (var subscription in _subscriptions.Keys) await subscription.CrashAsync();
        await DisposeAsync();
    }

    private protected override async Task<EventPosition> StoreAsync(
        string topic, QueueEvent message, int? partition, CancellationToken cancellationToken)
    {
        var partitions = topic.EndsWith(DeadSuffix, StringComparison.Ordinal) ? 1 : Options.Partitions;
        var now = Time.GetUtcNow().ToUnixTimeMilliseconds();
        var write = new LogWrite<EventPosition>(
            log => log.Append(topic, partitions, message, partition, now), message.Payload.Length + 200);
        var place = Writer.EnqueueAsync(write, cancellationToken);
        try
        {
            if (!place.IsCompletedSuccessfully) await place.AsTask().WaitAsync(Options.PublishTimeout, Time, cancellationToken);
            return await write.Task.WaitAsync(Options.PublishTimeout, Time, cancellationToken);
        }
        catch (TimeoutException e)
        {
            throw new QueueUnavailableException($"the queue did not take the event within {Options.PublishTimeout.TotalSeconds:0.#} s", e);
        }
    }

    private protected override async Task<IQueueSubscription> SubscribeCoreAsync(
        string topic, string group, QueueHandler handler, CancellationToken cancellationToken)
    {
        var subscription = new SqliteSubscription(this, new(this, topic, group, handler), _settings);
        _subscriptions[subscription] = true;
        // From the joining on the group gets everything: who publishes after the return can rely on it. A file that can't
        // be written to now only delays it.
        await subscription.Joined.WaitAsync(_settings.WriteTimeout, Time, cancellationToken)
            .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!cancellationToken.IsCancellationRequested) return subscription;
        await subscription.DisposeAsync();
        throw new OperationCanceledException(cancellationToken);
    }

    private protected override async Task CloseAsync()
    {
        await _stop.CancelAsync();
        await Task.WhenAll(_subscriptions.Keys.Select(s => s.DisposeAsync().AsTask()));
        await _trimming;
        await Writer.DisposeAsync();
        _stop.Dispose();
    }

    internal override Task<IReadOnlyList<PartitionRange>> RangesAsync(string topic, CancellationToken cancellationToken) =>
        Read(log => log.Find(topic) is { } found ? (IReadOnlyList<PartitionRange>)log.Ranges(found) : []);

    internal override Task<IReadOnlyList<ReceivedEvent>> ReadAsync(
        string topic, int partition, long from, long end, int limit, CancellationToken cancellationToken) =>
        Read(log => log.Find(topic) is { } found ? (IReadOnlyList<ReceivedEvent>)log.Read(found, topic, partition, from, end, limit) : []);

    private Task<T> Read<T>(Func<LogTables, T> read) => Task.Run(() =>
    {
        ObjectDisposedException.ThrowIf(IsClosed, this);
        try
        {
            using var connection = LogConnection.Open(_settings.File, _settings.WriteTimeout);
            return read(new(connection));
        }
        catch (SqliteException e)
        {
            throw new QueueUnavailableException($"the queue can't be read: {e.Message}", e);
        }
    });

    private void SignalAll()
    {
        foreach (var (subscription, _) in _subscriptions) subscription.Signal();
    }

    private async Task TrimAsync()
    {
        using var timer = new PeriodicTimer(_settings.TrimInterval, Time);
        try
        {
            while (await timer.WaitForNextTickAsync(_stop.Token))
            {
                try
                {
                    await TrimOnceAsync(_stop.Token);
                }
                catch (QueueUnavailableException e)
                {
                    Logger.TrimFailed(e.Message);
                }
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // The queue is closed.
        }
    }

    /// <summary>Removes what need not be kept, in short commits between which others have their turn.</summary>
    internal async Task TrimOnceAsync(CancellationToken cancellationToken)
    {
        foreach (var (id, name, partitions) in await Writer.WriteAsync(log => log.Topics(), cancellationToken))
        {
            var now = Time.GetUtcNow();
            var isDead = name.EndsWith(DeadSuffix, StringComparison.Ordinal);
            var before = (now - (isDead ? _settings.DeadLetterRetention : _settings.Retention)).ToUnixTimeMilliseconds();
            var consumedBefore = (now - _settings.KeepConsumed).ToUnixTimeMilliseconds();
            for (var partition = 0; partition < partitions; partition++)
            {
                var p = partition;
                while (await Writer.WriteAsync(log => log.Trim(id, p, before, consumedBefore), cancellationToken)) { }
            }
        }
    }
}
