using System.Diagnostics.Metrics;

namespace WhatsAspire.Backplane.Redelivery;

/// <summary>What is counted of live deliveries that failed.</summary>
public sealed class RedeliveryMetrics
{
    private readonly Counter<long> _failures;
    private readonly Counter<long> _published;
    private readonly Counter<long> _dropped;

    public RedeliveryMetrics(IMeterFactory meters)
    {
        var meter = meters.Create(BackplaneTelemetry.Name);
        _failures = meter.CreateCounter<long>(BackplaneTelemetry.RedeliveryFailures, "{delivery}", "Live deliveries that failed, by reason");
        _published = meter.CreateCounter<long>(BackplaneTelemetry.RedeliveryPublished, "{event}", "Redeliveries that were put on the queue");
        _dropped = meter.CreateCounter<long>(
            BackplaneTelemetry.RedeliveryDropped, "{delivery}", "Failed deliveries that did not get on the queue: the activity check finds them");
    }

    internal void Failed(string reason) => _failures.Add(1, new KeyValuePair<string, object?>("reason", reason));

    internal void Published() => _published.Add(1);

    internal void Dropped(int deliveries, string reason)
    {
        if (deliveries > 0) _dropped.Add(deliveries, new KeyValuePair<string, object?>("reason", reason));
    }
}
