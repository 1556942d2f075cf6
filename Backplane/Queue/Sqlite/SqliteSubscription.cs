using Microsoft.Data.Sqlite;

namespace WhatsAspire.Backplane.Queue.Sqlite;

/// <summary>One member of a group: keeps its leases, feeds the workers of its partitions from the log, and commits what
/// they have done.</summary>
internal sealed class SqliteSubscription : IQueueSubscription
{
    private const int ReadPage = 64;
    private static readonly TimeSpan Retry = TimeSpan.FromMilliseconds(500);

    private readonly SqliteEventQueue _queue;
    private readonly Subscriber _subscriber;
    private readonly SqliteQueueOptions _settings;
    private readonly string _member = Guid.NewGuid().ToString("N");
    private readonly Lock _gate = new();
    private readonly SortedDictionary<int, Slot> _slots = [];
    private readonly CancellationTokenSource _stop = new();
    private readonly IDisposable _lag;
    private readonly TaskCompletionSource _joined = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Task _running;
    private TaskCompletionSource _signal = NewSignal();
    private LogTables? _tables;
    private LogTables.Topic _topic;
    private long _group;
    private long _generation = -1;
    private long _seen = -1;
    private bool _balanceNow = true;
    private long _balancedAt;
    private long _committedAt;
    private int _hasRoom;
    private bool _crashed;
    private int _disposed;

    // Milliseconds since 1970. Read by the workers before each handler call: a process that was frozen must not begin one.
    private long _leasedUntil;

    public SqliteSubscription(SqliteEventQueue queue, Subscriber subscriber, SqliteQueueOptions settings)
    {
        (_queue, _subscriber, _settings) = (queue, subscriber, settings);
        _lag = subscriber.Metrics.ShowLag(Lags);
        _running = Task.Run(RunAsync);
    }

    public string Topic => _subscriber.Topic;

    public string Group => _subscriber.Group;

    public IReadOnlyList<int> Partitions
    {
        get
        {
            lock (_gate) return [.. _slots.Keys];
        }
    }

    /// <summary>Completes when the group has this member.</summary>
    public Task Joined => _joined.Task;

    /// <summary>Something was committed in this process.</summary>
    public void Signal()
    {
        lock (_gate) _signal.TrySetResult();
    }

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
        {
            await _running;
            return;
        }

