using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Text.Json;

namespace WhatsAspire.Backplane.Queue.Kafka;

/// <summary>Of the client library's statistics what a person on call needs: how much waits to be sent, and how long brokers
/// take to answer.</summary>
internal sealed class KafkaStatistics
{
    private readonly ConcurrentDictionary<string, double> _roundTrips = new(StringComparer.Ordinal);
    private long _queued;

    public KafkaStatistics(Meter meter)
    {
        meter.CreateObservableGauge(
            BackplaneTelemetry.KafkaQueued, () => Volatile.Read(ref _queued), "{message}", "Events that the client holds and no broker has acknowledged");
        meter.CreateObservableGauge(BackplaneTelemetry.KafkaRoundTrip, ObserveRoundTrips, "s", "Average time that a broker takes to answer");
    }

    /// <summary>Takes the producer's statistics, as JSON: github.com/confluentinc/librdkafka/blob/master/STATISTICS.md.</summary>
    public void Take(string json)
    {
        using var statistics = JsonDocument.Parse(json);
        var root = statistics.RootElement;
        if (root.TryGetProperty("msg_cnt", out var queued)) Volatile.Write(ref _queued, queued.GetInt64());
        if (!root.TryGetProperty("brokers", out var brokers)) return;
        foreach (var broker in brokers.EnumerateObject())
        {
            // Those with a negative id are the addresses to start from.
            if (broker.Value.TryGetProperty("nodeid", out var id) && id.GetInt32() >= 0
                && broker.Value.TryGetProperty("rtt", out var rtt) && rtt.TryGetProperty("avg", out var average))
                _roundTrips[broker.Value.GetProperty("nodename").GetString() ?? broker.Name] = average.GetInt64() / 1e6;
        }
    }

    private IEnumerable<Measurement<double>> ObserveRoundTrips()
    {
        foreach (var (broker, seconds) in _roundTrips)
            yield return new(seconds, new KeyValuePair<string, object?>(BackplaneTelemetry.ServerAddress, broker));
    }
}
