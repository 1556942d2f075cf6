using System.Collections.Concurrent;

namespace WhatsAspire.PushWorker;

/// <summary>Leaves a provider in peace that is in trouble as a whole, or that slows us down: after some failures in a row, or at
/// its own word, nothing is sent to it for a while. What is due then waits as if it had failed.</summary>
internal sealed class ProviderCircuits(TimeProvider time)
{
    private const int FailuresInARow = 5;
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(1);
    private readonly ConcurrentDictionary<string, Circuit> _circuits = new(StringComparer.Ordinal);

    private sealed class Circuit
    {
        public int Failures { get; set; }
        public DateTimeOffset OpenUntil { get; set; }
    }

    /// <summary>How long nothing may be sent; null: it may.</summary>
    public TimeSpan? Open(string provider)
    {
        var circuit = Of(provider);
        lock (circuit)
        {
            var left = circuit.OpenUntil - time.GetUtcNow();
            return left > TimeSpan.Zero ? left : null;
        }
    }

    /// <summary>The provider answered, whatever it said of the device.</summary>
    public void Answered(string provider)
    {
        var circuit = Of(provider);
        lock (circuit) circuit.Failures = 0;
    }

    /// <summary>The provider as a whole could not take a notification.</summary>
    /// <param name="provider">Which.</param>
    /// <param name="asked">How long it wants to be left in peace, or null.</param>
    /// <returns>True when it is left in peace from now on, and was not before.</returns>
    public bool Failed(string provider, TimeSpan? asked)
    {
        var circuit = Of(provider);
        lock (circuit)
        {
            circuit.Failures++;
            var wait = circuit.Failures >= FailuresInARow
                ? TimeSpan.FromSeconds(Math.Min(Longest.TotalSeconds, Math.Pow(2, Math.Min(circuit.Failures - FailuresInARow, 10))))
                : TimeSpan.Zero;
            if (asked > wait) wait = asked.Value;
            var now = time.GetUtcNow();
            var wasOpen = circuit.OpenUntil > now;
            if (now + wait > circuit.OpenUntil) circuit.OpenUntil = now + wait;
            return !wasOpen && wait > TimeSpan.Zero;
        }
    }

    private Circuit Of(string provider) => _circuits.GetOrAdd(provider, static _ => new());
}
