using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Globalization;

namespace WhatsAspire.Backplane.Queue;

/// <summary>What the queue counts.</summary>
public sealed class QueueMetrics
{
    private readonly Histogram<double> _operations;
    private readonly Counter<long> _sent;
    private readonly Counter<long> _consumed;
    private readonly Histogram<double> _processing;
    private readonly Counter<long> _retries;
    private readonly Counter<long> _dead;
    private readonly ConcurrentDictionary<object, Func<IEnumerable<PartitionLag>>> _lags = new();

    public QueueMetrics(IMeterFactory meters)
    {
        ArgumentNullException.ThrowIfNull(meters);
        Meter = meters.Create(BackplaneTelemetry.Name);
        _operations = Meter.CreateHistogram<double>(
            BackplaneTelemetry.OperationDuration, "s", "From the call to the engine's answer, by operation");
        _sent = Meter.CreateCounter<long>(BackplaneTelemetry.SentMessages, "{message}", "Events that were published, or could not be");
        _consumed = Meter.CreateCounter<long>(BackplaneTelemetry.ConsumedMessages, "{message}", "Events that were given to a handler for the first time");
        _processing = Meter.CreateHistogram<double>(BackplaneTelemetry.ProcessDuration, "s", "One handler call");
        _retries = Meter.CreateCounter<long>(BackplaneTelemetry.Retries, "{message}", "Handler calls that have to be repeated, by reason");
        _dead = Meter.CreateCounter<long>(BackplaneTelemetry.DeadLetters, "{message}", "Events that went to the dead letters");
        Meter.CreateObservableGauge(BackplaneTelemetry.Lag, ObserveLag, "{message}", "Events that are stored and not done, for each partition of this process");
    }

    internal Meter Meter { get; }

    internal void Published(string system, string topic, TimeSpan duration, string? error)
    {
        var tags = Tags(system, "publish", "send", topic);
        if (error is not null) tags.Add(BackplaneTelemetry.ErrorType, error);
        _operations.Record(duration.TotalSeconds, tags);
        _sent.Add(1, tags);
    }

    internal void Committed(string system, string topic, string group, TimeSpan duration)
    {
        var tags = Tags(system, "commit", "settle", topic);
        tags.Add(BackplaneTelemetry.ConsumerGroup, group);
        _operations.Record(duration.TotalSeconds, tags);
    }

    internal void Consumed(string system, string topic, string group)
    {
        var tags = Tags(system, "process", "process", topic);
        tags.Add(BackplaneTelemetry.ConsumerGroup, group);
        _consumed.Add(1, tags);
    }

    internal void Processed(string system, string topic, string group, TimeSpan duration, string? error)
    {
        var tags = Tags(system, "process", "process", topic);
        tags.Add(BackplaneTelemetry.ConsumerGroup, group);
        if (error is not null) tags.Add(BackplaneTelemetry.ErrorType, error);
        _processing.Record(duration.TotalSeconds, tags);
    }

    internal void Retried(string topic, string group, string reason) => _retries.Add(
        1, new TagList { { BackplaneTelemetry.Destination, topic }, { BackplaneTelemetry.ConsumerGroup, group }, { "reason", reason } });

    internal void Died(string topic, string group) => _dead.Add(
        1, new TagList { { BackplaneTelemetry.Destination, topic }, { BackplaneTelemetry.ConsumerGroup, group } });

    /// <summary>Shows the lags of a subscription until the result is disposed.</summary>
    internal IDisposable ShowLag(Func<IEnumerable<PartitionLag>> read)
    {
        var shown = new Shown(this);
        _lags[shown] = read;
        return shown;
    }

    private IEnumerable<Measurement<long>> ObserveLag()
    {
        foreach (var read in _lags.Values)
            foreach (var lag in read())
                yield return new(lag.Events,
                [
                    new(BackplaneTelemetry.Destination, lag.Topic),
                    new(BackplaneTelemetry.ConsumerGroup, lag.Group),
                    new(BackplaneTelemetry.Partition, lag.Partition.ToString(CultureInfo.InvariantCulture)),
                ]);
    }

    private static TagList Tags(string system, string operation, string type, string topic) => new()
    {
        { BackplaneTelemetry.System, system },
        { BackplaneTelemetry.OperationName, operation },
        { BackplaneTelemetry.OperationType, type },
        { BackplaneTelemetry.Destination, topic },
    };

    private sealed class Shown(QueueMetrics owner) : IDisposable
    {
        public void Dispose() => owner._lags.TryRemove(this, out _);
    }
}

/// <summary>Events of a partition that are stored, and not done for a group.</summary>
internal readonly record struct PartitionLag(string Topic, string Group, int Partition, long Events);
