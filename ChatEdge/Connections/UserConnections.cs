using WhatsAspire.Contracts;

namespace WhatsAspire.ChatEdge.Connections;

/// <summary>The connections of one user on this edge, and the count of live messages and receipts that came for him.</summary>
internal sealed class UserConnections(UserId user)
{
    private readonly Lock _gate = new();
    private EdgeConnection[] _connections = [];
    private long _received;

    public UserId User { get; } = user;

    /// <summary>A copy that never changes.</summary>
    public EdgeConnection[] All => Volatile.Read(ref _connections);

    /// <summary>Live messages and receipts that were routed to this user here, since the first connection.</summary>
    public long Received => Volatile.Read(ref _received);

    /// <summary>What the activity check remembers of this user; its own.</summary>
    public ActivityBase Activity { get; } = new();

    public void CountReceived() => Interlocked.Increment(ref _received);

    /// <returns>False when the last connection had gone and with it this object.</returns>
    public bool TryAdd(EdgeConnection connection)
    {
        lock (_gate)
        {
            if (IsRetired) return false;
            Volatile.Write(ref _connections, [.. _connections, connection]);
            return true;
        }
    }

    /// <returns>True when this was the last one: nobody can be added any more.</returns>
    public bool Remove(EdgeConnection connection)
    {
        lock (_gate)
        {
            Volatile.Write(ref _connections, Array.FindAll(_connections, c => c != connection));
            IsRetired = _connections.Length == 0;
            return IsRetired;
        }
    }

    private bool IsRetired { get; set; }
}

/// <summary>See <see cref="Routing.ActivityCheck"/>.</summary>
internal sealed class ActivityBase
{
    /// <summary>The mark minus <see cref="UserConnections.Received"/> when both agreed; null before the first look.</summary>
    public long? Offset { get; set; }

    /// <summary>When they last agreed, milliseconds since 1970.</summary>
    public long AgreedAtMs { get; set; }
}
