using System.Diagnostics.Metrics;

namespace WhatsAspire.Backplane.Push;

/// <summary>What is counted of users who may have to be pushed to.</summary>
public sealed class PushMetrics
{
    private readonly Counter<long> _published;
    private readonly Counter<long> _dropped;

    public PushMetrics(IMeterFactory meters)
    {
        var meter = meters.Create(BackplaneTelemetry.Name);
        _published = meter.CreateCounter<long>(BackplaneTelemetry.PushPublished, "{event}", "Events that were put on the queue for push, by cause");
        _dropped = meter.CreateCounter<long>(BackplaneTelemetry.PushDropped, "{event}", "Events for push that did not get on the queue, by reason");
    }

    internal void Published(string cause) => _published.Add(1, new KeyValuePair<string, object?>("cause", cause));

    internal void Dropped(int events, string reason)
    {
        if (events > 0) _dropped.Add(events, new KeyValuePair<string, object?>("reason", reason));
    }
}
