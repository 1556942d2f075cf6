using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace WhatsAspire.FanoutWorker;

/// <summary>The names under which the worker is seen in metrics.</summary>
internal static class FanoutTelemetry
{
    public const string Name = "WhatsAspire.FanoutWorker";

    public const string Events = "whatsaspire.fanout.events";
    public const string Latency = "whatsaspire.fanout.latency";
    public const string Deliveries = "whatsaspire.fanout.deliveries";
    public const string EdgeCalls = "whatsaspire.fanout.edge_calls";
    public const string Failures = "whatsaspire.fanout.failures";

    public const string Outcome = "outcome";
    public const string Path = "path";
    public const string GroupSize = "group_size";
    public const string Reason = "reason";
}

/// <summary>What the worker counts.</summary>
internal sealed class FanoutWorkerMetrics
{
    private readonly Counter<long> _events;
    private readonly Histogram<double> _latency;
    private readonly Counter<long> _deliveries;
    private readonly Histogram<long> _edgeCalls;
    private readonly Counter<long> _failures;

    public FanoutWorkerMetrics(IMeterFactory meters)
    {
        var meter = meters.Create(FanoutTelemetry.Name);
        _events = meter.CreateCounter<long>(FanoutTelemetry.Events, "{event}", "Events from the queue, by outcome");
        _latency = meter.CreateHistogram<double>(
            FanoutTelemetry.Latency, "s", "From the append of an entry until all edges have confirmed it, by path and size of the group");
        _deliveries = meter.CreateCounter<long>(FanoutTelemetry.Deliveries, "{delivery}", "Members whose edges have confirmed an entry");
        _edgeCalls = meter.CreateHistogram<long>(FanoutTelemetry.EdgeCalls, "{call}", "Calls to edges for one event");
        _failures = meter.CreateCounter<long>(FanoutTelemetry.Failures, "{call}", "Calls to edges that were not confirmed, by reason");
    }

    /// <param name="outcome">delivered, partial (the rest is tried again), retried, expired, missing, or unreadable.</param>
    public void Handled(string outcome) => _events.Add(1, new KeyValuePair<string, object?>(FanoutTelemetry.Outcome, outcome));

    public void Delivered(TimeSpan sinceAppend, bool isRetry, int members) => _latency.Record(sinceAppend.TotalSeconds, new TagList
    {
        { FanoutTelemetry.Path, isRetry ? "retry" : "queue" },
        { FanoutTelemetry.GroupSize, SizeOf(members) },
    });

    public void Confirmed(int members) => _deliveries.Add(members);

    public void Called(int edges) => _edgeCalls.Record(edges);

    /// <param name="reason">timeout, refused, or avoided: not called since it failed a moment ago.</param>
    public void Failed(string reason) => _failures.Add(1, new KeyValuePair<string, object?>(FanoutTelemetry.Reason, reason));

    private static string SizeOf(int members) => members switch
    {
        <= 10 => "1-10",
        <= 100 => "11-100",
        <= 500 => "101-500",
        _ => "501-",
    };
}
