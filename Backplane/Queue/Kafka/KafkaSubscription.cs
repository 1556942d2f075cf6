using System.Collections.Concurrent;
using Confluent.Kafka;

namespace WhatsAspire.Backplane.Queue.Kafka;

/// <summary>One member of a consumer group. A thread of its own polls without pause, whatever the handlers do, so that no
/// handler can cost the membership: a partition whose worker has no room is paused, and goes on when it has. The
/// offset of what is done is stored with the client library, which commits it now and then, at a rebalance before it
/// hands over, and at the end.</summary>
internal sealed class KafkaSubscription : IQueueSubscription
{
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan PausedPoll = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan Retry = TimeSpan.FromSeconds(1);

    private readonly KafkaEventQueue _queue;
    private readonly Subscriber _subscriber;
    private readonly KafkaQueueOptions _settings;
    private readonly KafkaTopics _topics;
    private readonly ConcurrentDictionary<int, Slot> _slots = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly IDisposable _lag;
    private IConsumer<string, byte[]>? _consumer;
    private bool _crashed;
    private int _disposed;

    public KafkaSubscription(KafkaEventQueue queue, Subscriber subscriber, KafkaQueueOptions settings, KafkaTopics topics)
    {
        (_queue, _subscriber, _settings, _topics) = (queue, subscriber, settings, topics);
        _lag = subscriber.Metrics.ShowLag(Lags);
        new Thread(Run) { Name = $"queue {subscriber.Topic}/{subscriber.Group}", IsBackground = true }.Start();
    }

    public string Topic => _subscriber.Topic;

    public string Group => _subscriber.Group;

    public IReadOnlyList<int> Partitions => [.. _slots.Keys.Order()];

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
        {
            await _stop.CancelAsync();
            _lag.Dispose();
        }

