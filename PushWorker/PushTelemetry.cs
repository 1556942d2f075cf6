using System.Diagnostics.Metrics;

namespace WhatsAspire.PushWorker;

/// <summary>The names under which the worker is seen in metrics.</summary>
internal static class PushTelemetry
{
    public const string Name = "WhatsAspire.PushWorker";

    public const string Events = "whatsaspire.push.events";
    public const string Results = "whatsaspire.push.results";
    public const string Latency = "whatsaspire.push.latency";
    public const string CircuitOpened = "whatsaspire.push.circuit_opened";

    public const string Outcome = "outcome";
    public const string Provider = "provider";
}

/// <summary>What the worker counts.</summary>
internal sealed class PushWorkerMetrics
{
    private readonly Counter<long> _events;
    private readonly Counter<long> _results;
    private readonly Counter<long> _circuits;
    private readonly Histogram<double> _latency;

    public PushWorkerMetrics(IMeterFactory meters)
    {
        var meter = meters.Create(PushTelemetry.Name);
        _events = meter.CreateCounter<long>(PushTelemetry.Events, "{event}", "Events from the queue, by what was found when it was looked again");
        _results = meter.CreateCounter<long>(PushTelemetry.Results, "{notification}", "Notifications, by provider and result");
        _circuits = meter.CreateCounter<long>(PushTelemetry.CircuitOpened, "{circuit}", "How often a provider was left in peace for a while");
        _latency = meter.CreateHistogram<double>(PushTelemetry.Latency, "s", "From the message to the provider's acceptance");
    }

    public void Looked(string outcome) => _events.Add(1, new KeyValuePair<string, object?>(PushTelemetry.Outcome, outcome));

    public void Sent(string provider, string outcome) => _results.Add(1,
        new KeyValuePair<string, object?>(PushTelemetry.Provider, provider), new KeyValuePair<string, object?>(PushTelemetry.Outcome, outcome));

    public void Accepted(string provider, TimeSpan since) =>
        _latency.Record(since.TotalSeconds, new KeyValuePair<string, object?>(PushTelemetry.Provider, provider));

    public void Opened(string provider) => _circuits.Add(1, new KeyValuePair<string, object?>(PushTelemetry.Provider, provider));
}
