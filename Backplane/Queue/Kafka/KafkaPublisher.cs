using System.Text;
using System.Threading.Channels;
using Confluent.Kafka;
using Microsoft.Extensions.Logging;

namespace WhatsAspire.Backplane.Queue.Kafka;

/// <summary>The producer of this process: takes events in the order of the calls, and completes each when all in-sync
/// replicas have it.</summary>
internal sealed class KafkaPublisher : IAsyncDisposable
{
    private static readonly TimeSpan Full = TimeSpan.FromMilliseconds(10);

    // A process that ends is not waited for much longer.
    private static readonly TimeSpan LastMoment = TimeSpan.FromSeconds(10);

    private readonly KafkaQueueOptions _settings;
    private readonly QueueOptions _options;
    private readonly KafkaTopics _topics;
    private readonly KafkaStatistics _statistics;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Channel<Pending> _waiting;
    private readonly SemaphoreSlim _places;
    private readonly Task _running;
    private IProducer<string, byte[]>? _producer;
    private volatile bool _failed;

    public KafkaPublisher(
        KafkaQueueOptions settings, QueueOptions options, KafkaTopics topics, KafkaStatistics statistics, TimeProvider time, ILogger logger)
    {
        (_settings, _options, _topics, _statistics, _time, _logger) = (settings, options, topics, statistics, time, logger);
        _waiting = Channel.CreateBounded<Pending>(new BoundedChannelOptions(options.PublishQueue) { SingleReader = true });
        _places = new(options.PublishQueue);
        _running = Task.Run(RunAsync);
    }

    public Task<EventPosition> PublishAsync(
        string topic, QueueEvent message, int? partition, CancellationToken cancellationToken) =>
        TakeAsync(topic, message, partition, cancellationToken);

    /// <summary>Makes the topic, connects, and asks where its partitions are.</summary>
    public Task PrepareAsync(string topic, CancellationToken cancellationToken) => TakeAsync(topic, null, null, cancellationToken);

    private async Task<EventPosition> TakeAsync(
        string topic, QueueEvent? message, int? partition, CancellationToken cancellationToken)
    {
        var pending = new Pending(topic, message, partition, _time.GetUtcNow());
        try
        {
            var place = _waiting.Writer.WriteAsync(pending, cancellationToken);
            if (!place.IsCompletedSuccessfully) await place.AsTask().WaitAsync(_options.PublishTimeout, _time, cancellationToken);
            // The client library has the same limit: this one is for what waits before it.
            return await pending.Task.WaitAsync(_options.PublishTimeout * 1.5, _time, cancellationToken);
        }
        catch (ChannelClosedException)
        {
            throw new ObjectDisposedException(nameof(KafkaEventQueue));
        }
        catch (TimeoutException e)
        {
            throw new QueueUnavailableException($"Kafka did not take the event for '{topic}' within {_options.PublishTimeout.TotalSeconds:0.#} s", e);
        }
    }

    /// <summary>Stores what waits, for 10 s at most; what is left then fails.</summary>
    public async ValueTask DisposeAsync()
    {
        _waiting.Writer.TryComplete();
        await _running;
        if (_producer is not null) await Task.Run(() => Close(_producer));
    }

    private async Task RunAsync()
    {
        while (await _waiting.Reader.WaitToReadAsync())
            while (_waiting.Reader.TryRead(out var pending))
                await ProduceAsync(pending);
    }

    private async Task ProduceAsync(Pending pending)
    {
        try
        {
            if (!_topics.IsKnown(pending.Topic)) await _topics.EnsureAsync(pending.Topic);
            if (pending.IsPreparation)
            {
                await PrepareAsync(pending);
                return;
            }

            await _places.WaitAsync();
            while (true)
            {
                try
                {
                    Produce(pending);
                    return;
                }
                catch (ProduceException<string, byte[]> e) when (e.Error.Code is ErrorCode.Local_QueueFull)
                {
                    await Task.Delay(Full, _time);
                }
                catch
                {
                    _places.Release();
                    throw;
                }
            }
        }
        catch (KafkaException e)
        {
            pending.Fail(Explain(e.Error, pending, e));
        }
        catch (Exception e)
        {
            pending.Fail(e as QueueUnavailableException ?? new QueueUnavailableException($"the event can't be given to Kafka: {e.Message}", e));
        }
    }

    private async Task PrepareAsync(Pending pending)
    {
        using var admin = new DependentAdminClientBuilder(Producer().Handle).Build();
        await Task.Run(() => admin.GetMetadata(pending.Topic, _options.PublishTimeout));
        pending.Complete(default);
    }