        await _ended.Task;
        _queue.Forget(this);
    }

    /// <summary>Ends as a killed process does: nothing is committed, and the group is not told. For tests.</summary>
    public ValueTask CrashAsync()
    {
        _crashed = true;
        return DisposeAsync();
    }

    private void Run()
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                _topics.EnsureAsync(Topic).GetAwaiter().GetResult();
                Consume();
            }
            catch (Exception e) when (e is KafkaException or QueueUnavailableException)
            {
                _subscriber.Logger.SubscriptionDelayed(Topic, Group, e.Message);
                _stop.Token.WaitHandle.WaitOne(Retry);
            }
            catch (Exception e)
            {
                _subscriber.Logger.SubscriptionFailed(Topic, Group, e);
                _stop.Token.WaitHandle.WaitOne(Retry);
            }
        }

        _ended.SetResult();
    }

    private void Consume()
    {
        var consumer = _consumer = Make();
        try
        {
            consumer.Subscribe(Topic);
            var paused = false;
            while (!_stop.IsCancellationRequested)
            {
                ConsumeResult<string, byte[]>? result = null;
                try
                {
                    result = consumer.Consume(paused ? PausedPoll : Poll);
                }
                catch (ConsumeException e) when (!e.Error.IsFatal)
                {
                    // The library goes on by itself: brokers come back, topics become known.
                    _subscriber.Logger.SubscriptionDelayed(Topic, Group, e.Error.Reason);
                }

                if (result?.Message is not null) Take(consumer, result);
                paused = ResumeWhereThereIsRoom(consumer);
            }

            if (!_crashed) consumer.Close();
        }
        finally
        {
            foreach (var slot in _slots.Values) slot.Worker.Abandon();
            _slots.Clear();
            consumer.Dispose();
        }
    }

    private void Take(IConsumer<string, byte[]> consumer, ConsumeResult<string, byte[]> result)
    {
        // Not ours any more: it was fetched before a rebalance.
        if (!_slots.TryGetValue(result.Partition.Value, out var slot)) return;
        slot.Worker.Add(KafkaEventQueue.Received(result));
        if (slot.Worker.HasRoom) return;
        consumer.Pause([result.TopicPartition]);
        slot.IsPaused = true;
    }

    private bool ResumeWhereThereIsRoom(IConsumer<string, byte[]> consumer)
    {
        var paused = false;
        foreach (var (partition, slot) in _slots)
        {
            // By a fault of ours: from the beginning, rather than a partition that stands still for ever.
            if (slot.Worker.Ended.IsCompleted) throw new InvalidOperationException($"the work on partition {partition} has ended");
            if (!slot.IsPaused) continue;
            // What the library had fetched is thrown away by a pause: not for every single event.
            if (slot.Worker.IsHalfEmpty)
            {
                consumer.Resume([new(Topic, partition)]);
                slot.IsPaused = false;
            }
            else
            {
                paused = true;
            }
        }

        return paused;
    }

    private IConsumer<string, byte[]> Make()
    {
        var config = _settings.Apply(new ConsumerConfig
        {
            GroupId = Group,
            // Stored by us when the work is done, committed by the library: also just before a partition is handed over.
            EnableAutoOffsetStore = false,
            EnableAutoCommit = true,
            AutoCommitIntervalMs = (int)_settings.CommitInterval.TotalMilliseconds,
            AutoOffsetReset = AutoOffsetReset.Earliest,
            // Only what moves is interrupted by a rebalance.
            PartitionAssignmentStrategy = PartitionAssignmentStrategy.CooperativeSticky,
            SessionTimeoutMs = (int)_settings.SessionTimeout.TotalMilliseconds,
            HeartbeatIntervalMs = (int)(_settings.SessionTimeout.TotalMilliseconds / 4),
            FetchMaxBytes = Math.Max(52_428_800, 2 * (_subscriber.Options.MaxPayloadBytes + KafkaTopics.Overhead)),
            MaxPartitionFetchBytes = Math.Max(1_048_576, 2 * (_subscriber.Options.MaxPayloadBytes + KafkaTopics.Overhead)),
            // What is fetched ahead, beside what the workers hold.
            QueuedMaxMessagesKbytes = 16 * 1024,
        });
        return new ConsumerBuilder<string, byte[]>(config)
            .SetPartitionsAssignedHandler((consumer, assigned) =>
            {
                foreach (var one in assigned) _slots[one.Partition.Value] = NewSlot(consumer, one);
            })
            .SetPartitionsRevokedHandler((consumer, revoked) =>
            {
                // The library hands over when this returns, and commits what was stored until then.
                var slots = revoked.Where(r => _slots.ContainsKey(r.Partition.Value)).Select(r => _slots[r.Partition.Value]).ToArray();
                if (_crashed) return;
                Task.WhenAll(slots.Select(s => s.Worker.StopAsync())).GetAwaiter().GetResult();
                foreach (var one in revoked) _slots.TryRemove(one.Partition.Value, out _);
            })
            .SetPartitionsLostHandler((consumer, lost) =>
            {
                foreach (var one in lost)
                {
                    if (!_slots.TryRemove(one.Partition.Value, out var slot)) continue;
                    slot.Worker.Abandon();
                    _subscriber.Logger.PartitionLost(Topic, one.Partition.Value, Group);
                }
            })
            .SetErrorHandler((_, e) => _subscriber.Logger.KafkaError("consumer", e.Code.ToString(), e.Reason))
            .SetLogHandler((_, log) => _subscriber.Logger.KafkaLog(log.Name, log.Facility, log.Message))
            .Build();
    }

    private Slot NewSlot(IConsumer<string, byte[]> consumer, TopicPartition partition) =>
        new(new(_subscriber, partition.Partition.Value, offset => Store(consumer, partition, offset), () => true));

    private void Store(IConsumer<string, byte[]> consumer, TopicPartition partition, long offset)
    {
        try
        {
            consumer.StoreOffset(new TopicPartitionOffset(partition, offset));
            if (_slots.TryGetValue(partition.Partition.Value, out var slot)) Volatile.Write(ref slot.Done, offset);
        }
        catch (Exception e) when (e is KafkaException or ObjectDisposedException)
        {
            // The partition went just now: its next owner does this again.
            _subscriber.Logger.OffsetNotStored(Topic, partition.Partition.Value, Group, e.Message);
        }
    }

    private IEnumerable<PartitionLag> Lags()
    {
        if (_consumer is not { } consumer) yield break;
        foreach (var (partition, slot) in _slots)
        {
            if (Lag(consumer, partition, slot) is { } lag) yield return new(Topic, Group, partition, lag);
        }
    }

    private long? Lag(IConsumer<string, byte[]> consumer, int partition, Slot slot)
    {
        try
        {
            // As of the last fetch; the library asks nobody for it.
            var high = consumer.GetWatermarkOffsets(new(Topic, partition)).High.Value;
            if (high < 0) return null;
            var done = Volatile.Read(ref slot.Done);
            if (done < 0) done = consumer.Position(new(Topic, partition)) is { IsSpecial: false } at ? at.Value - slot.Worker.Held : high;
            return Math.Max(0, high - done);
        }
        catch (Exception e) when (e is KafkaException or ObjectDisposedException)
        {
            return null;
        }
    }

    /// <summary>An assigned partition.</summary>
    private sealed class Slot(PartitionWorker worker)
    {
        /// <summary>What may be committed; -1 before anything is.</summary>
        public long Done = -1;

        public PartitionWorker Worker => worker;

        public bool IsPaused { get; set; }
    }
}
