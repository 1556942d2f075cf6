using System.Collections.Concurrent;
using System.Text;
using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace WhatsAspire.Backplane.Queue.Kafka;

/// <summary>The queue on Apache Kafka, or whatever speaks its protocol.</summary>
public sealed class KafkaEventQueue : EventQueue
{
    private static readonly TimeSpan ReadTimeout = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan PingTimeout = TimeSpan.FromSeconds(2);

    private readonly KafkaQueueOptions _settings;
    private readonly KafkaTopics _topics;
    private readonly KafkaPublisher _publisher;
    private readonly ConcurrentDictionary<KafkaSubscription, bool> _subscriptions = new();

    public KafkaEventQueue(
        IOptions<QueueOptions> options, IOptions<KafkaQueueOptions> settings, QueueMetrics metrics, TimeProvider time,
        ILogger<KafkaEventQueue> logger) : base("kafka", options, metrics, time, logger)
    {
        ArgumentNullException.ThrowIfNull(settings);
        ArgumentNullException.ThrowIfNull(metrics);
        _settings = settings.Value;
        _topics = new(_settings, Options, time, logger);
        _publisher = new(_settings, Options, _topics, new(metrics.Meter), time, logger);
    }

    public override Task PrepareAsync(string topic, CancellationToken cancellationToken)
    {
        CheckTopic(topic);
        ObjectDisposedException.ThrowIf(IsClosed, this);
        return _publisher.PrepareAsync(topic, cancellationToken);
    }

    internal void Forget(KafkaSubscription subscription) => _subscriptions.TryRemove(subscription, out _);

    /// <summary>Ends as a killed process does. For tests.</summary>
    internal async Task CrashAsync()
    {
        foreach (var subscription in _subscriptions.Keys) await subscription.CrashAsync();
        await DisposeAsync();
    }

    /// <summary>Asks a broker for the cluster's members.</summary>
    /// <exception cref="QueueUnavailableException">None answers.</exception>
    internal Task<int> PingAsync() => Task.Run(() =>
    {
        try
        {
            using var admin = KafkaTopics.MakeAdmin(_settings, Logger);
            return admin.GetMetadata(PingTimeout).Brokers.Count;
        }
        catch (KafkaException e)
        {
            throw new QueueUnavailableException($"no broker of {_settings.BootstrapServers} answers: {e.Error.Reason}", e);
        }
    });

    internal static ReceivedEvent Received(ConsumeResult<string, byte[]> result)
    {
        var type = "";
        var headers = result.Message.Headers is { Count: > 1 } ? new Dictionary<string, string>(StringComparer.Ordinal) : null;
        foreach (var header in result.Message.Headers ?? [])
        {
            var value = Encoding.UTF8.GetString(header.GetValueBytes() ?? []);
            if (header.Key == EventHeaders.Type) type = value;
            else (headers ??= new(StringComparer.Ordinal))[header.Key] = value;
        }

        return new()
        {
            Topic = result.Topic,
            Position = new(result.Partition.Value, result.Offset.Value),
            // What others have published may have neither.
            Key = result.Message.Key ?? "",
            Payload = result.Message.Value ?? [],
            Type = type,
            Headers = headers ?? EventHeaders.None,
            PublishedAt = DateTimeOffset.FromUnixTimeMilliseconds(result.Message.Timestamp.UnixTimestampMs),
        };
    }

    internal override Task<IReadOnlyList<PartitionRange>> RangesAsync(string topic, CancellationToken cancellationToken) => Read(consumer =>
    {
        using var admin = new DependentAdminClientBuilder(consumer.Handle).Build();
        var known = admin.GetMetadata(topic, ReadTimeout).Topics.SingleOrDefault(t => t.Topic == topic);
        if (known is null || known.Error.Code is ErrorCode.UnknownTopicOrPart) return [];
        if (known.Error.IsError) throw new KafkaException(known.Error);
        return (IReadOnlyList<PartitionRange>)[.. known.Partitions.Select(p =>
        {
            var offsets = consumer.QueryWatermarkOffsets(new(topic, p.PartitionId), ReadTimeout);
            return new PartitionRange(p.PartitionId, offsets.Low.Value, offsets.High.Value);
        })];
    });

    internal override Task<IReadOnlyList<ReceivedEvent>> ReadAsync(
        string topic, int partition, long from, long end, int limit, CancellationToken cancellationToken) => Read(consumer =>
    {
        var events = new List<ReceivedEvent>();
        consumer.Assign(new TopicPartitionOffset(topic, partition, from));
        while (events.Count < limit)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var result = consumer.Consume(ReadTimeout) ?? throw new KafkaException(ErrorCode.Local_TimedOut);
            if (result.IsPartitionEOF || result.Offset.Value >= end) break;
            events.Add(Received(result));
            if (result.Offset.Value == end - 1) break;
        }

        return (IReadOnlyList<ReceivedEvent>)events;
    });

    private protected override Task<EventPosition> StoreAsync(
        string topic, QueueEvent message, int? partition, CancellationToken cancellationToken) =>
        _publisher.PublishAsync(topic, message, partition, cancellationToken);

    private protected override Task<IQueueSubscription> SubscribeCoreAsync(
        string topic, string group, QueueHandler handler, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var subscription = new KafkaSubscription(this, new(this, topic, group, handler), _settings, _topics);
        _subscriptions[subscription] = true;
        return Task.FromResult<IQueueSubscription>(subscription);
    }

    private protected override async Task CloseAsync()
    {
        await Task.WhenAll(_subscriptions.Keys.Select(s => s.DisposeAsync().AsTask()));
        await _publisher.DisposeAsync();
        _topics.Dispose();
    }

    /// <summary>Runs a read outside any group, on a thread that may block.</summary>
    private Task<T> Read<T>(Func<IConsumer<string, byte[]>, T> read) => Task.Run(() =>
    {
        ObjectDisposedException.ThrowIf(IsClosed, this);
        try
        {
            using var consumer = new ConsumerBuilder<string, byte[]>(_settings.Apply(new ConsumerConfig
            {
                // The library wants a name; nothing is committed under it.
                GroupId = "whatsaspire-reader",
                EnableAutoCommit = false,
                EnablePartitionEof = true,
                AutoOffsetReset = AutoOffsetReset.Earliest,
                QueuedMaxMessagesKbytes = 8 * 1024,
            })).SetLogHandler((_, log) => Logger.KafkaLog(log.Name, log.Facility, log.Message)).Build();
            return read(consumer);
        }
        catch (KafkaException e)
        {
            throw new QueueUnavailableException($"Kafka can't be read: {e.Error.Reason}", e);
        }
    });
}
