using Google.Protobuf;

namespace WhatsAspire.Contracts;

/// <summary>Ids as the protobuf messages carry them: sixteen bytes in network order.</summary>
public static class WireId
{
    public static ByteString ToBytes(this UserId id) => ToBytes(id.Value);
    public static ByteString ToBytes(this DeviceId id) => ToBytes(id.Value);
    public static ByteString ToBytes(this ConnectionId id) => ToBytes(id.Value);
    public static ByteString ToBytes(this MessageId id) => ToBytes(id.Value);
    public static ByteString ToBytes(this ConversationId id) => ToBytes(id.Value);

    /// <exception cref="ArgumentException">Not sixteen bytes.</exception>
    public static Guid ToGuid(this ByteString bytes)
    {
        ArgumentNullException.ThrowIfNull(bytes);
        return new(bytes.Span, bigEndian: true);
    }

    public static UserId ToUserId(this ByteString bytes) => new(bytes.ToGuid());
    public static DeviceId ToDeviceId(this ByteString bytes) => new(bytes.ToGuid());
    public static ConnectionId ToConnectionId(this ByteString bytes) => new(bytes.ToGuid());
    public static MessageId ToMessageId(this ByteString bytes) => new(bytes.ToGuid());
    public static ConversationId ToConversationId(this ByteString bytes) => new(bytes.ToGuid());

    private static ByteString ToBytes(Guid id)
    {
        var bytes = new byte[16];
        id.TryWriteBytes(bytes, bigEndian: true, out _);
        return UnsafeByteOperations.UnsafeWrap(bytes);
    }
}
