using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace WhatsAspire.Cql;

/// <summary>The figures of one session.</summary>
internal sealed class CqlMetrics : IDisposable
{
    /// <summary>Seconds, as the conventions advise for database calls.</summary>
    private static readonly double[] DurationBoundaries = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10];

    private static readonly KeyValuePair<string, object?> System = new(CqlTelemetry.SystemNameAttribute, CqlTelemetry.SystemName);

    private readonly Meter? _own;
    private readonly Histogram<double> _duration;
    private readonly UpDownCounter<int> _connections;
    private readonly UpDownCounter<int> _inFlight;
    private readonly UpDownCounter<int> _nodesUp;
    private readonly Counter<long> _connectionFailures;
    private readonly Counter<long> _retries;
    private readonly Counter<long> _speculative;
    private readonly Counter<long> _orphans;

    public CqlMetrics(IMeterFactory? meters)
    {
        var meter = meters?.Create(CqlTelemetry.SourceName) ?? (_own = new(CqlTelemetry.SourceName));
        _duration = meter.CreateHistogram(CqlTelemetry.OperationDuration, "s", "How long a call took, over all tries.",
            advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = DurationBoundaries });
        _connections = meter.CreateUpDownCounter<int>(CqlTelemetry.ConnectionCount, "{connection}", "Open connections.");
        _inFlight = meter.CreateUpDownCounter<int>(CqlTelemetry.RequestsInFlight, "{request}", "Calls that have not ended.");
        _nodesUp = meter.CreateUpDownCounter<int>(CqlTelemetry.NodesUp, "{node}", "Nodes with a connection.");
        _connectionFailures = meter.CreateCounter<long>(CqlTelemetry.ConnectionFailures, "{failure}", "Connections that broke or could not be made.");
        _retries = meter.CreateCounter<long>(CqlTelemetry.Retries, "{retry}", "Tries after the first one.");
        _speculative = meter.CreateCounter<long>(CqlTelemetry.SpeculativeExecutions, "{execution}", "Tries begun because the one before was slow.");
        _orphans = meter.CreateCounter<long>(CqlTelemetry.Orphans, "{request}", "Requests that were given up before their answer came.");
    }

    public bool IsDurationWanted => _duration.Enabled;

    public void Ended(TimeSpan duration, string operation, string? keyspace, string? error)
    {
        var tags = new TagList { System, new(CqlTelemetry.OperationNameAttribute, operation) };
        if (keyspace is not null)
            tags.Add(CqlTelemetry.NamespaceAttribute, keyspace);
        if (error is not null)
            tags.Add(CqlTelemetry.ErrorTypeAttribute, error);
        _duration.Record(duration.TotalSeconds, tags);
    }

    public void InFlight(int change) => _inFlight.Add(change, System);

    public void Connections(int change) => _connections.Add(change, System);

    public void NodesUp(int change) => _nodesUp.Add(change, System);

    public void ConnectionFailed() => _connectionFailures.Add(1, System);

    public void Retried() => _retries.Add(1, System);

    public void Speculated() => _speculative.Add(1, System);

    public void Orphaned() => _orphans.Add(1, System);

    /// <summary>A factory's meter is the factory's to dispose of.</summary>
    public void Dispose() => _own?.Dispose();
}