        await _stop.CancelAsync();
        Signal();
        await _running;
        _lag.Dispose();
        _stop.Dispose();
        _queue.Forget(this);
    }

    /// <summary>Ends as a killed process does: nothing is committed, nothing released. For tests.</summary>
    public ValueTask CrashAsync()
    {
        _crashed = true;
        return DisposeAsync();
    }

    private bool IsLeased => _subscriber.Time.GetUtcNow().ToUnixTimeMilliseconds() < Volatile.Read(ref _leasedUntil);

    private async Task RunAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            var signal = NewSignal();
            lock (_gate) _signal = signal;
            try
            {
                if (!IsLeased) AbandonAll();
                await ReleaseStoppedAsync();
                if (_balanceNow || Elapsed(_balancedAt) >= _settings.LeaseTime / 3) await BalanceAsync();
                _joined.TrySetResult();
                Fetch();
                if (Elapsed(_committedAt) >= _settings.CommitInterval) await CommitAsync();
            }
            catch (ObjectDisposedException)
            {
                break;   // the queue was closed
            }
            catch (Exception e)
            {
                if (e is QueueUnavailableException or SqliteException) _subscriber.Logger.SubscriptionDelayed(Topic, Group, e.Message);
                else _subscriber.Logger.SubscriptionFailed(Topic, Group, e);
                _tables?.Connection.Dispose();
                (_tables, _seen, _balanceNow) = (null, -1, true);
                await signal.Task.WaitAsync(Retry, _subscriber.Time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                continue;
            }

            if (_balanceNow) continue;
            await signal.Task.WaitAsync(_settings.PollInterval, _subscriber.Time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        await LeaveAsync();
        _tables?.Connection.Dispose();
    }

    private async Task BalanceAsync()
    {
        _balanceNow = false;
        var held = _slots.Values.Select(s => (s.Owned.Partition, s.Owned.Epoch)).ToHashSet();
        var now = _subscriber.Time.GetUtcNow().ToUnixTimeMilliseconds();
        var lease = (long)_settings.LeaseTime.TotalMilliseconds;
        _balancedAt = _subscriber.Time.GetTimestamp();
        var share = await _queue.Writer.WriteAsync(log =>
        {
            _topic = log.FindOrMake(Topic, _subscriber.Options.Partitions);
            _group = log.FindOrMakeGroup(_topic, Group);
            return log.Balance(_group, _member, held, now, lease);
        });
        Volatile.Write(ref _leasedUntil, now + lease);
        _generation = share.Generation;

        var owned = share.Owned.ToDictionary(o => o.Partition);
        foreach (var slot in _slots.Values.ToArray())
            if (!owned.TryGetValue(slot.Owned.Partition, out var now1) || now1.Epoch != slot.Owned.Epoch) Lose(slot);
        foreach (var partition in share.Surplus)
        {
            // Leases go on being renewed while the handler under way comes to its end.
            if (!_slots.TryGetValue(partition, out var slot) || slot.Stopping is not null) continue;
            slot.Stopping = slot.Worker!.StopAsync();
            _ = slot.Stopping.ContinueWith(_ => Signal(), TaskScheduler.Default);
        }

        foreach (var one in share.Owned)
        {
            if (_slots.ContainsKey(one.Partition)) continue;
            lock (_gate) _slots[one.Partition] = NewSlot(one);
        }

        _hasRoom = 1;
    }

    private Slot NewSlot(OwnedPartition owned)
    {
        var slot = new Slot(owned);
        slot.Worker = new(_subscriber, owned.Partition, offset => Volatile.Write(ref slot.Done, offset), () => IsLeased)
        {
            OnRoom = () =>
            {
                Volatile.Write(ref _hasRoom, 1);
                Signal();
            },
        };
        return slot;
    }

    private void Fetch()
    {
        _tables ??= new(LogConnection.Open(_settings.File, _settings.WriteTimeout));
        var version = _tables.Connection.DataVersion();
        if (version == _seen && Interlocked.Exchange(ref _hasRoom, 0) == 0) return;
        _seen = version;
        var generation = _tables.Connection.Scalar("SELECT generation FROM groups WHERE group_id = @0", _group);
        if (generation != _generation) _balanceNow = true;
        var ranges = _tables.Ranges(_topic);
        foreach (var slot in _slots.Values)
        {
            if (slot.Stopping is not null) continue;
            var range = ranges[slot.Owned.Partition];
            Volatile.Write(ref slot.End, range.End);
            if (slot.Next < range.First)
            {
                _subscriber.Logger.EventsExpired(range.First - slot.Next, Topic, slot.Owned.Partition, Group);
                slot.Next = range.First;
            }

            while (slot.Next < range.End && slot.Worker!.HasRoom && !_stop.IsCancellationRequested)
            {
                var page = _tables.Read(_topic, Topic, slot.Owned.Partition, slot.Next, range.End, ReadPage);
                foreach (var received in page)
                {
                    if (!slot.Worker.HasRoom) break;
                    slot.Worker.Add(received);
                    slot.Next = received.Position.Offset + 1;
                }

                if (page.Count == 0) break;
            }
        }
    }

    private async Task ReleaseStoppedAsync()
    {
        // One that ended by itself was no owner for a moment, or failed: what it held is fetched and done anew.
        foreach (var slot in _slots.Values.Where(s => s.Stopping is null && s.Worker!.Ended.IsCompleted).ToArray()) Lose(slot);
        var stopped = _slots.Values.Where(s => s.Stopping is { IsCompleted: true }).ToArray();
        if (stopped.Length > 0) await ReleaseAsync(stopped);
    }

    private async Task CommitAsync()
    {
        var risen = _slots.Values.Select(s => (Slot: s, Done: Volatile.Read(ref s.Done))).Where(s => s.Done > s.Slot.Committed).ToArray();
        _committedAt = _subscriber.Time.GetTimestamp();
        if (risen.Length == 0) return;
        var kept = await _queue.Writer.WriteAsync(log => Array.ConvertAll(
            risen, r => log.CommitOffset(_group, _member, r.Slot.Owned.Partition, r.Slot.Owned.Epoch, r.Done)));
        _subscriber.Metrics.Committed(_subscriber.Engine, Topic, Group, Elapsed(_committedAt));
        for (var i = 0; i < risen.Length; i++)
        {
            if (kept[i]) risen[i].Slot.Committed = risen[i].Done;
            else Lose(risen[i].Slot);
        }
    }

    /// <summary>Another owner has the partition: what is still under way here may not be taken note of.</summary>
    private void Lose(Slot slot)
    {
        lock (_gate)
            if (!_slots.Remove(slot.Owned.Partition)) return;
        slot.Worker!.Abandon();
        _subscriber.Logger.PartitionLost(Topic, slot.Owned.Partition, Group);
        _balanceNow = true;
    }

    private void AbandonAll()
    {
        foreach (var slot in _slots.Values.ToArray()) Lose(slot);
    }

    /// <summary>Commits what is done of partitions whose work has ended, and lets go of them.</summary>
    private async Task ReleaseAsync(Slot[] slots)
    {
        await _queue.Writer.WriteAsync(log =>
        {
            foreach (var slot in slots)
            {
                log.CommitOffset(_group, _member, slot.Owned.Partition, slot.Owned.Epoch, Volatile.Read(ref slot.Done));
                log.Release(_group, _member, slot.Owned.Partition, slot.Owned.Epoch);
            }

            return true;
        });
        lock (_gate)
            foreach (var slot in slots) _slots.Remove(slot.Owned.Partition);
    }

    private async Task LeaveAsync()
    {
        if (_crashed)
        {
            foreach (var slot in _slots.Values) slot.Worker!.Abandon();
            return;
        }

        try
        {
            await Task.WhenAll(_slots.Values.Select(s => s.Stopping ?? s.Worker!.StopAsync()));
            if (_slots.Count > 0) await ReleaseAsync([.. _slots.Values]);
            if (_group != 0)
                await _queue.Writer.WriteAsync(log =>
                {
                    log.Leave(_group, _member);
                    return true;
                });
        }
        catch (Exception e) when (e is QueueUnavailableException or ObjectDisposedException)
        {
            // The leases run out by themselves; what was not committed comes again.
            _subscriber.Logger.SubscriptionDelayed(Topic, Group, e.Message);
        }
    }

    private IEnumerable<PartitionLag> Lags()
    {
        lock (_gate)
            return [.. _slots.Values.Select(s => new PartitionLag(
                Topic, Group, s.Owned.Partition, Math.Max(0, Volatile.Read(ref s.End) - Volatile.Read(ref s.Done))))];
    }

    private TimeSpan Elapsed(long since) => since == 0 ? TimeSpan.MaxValue : _subscriber.Time.GetElapsedTime(since);

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>An owned partition.</summary>
    private sealed class Slot(OwnedPartition owned)
    {
        /// <summary>What may be committed.</summary>
        public long Done = owned.Committed;

        /// <summary>The end of the log when it was last looked at.</summary>
        public long End = owned.Committed;

        public OwnedPartition Owned => owned;

        public PartitionWorker? Worker { get; set; }

        /// <summary>Set when others are to have it: the end of the work under way.</summary>
        public Task? Stopping { get; set; }

        /// <summary>The next offset to be read.</summary>
        public long Next { get; set; } = owned.Committed;

        public long Committed { get; set; } = owned.Committed;
    }
}
