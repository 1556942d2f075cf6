using System.Diagnostics;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace WhatsAspire.Backplane.Queue;

/// <summary>What every adapter of <see cref="IEventQueue"/> does alike: limits, trace context, metrics, dead
/// letters.</summary>
public abstract class EventQueue : IEventQueue, IAsyncDisposable
{
    internal const string DeadSuffix = ".dead";
    private static readonly System.Buffers.SearchValues<char> NameLetters =
        System.Buffers.SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_");

    private readonly DeadLetterTopics _deadLetters;
    private int _closed;

    private protected EventQueue(string engine, IOptions<QueueOptions> options, QueueMetrics metrics, TimeProvider time, ILogger logger)
    {
        ArgumentNullException.ThrowIfNull(options);
        (Engine, Options, Metrics, Time, Logger) = (engine, options.Value, metrics, time, logger);
        _deadLetters = new(this);
    }

    /// <summary>The value of <c>messaging.system</c>.</summary>
    internal string Engine { get; }

    internal QueueOptions Options { get; }

    internal QueueMetrics Metrics { get; }

    internal TimeProvider Time { get; }

    internal ILogger Logger { get; }

    public IDeadLetters DeadLetters => _deadLetters;

    private protected bool IsClosed => Volatile.Read(ref _closed) != 0;

    public Task<EventPosition> PublishAsync(string topic, QueueEvent message, CancellationToken cancellationToken)
    {
        CheckTopic(topic);
        ArgumentNullException.ThrowIfNull(message);
        if (message.Key.Length is 0 or > 256) throw new ArgumentException("an event's key has 1 to 256 characters", nameof(message));
        if (message.Type.Length is 0 or > 128) throw new ArgumentException("an event's type has 1 to 128 characters", nameof(message));
        if (message.Payload.Length > Options.MaxPayloadBytes)
            throw new ArgumentException(
                $"the payload has {message.Payload.Length} bytes; Queue:MaxPayloadBytes allows {Options.MaxPayloadBytes}", nameof(message));
        if (EventHeaders.Check(message.Headers) is { } fault) throw new ArgumentException(fault, nameof(message));
        return PublishCheckedAsync(topic, message, null, cancellationToken);
    }

    public virtual Task PrepareAsync(string topic, CancellationToken cancellationToken)
    {
        CheckTopic(topic);
        ObjectDisposedException.ThrowIf(IsClosed, this);
        return Task.CompletedTask;
    }

    public Task<IQueueSubscription> SubscribeAsync(string topic, string group, QueueHandler handler, CancellationToken cancellationToken)
    {
        CheckTopic(topic);
        CheckName(group, nameof(group));
        ArgumentNullException.ThrowIfNull(handler);
        ObjectDisposedException.ThrowIf(IsClosed, this);
        return SubscribeCoreAsync(topic, group, handler, cancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _closed, 1) != 0) return;
        await CloseAsync();
        GC.SuppressFinalize(this);
    }

    /// <summary>Publishes what was checked, or what the queue itself writes.</summary>
    /// <param name="topic">Any, dead-letter topics too.</param>
    /// <param name="message">With whatever headers.</param>
    /// <param name="partition">Where the key does not decide.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    internal async Task<EventPosition> PublishCheckedAsync(
        string topic, QueueEvent message, int? partition, CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(IsClosed, this);
        var started = Time.GetTimestamp();
        using var activity = BackplaneTelemetry.Source.StartActivity($"publish {topic}", ActivityKind.Producer);
        Describe(activity, topic, "publish", "send");
        activity?.SetTag(BackplaneTelemetry.BodySize, message.Payload.Length);
        try
        {
            var position = await StoreAsync(topic, Traced(message), partition, cancellationToken);
            activity?.SetTag(BackplaneTelemetry.Partition, position.Partition);
            Metrics.Published(Engine, topic, Time.GetElapsedTime(started), null);
            return position;
        }
        catch (Exception e)
        {
            activity?.SetStatus(ActivityStatusCode.Error, e.Message);
            Metrics.Published(Engine, topic, Time.GetElapsedTime(started), e.GetType().FullName);
            throw;
        }
    }

    internal void Describe(System.Diagnostics.Activity? activity, string topic, string operation, string type)
    {
        if (activity is not { IsAllDataRequested: true }) return;
        activity.SetTag(BackplaneTelemetry.System, Engine);
        activity.SetTag(BackplaneTelemetry.OperationName, operation);
        activity.SetTag(BackplaneTelemetry.OperationType, type);
        activity.SetTag(BackplaneTelemetry.Destination, topic);
    }

    /// <summary>The offsets that are kept of a topic: none where it does not exist.</summary>
    internal abstract Task<IReadOnlyList<PartitionRange>> RangesAsync(string topic, CancellationToken cancellationToken);

    /// <summary>Events of one partition from <paramref name="from"/> on and before <paramref name="end"/>, ascending; none
    /// only when there are none.</summary>
    internal abstract Task<IReadOnlyList<ReceivedEvent>> ReadAsync(
        string topic, int partition, long from, long end, int limit, CancellationToken cancellationToken);

    /// <summary>Stores an event durably; keeps the order of the calls for each key.</summary>
    private protected abstract Task<EventPosition> StoreAsync(
        string topic, QueueEvent message, int? partition, CancellationToken cancellationToken);

    private protected abstract Task<IQueueSubscription> SubscribeCoreAsync(
        string topic, string group, QueueHandler handler, CancellationToken cancellationToken);

    /// <summary>Ends the subscriptions, then stores what waits. Called once.</summary>
    private protected abstract Task CloseAsync();

    private static QueueEvent Traced(QueueEvent message)
    {
        if (System.Diagnostics.Activity.Current is not { IdFormat: ActivityIdFormat.W3C, Id: { } parent } current) return message;
        var headers = new Dictionary<string, string>(message.Headers, StringComparer.Ordinal) { [EventHeaders.TraceParent] = parent };
        if (current.TraceStateString is { Length: > 0 } state) headers[EventHeaders.TraceState] = state;
        return message with { Headers = headers };
    }

    internal static void CheckTopic(string topic)
    {
        CheckName(topic, nameof(topic));
        if (topic.EndsWith(DeadSuffix, StringComparison.Ordinal))
            throw new ArgumentException($"'{topic}' holds dead letters; name the topic that they are of", nameof(topic));
    }

    private static void CheckName(string name, string parameter)
    {
        ArgumentNullException.ThrowIfNull(name, parameter);
        if (name.Length is 0 or > 200 || name.AsSpan().ContainsAnyExcept(NameLetters))
            throw new ArgumentException($"'{name}' must have 1 to 200 of the letters, digits, '.', '-' and '_'", parameter);
    }
}

/// <summary>The kept offsets of a partition: <paramref name="First"/> up to, and not including,
/// <paramref name="End"/>.</summary>
internal readonly record struct PartitionRange(int Partition, long First, long End);
