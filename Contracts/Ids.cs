using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace WhatsAspire.Contracts;

/// <summary>A user account. A random UUID, lower case on the wire.</summary>
[JsonConverter(typeof(UserIdConverter))]
public readonly record struct UserId(Guid Value) : IComparable<UserId>
{
    public static UserId New() => new(Guid.NewGuid());

    /// <summary>Orders by the sixteen bytes in network order, as the text form sorts.</summary>
    public int CompareTo(UserId other) => Value.CompareTo(other.Value);

    public override string ToString() => Value.ToString("D", CultureInfo.InvariantCulture);
    public static bool operator <(UserId left, UserId right) => left.CompareTo(right) < 0;
    public static bool operator >(UserId left, UserId right) => left.CompareTo(right) > 0;
    public static bool operator <=(UserId left, UserId right) => left.CompareTo(right) <= 0;
    public static bool operator >=(UserId left, UserId right) => left.CompareTo(right) >= 0;
}

/// <summary>One signed-in device of a user.</summary>
[JsonConverter(typeof(DeviceIdConverter))]
public readonly record struct DeviceId(Guid Value)
{
    public static DeviceId New() => new(Guid.NewGuid());
    public override string ToString() => Value.ToString("D", CultureInfo.InvariantCulture);
}

/// <summary>One client connection to one edge. Time-ordered (UUIDv7, RFC 9562 section 5.7), so that of two
/// connections of the same device the greater one is the newer.</summary>
[JsonConverter(typeof(ConnectionIdConverter))]
public readonly record struct ConnectionId(Guid Value) : IComparable<ConnectionId>
{
    public static ConnectionId New(TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(time);
        return new(Guid.CreateVersion7(time.GetUtcNow()));
    }

    public int CompareTo(ConnectionId other) => Value.CompareTo(other.Value);
    public override string ToString() => Value.ToString("D", CultureInfo.InvariantCulture);
    public static bool operator <(ConnectionId left, ConnectionId right) => left.CompareTo(right) < 0;
    public static bool operator >(ConnectionId left, ConnectionId right) => left.CompareTo(right) > 0;
    public static bool operator <=(ConnectionId left, ConnectionId right) => left.CompareTo(right) <= 0;
    public static bool operator >=(ConnectionId left, ConnectionId right) => left.CompareTo(right) >= 0;
}

/// <summary>A message. A version-1 time UUID that the server makes; see <see cref="MessageIdGenerator"/>.</summary>
[JsonConverter(typeof(MessageIdConverter))]
public readonly record struct MessageId(Guid Value)
{
    public override string ToString() => Value.ToString("D", CultureInfo.InvariantCulture);
}

/// <summary>A conversation. A group's is its group id; a one-to-one's follows from its two users.</summary>
[JsonConverter(typeof(ConversationIdConverter))]
public readonly record struct ConversationId(Guid Value)
{
    /// <summary>The namespace of one-to-one conversations. Part of the protocol: clients may derive ids with it.</summary>
    public static readonly Guid DirectNamespace = new("6f1c2f0a-5b0e-4c55-9d6e-0d6c1b8f7a21");

    /// <summary>Whether it is a one-to-one's: those alone have version 5, a group's is random (version 4).</summary>
    public bool IsDirect => Value.Version == 5;

    /// <summary>A new group's.</summary>
    public static ConversationId NewGroup() => new(Guid.NewGuid());

    /// <summary>The one-to-one conversation of two users: UUIDv5 (RFC 9562 section 5.5) over
    /// <see cref="DirectNamespace"/> and the two ids' sixteen bytes each, the smaller first. The order of the
    /// arguments does not matter.</summary>
    public static ConversationId Direct(UserId a, UserId b)
    {
        if (b < a) (a, b) = (b, a);
        Span<byte> input = stackalloc byte[48];
        DirectNamespace.TryWriteBytes(input, bigEndian: true, out _);
        a.Value.TryWriteBytes(input[16..], bigEndian: true, out _);
        b.Value.TryWriteBytes(input[32..], bigEndian: true, out _);
        Span<byte> hash = stackalloc byte[20];
        SHA1.HashData(input, hash); // RFC 9562 prescribes SHA-1 for version 5: it names, it does not protect.
        hash[6] = (byte)((hash[6] & 0x0f) | 0x50);
        hash[8] = (byte)((hash[8] & 0x3f) | 0x80);
        return new(new Guid(hash[..16], bigEndian: true));
    }

    public override string ToString() => Value.ToString("D", CultureInfo.InvariantCulture);
}

/// <summary>Makes version-1 UUIDs (RFC 9562 section 5.1): 100 ns ticks since 1582-10-15, strictly rising within the
/// process, with a random clock sequence and a random node id that has the multicast bit set (section 6.10).
/// Safe for concurrent use.</summary>
public sealed class MessageIdGenerator
{
    private const long TicksFrom0001To1582 = 499_163_040_000_000_000;
    private readonly TimeProvider _time;
    private readonly ulong _low;
    private long _last;

    public MessageIdGenerator(TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(time);
        _time = time;
        Span<byte> random = stackalloc byte[8];
        RandomNumberGenerator.Fill(random);
        random[0] = (byte)((random[0] & 0x3f) | 0x80);
        random[2] |= 0x01;
        _low = BinaryPrimitives.ReadUInt64BigEndian(random);
    }

    /// <summary>The next id; later than every one that this generator made before, even if the clock went back.</summary>
    public MessageId Next()
    {
        var now = _time.GetUtcNow().UtcTicks - TicksFrom0001To1582;
        long last, next;
        do
        {
            last = Volatile.Read(ref _last);
            next = Math.Max(now, last + 1);
        }
        while (Interlocked.CompareExchange(ref _last, next, last) != last);

        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, (uint)next);
        BinaryPrimitives.WriteUInt16BigEndian(bytes[4..], (ushort)(next >> 32));
        BinaryPrimitives.WriteUInt16BigEndian(bytes[6..], (ushort)(0x1000 | ((next >> 48) & 0x0fff)));
        BinaryPrimitives.WriteUInt64BigEndian(bytes[8..], _low);
        return new(new Guid(bytes, bigEndian: true));
    }
}

/// <summary>Reads and writes an id as a UUID string; anything else is a <see cref="JsonException"/>.</summary>
public abstract class IdConverter<T>(Func<Guid, T> make, Func<T, Guid> value) : JsonConverter<T>
{
    public override T Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType == JsonTokenType.String && reader.TryGetGuid(out var id) ? make(id)
            : throw new JsonException("expected a UUID such as 6f1c2f0a-5b0e-4c55-9d6e-0d6c1b8f7a21");

    public override void Write(Utf8JsonWriter writer, T id, JsonSerializerOptions options)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.WriteStringValue(value(id));
    }
}

public sealed class UserIdConverter() : IdConverter<UserId>(g => new(g), i => i.Value);
public sealed class DeviceIdConverter() : IdConverter<DeviceId>(g => new(g), i => i.Value);
public sealed class ConnectionIdConverter() : IdConverter<ConnectionId>(g => new(g), i => i.Value);
public sealed class MessageIdConverter() : IdConverter<MessageId>(g => new(g), i => i.Value);
public sealed class ConversationIdConverter() : IdConverter<ConversationId>(g => new(g), i => i.Value);
