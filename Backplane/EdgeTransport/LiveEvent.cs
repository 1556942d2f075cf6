using Google.Protobuf;
using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Edge.V1;

namespace WhatsAspire.Backplane.EdgeTransport;

/// <summary>A frame for every live connection of some users.</summary>
public sealed record LiveEvent
{
    /// <summary>Distinct.</summary>
    public required IReadOnlyList<UserId> Users { get; init; }

    public required DeliveryKind Kind { get; init; }

    /// <summary>The JSON as clients get it; empty for the kinds that close connections.</summary>
    public ReadOnlyMemory<byte> Frame { get; init; }

    /// <summary>What keeps events in order: those of one conversation are handed over in the order routed.</summary>
    public ConversationId Conversation { get; init; }

    /// <summary>Of a message; 0 for frames that are not entries of a log.</summary>
    public long Seq { get; init; }

    /// <summary>Of a receipt: the positions in its frame. They come over several ways, and may come late.</summary>
    public long DeliveredSeq { get; init; }

    public long ReadSeq { get; init; }

    /// <summary>The connection that caused it and knows already.</summary>
    public ConnectionId? Except { get; init; }

    /// <summary>Of the closing kinds: the one connection…</summary>
    public ConnectionId? CloseConnection { get; init; }

    /// <summary>…or all connections of this device.</summary>
    public DeviceId? CloseDevice { get; init; }

    /// <summary>Of a message that a person reads: who wrote it. The other users are pushed to where they are connected nowhere.
    /// Known to the process that routes it alone.</summary>
    public UserId? PushesFrom { get; init; }

    /// <summary>Of a group's entry, to measure how long it takes. Known to the process that routes it alone.</summary>
    public GroupEntry? Group { get; init; }

    /// <summary>No activity mark was raised for it: it does not count as received either.</summary>
    public bool Uncounted { get; init; }

    /// <summary>W3C traceparent, or null.</summary>
    public string? TraceParent { get; init; }

    /// <summary>As another process gets it.</summary>
    public Delivery ToDelivery() => ToDelivery(Users);

    internal Delivery ToDelivery(IReadOnlyList<UserId> users)
    {
        var delivery = new Delivery
        {
            Frame = UnsafeByteOperations.UnsafeWrap(Frame),
            ConversationId = Conversation.ToBytes(),
            Seq = Seq,
            DeliveredSeq = DeliveredSeq,
            ReadSeq = ReadSeq,
            Kind = Kind,
            TraceParent = TraceParent ?? "",
            Uncounted = Uncounted,
        };
        foreach (var user in users) delivery.UserIds.Add(user.ToBytes());
        if (Except is { } except) delivery.ExceptConnectionId = except.ToBytes();
        if (CloseConnection is { } connection) delivery.CloseConnectionId = connection.ToBytes();
        if (CloseDevice is { } device) delivery.CloseDeviceId = device.ToBytes();
        return delivery;
    }

    /// <summary>The event that another process sent.</summary>
    public static LiveEvent From(Delivery delivery)
    {
        ArgumentNullException.ThrowIfNull(delivery);
        var users = new UserId[delivery.UserIds.Count];
        for (var i = 0; i < users.Length; i++) users[i] = delivery.UserIds[i].ToUserId();
        return new()
        {
            Users = users,
            Kind = delivery.Kind,
            Frame = delivery.Frame.Memory,
            Conversation = delivery.ConversationId.ToConversationId(),
            Seq = delivery.Seq,
            DeliveredSeq = delivery.DeliveredSeq,
            ReadSeq = delivery.ReadSeq,
            Except = delivery.ExceptConnectionId.IsEmpty ? null : delivery.ExceptConnectionId.ToConnectionId(),
            CloseConnection = delivery.CloseConnectionId.IsEmpty ? null : delivery.CloseConnectionId.ToConnectionId(),
            CloseDevice = delivery.CloseDeviceId.IsEmpty ? null : delivery.CloseDeviceId.ToDeviceId(),
            TraceParent = delivery.TraceParent.Length == 0 ? null : delivery.TraceParent,
            Uncounted = delivery.Uncounted,
        };
    }
}

/// <param name="Members">How many the group has.</param>
/// <param name="StoredAt">When the entry was appended.</param>
public readonly record struct GroupEntry(int Members, DateTimeOffset StoredAt);

/// <summary>The connections of this process, if it is an edge.</summary>
public interface ILocalDelivery
{
    /// <summary>This edge's id; null where the process holds no connections.</summary>
    string? EdgeId { get; }

    /// <summary>Hands an event to this process's connections of the given user. Never blocks: what a connection
    /// can't take now it is given from the log later.</summary>
    /// <returns>False when the user has no connection here.</returns>
    bool Deliver(UserId user, LiveEvent live);
}

/// <summary>Of a process that holds no connections.</summary>
public sealed class NoLocalDelivery : ILocalDelivery
{
    public string? EdgeId => null;

    public bool Deliver(UserId user, LiveEvent live) => false;
}