    private IProducer<string, byte[]> Producer()
    {
        if (_failed && _producer is not null)
        {
            // A fatal error ends an idempotent producer for good; what it had not sent has failed with it.
            Close(_producer);
            _producer = null;
        }

        return _producer ??= Make();
    }

    private void Produce(Pending pending)
    {
        var producer = Producer();
        var target = new TopicPartition(pending.Topic, pending.Partition ?? Partition.Any);
        producer.Produce(target, pending.Message(), report =>
        {
            _places.Release();
            if (report.Error.IsError) pending.Fail(Explain(report.Error, pending, null));
            else pending.Complete(new(report.Partition.Value, report.Offset.Value));
        });
    }

    private IProducer<string, byte[]> Make()
    {
        _failed = false;
        var config = _settings.Apply(new ProducerConfig
        {
            // Acknowledged means that every in-sync replica has it…
            Acks = Acks.All,
            // …and the broker drops the repeats of the client's own retries and keeps the order of what is in flight.
            EnableIdempotence = true,
            MaxInFlight = 5,
            LingerMs = _settings.Linger.TotalMilliseconds,
            CompressionType = CompressionType.Lz4,
            // As the Java client does, so that others find the same partition for a key.
            Partitioner = Partitioner.Murmur2Random,
            MessageTimeoutMs = (int)_options.PublishTimeout.TotalMilliseconds,
            // A broker that is frozen must not cost more than a publish may take.
            RequestTimeoutMs = (int)Math.Min(10_000, _options.PublishTimeout.TotalMilliseconds),
            SocketTimeoutMs = (int)Math.Clamp(_options.PublishTimeout.TotalMilliseconds, 10_000, 60_000),
            MessageMaxBytes = _options.MaxPayloadBytes + KafkaTopics.Overhead,
            QueueBufferingMaxMessages = _options.PublishQueue,
            QueueBufferingMaxKbytes = 256 * 1024,
            StatisticsIntervalMs = (int)_settings.StatisticsInterval.TotalMilliseconds,
        });
        return new ProducerBuilder<string, byte[]>(config)
            .SetErrorHandler((_, e) =>
            {
                if (e.IsFatal) _failed = true;
                _logger.KafkaError("producer", e.Code.ToString(), e.Reason);
            })
            .SetLogHandler((_, log) => _logger.KafkaLog(log.Name, log.Facility, log.Message))
            .SetStatisticsHandler((_, json) => _statistics.Take(json))
            .Build();
    }

    private void Close(IProducer<string, byte[]> producer)
    {
        producer.Flush(_options.PublishTimeout < LastMoment ? _options.PublishTimeout : LastMoment);
        producer.Dispose();
    }

    private static Exception Explain(Error error, Pending pending, Exception? cause) => error.Code switch
    {
        ErrorCode.MsgSizeTooLarge or ErrorCode.InvalidMsgSize or ErrorCode.RecordListTooLarge => new ArgumentException(
            $"Kafka refuses the event of {pending.PayloadBytes} bytes for '{pending.Topic}': raise max.message.bytes of the topic, or lower Queue:MaxPayloadBytes", cause),
        _ => new QueueUnavailableException($"Kafka did not take the event for '{pending.Topic}': {error.Reason} ({error.Code})", cause),
    };

    private sealed class Pending(string topic, QueueEvent? queueEvent, int? partition, DateTimeOffset now)
    {
        private readonly TaskCompletionSource<EventPosition> _done = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public string Topic => topic;

        public int? Partition => partition;

        /// <summary>Nothing is to be published, only everything to be ready for it.</summary>
        public bool IsPreparation => queueEvent is null;

        public int PayloadBytes => queueEvent?.Payload.Length ?? 0;

        public Task<EventPosition> Task => _done.Task;

        public void Complete(EventPosition position) => _done.TrySetResult(position);

        public void Fail(Exception error) => _done.TrySetException(error);

        public Message<string, byte[]> Message()
        {
            var headers = new Headers { { EventHeaders.Type, Encoding.UTF8.GetBytes(queueEvent!.Type) } };
            foreach (var (name, value) in queueEvent.Headers) headers.Add(name, Encoding.UTF8.GetBytes(value));
            return new() { Key = queueEvent.Key, Value = queueEvent.Payload.ToArray(), Headers = headers, Timestamp = new(now) };
        }
    }
}
