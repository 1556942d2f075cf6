using System.Diagnostics.Metrics;

namespace WhatsAspire.FanoutWorker;

/// <summary>The names under which the worker is seen in metrics.</summary>
internal static class FanoutTelemetry
{
    public const string Name = "WhatsAspire.FanoutWorker";

    public const string Events = "whatsaspire.fanout.events";
    public const string Failures = "whatsaspire.fanout.failures";

    public const string Outcome = "outcome";
    public const string Reason = "reason";
}

/// <summary>What the worker counts beside <see cref="Backplane.EdgeTransport.DeliveryMetrics"/>.</summary>
internal sealed class FanoutWorkerMetrics
{
    private readonly Counter<long> _events;
    private readonly Counter<long> _failures;

    public FanoutWorkerMetrics(IMeterFactory meters)
    {
        var meter = meters.Create(FanoutTelemetry.Name);
        _events = meter.CreateCounter<long>(FanoutTelemetry.Events, "{event}", "Events from the queue, by outcome");
        _failures = meter.CreateCounter<long>(FanoutTelemetry.Failures, "{call}", "Calls to edges that were not confirmed, by reason");
    }

    /// <param name="outcome">delivered, partial (the rest is tried again), retried, expired, missing, or unreadable.</param>
    public void Handled(string outcome) => _events.Add(1, new KeyValuePair<string, object?>(FanoutTelemetry.Outcome, outcome));

    /// <param name="reason">timeout, refused, or avoided: not called since it failed a moment ago.</param>
    public void Failed(string reason) => _failures.Add(1, new KeyValuePair<string, object?>(FanoutTelemetry.Reason, reason));
}
