using System.Diagnostics.Metrics;

namespace WhatsAspire.MessageApi.Fanout;

/// <summary>What is counted of the ways that entries of groups take.</summary>
internal sealed class FanoutMetrics
{
    private readonly Counter<long> _entries;

    public FanoutMetrics(IMeterFactory meters) => _entries = meters.Create(ApiTelemetry.Name).CreateCounter<long>(
        ApiTelemetry.Fanouts, "{entry}", "Entries of groups, by the way that they take to the members");

    /// <param name="path">direct, queue, or fallback: directly since the queue did not take it.</param>
    /// <param name="entries">How many.</param>
    public void Decided(string path, int entries) => _entries.Add(entries, new KeyValuePair<string, object?>("path", path));
}
