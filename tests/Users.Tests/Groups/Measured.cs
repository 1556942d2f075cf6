using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using WhatsAspire.MessageApi;

namespace WhatsAspire.Users.Tests.Groups;

/// <summary>What one instrument of the message API measured meanwhile, of one process' meters.</summary>
internal sealed class Measured : IDisposable
{
    private readonly MeterListener _listener = new();
    private readonly ConcurrentQueue<(long Value, string? Type)> _all = new();

    public Measured(IMeterFactory meters, string instrument)
    {
        _listener.InstrumentPublished = (published, listener) =>
        {
            if (published.Name == instrument && published.Meter.Name == ApiTelemetry.Name && published.Meter.Scope == meters)
                listener.EnableMeasurementEvents(published);
        };
        _listener.SetMeasurementEventCallback<long>((_, value, tags, _) => Add(value, tags));
        _listener.SetMeasurementEventCallback<int>((_, value, tags, _) => Add(value, tags));
        _listener.Start();
    }

    public IEnumerable<long> Values => _all.Select(m => m.Value);
    public IEnumerable<string?> Types => _all.Select(m => m.Type);

    public void Dispose() => _listener.Dispose();

    private void Add(long value, ReadOnlySpan<KeyValuePair<string, object?>> tags) =>
        _all.Enqueue((value, tags.Length > 0 ? tags[0].Value as string : null));
}
