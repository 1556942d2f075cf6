using OpenTelemetry.Trace;

namespace WhatsAspire.ServiceDefaults;

/// <summary>Begins at most so many traces a second, whatever the load: every message when there are few, a sample that
/// costs next to nothing when there are many. Traces that another process began are followed by the parent-based sampler
/// around this one. A token bucket that holds one second's worth.</summary>
internal sealed class RateLimitedSampler(double tracesPerSecond, TimeProvider time) : Sampler
{
    private readonly Lock _gate = new();
    private double _tokens;
    private long _filledAt;

    public override SamplingResult ShouldSample(in SamplingParameters samplingParameters)
    {
        lock (_gate)
        {
            var now = time.GetTimestamp();
            _tokens = Math.Min(tracesPerSecond, _tokens + (time.GetElapsedTime(_filledAt, now).TotalSeconds * tracesPerSecond));
            _filledAt = now;
            if (_tokens < 1) return new(SamplingDecision.Drop);
            _tokens--;
            return new(SamplingDecision.RecordAndSample);
        }
    }
}
