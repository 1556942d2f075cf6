using System.Collections.Concurrent;
using WhatsAspire.Contracts;
using WhatsAspire.MessageApi.Directory;
using WhatsAspire.ServiceDefaults;

namespace WhatsAspire.MessageApi.Users;

/// <summary>Whether devices are still signed in. What was found is believed for at most a second, so that a logged-out
/// device's access token ends with it on every replica; on the one that logged it out, at once. Only 'yes' is
/// remembered, and all of it is dropped together: nothing to evict, and bounded by <see cref="Capacity"/>.</summary>
public sealed class DeviceSessions(IDirectory directory, TimeProvider time) : IDeviceSessions
{
    private const int Capacity = 100_000;
    private static readonly TimeSpan Age = TimeSpan.FromSeconds(1);
    private volatile Window _window = new(time.GetTimestamp());

    public async ValueTask<bool> IsSignedInAsync(UserId user, DeviceId device, CancellationToken cancellationToken)
    {
        var window = _window;
        if (time.GetElapsedTime(window.Start) >= Age) _window = window = new(time.GetTimestamp());
        if (window.SignedIn.ContainsKey((user, device))) return true;
        if (await directory.FindDeviceAsync(user, device, cancellationToken) is null) return false;
        // Into the window from before the look-up, so that no answer outlives it.
        if (window.Count < Capacity && window.SignedIn.TryAdd((user, device), 0)) window.Added();
        return true;
    }

    /// <summary>The device was logged out.</summary>
    internal void Forget() => _window = new(time.GetTimestamp());

    private sealed class Window(long start)
    {
        private int _count;
        public long Start => start;
        public ConcurrentDictionary<(UserId, DeviceId), byte> SignedIn { get; } = new();
        public int Count => Volatile.Read(ref _count);
        public void Added() => Interlocked.Increment(ref _count);
    }
}
