using System.Buffers.Binary;

namespace WhatsAspire.Cql.Protocol;

/// <summary>What a message is (section 2.4).</summary>
internal enum Opcode : byte
{
    Error = 0x00,
    Startup = 0x01,
    Ready = 0x02,
    Authenticate = 0x03,
    Options = 0x05,
    Supported = 0x06,
    Query = 0x07,
    Result = 0x08,
    Prepare = 0x09,
    Execute = 0x0A,
    Register = 0x0B,
    Event = 0x0C,
    Batch = 0x0D,
    AuthChallenge = 0x0E,
    AuthResponse = 0x0F,
    AuthSuccess = 0x10,
}

/// <summary>Section 2.2.</summary>
[Flags]
internal enum EnvelopeFlags : byte
{
    None = 0,
    Compressed = 0x01,
    Tracing = 0x02,
    CustomPayload = 0x04,
    Warning = 0x08,
}

/// <summary>The nine bytes before each message: <c>version flags stream(2) opcode length(4)</c>.</summary>
internal readonly record struct EnvelopeHeader(byte Version, EnvelopeFlags Flags, short Stream, Opcode Opcode, int Length)
{
    public const int Size = 9;

    /// <summary>Events come on this stream.</summary>
    public const short EventStream = -1;

    /// <summary>The highest bit of the version says that it is the server's.</summary>
    public const byte ResponseBit = 0x80;

    private const int LengthOffset = 5;

    /// <exception cref="CqlProtocolException">It is no answer, or longer than is taken.</exception>
    public static EnvelopeHeader ReadResponse(ReadOnlySpan<byte> bytes, int mostBytes)
    {
        var header = new EnvelopeHeader(bytes[0], (EnvelopeFlags)bytes[1], BinaryPrimitives.ReadInt16BigEndian(bytes[2..]),
            (Opcode)bytes[4], BinaryPrimitives.ReadInt32BigEndian(bytes[LengthOffset..]));
        if ((header.Version & ResponseBit) == 0)
            throw new CqlProtocolException($"A message of version 0x{header.Version:X2} is no answer of Cassandra's.");
        if (header.Length < 0 || header.Length > mostBytes)
            throw new CqlProtocolException($"A message of {header.Length} bytes is announced; at most {mostBytes} are taken.");
        return header;
    }

    /// <summary>Writes a header whose length is not known yet.</summary>
    public static int Begin(ByteWriter writer, byte version, EnvelopeFlags flags, short stream, Opcode opcode)
    {
        var begin = writer.Length;
        var bytes = writer.Append(Size);
        bytes[0] = version;
        bytes[1] = (byte)flags;
        BinaryPrimitives.WriteInt16BigEndian(bytes[2..], stream);
        bytes[4] = (byte)opcode;
        BinaryPrimitives.WriteInt32BigEndian(bytes[LengthOffset..], 0);
        return begin;
    }

    /// <summary>Puts the length in, once the body is written.</summary>
    public static void End(ByteWriter writer, int begin) =>
        BinaryPrimitives.WriteInt32BigEndian(writer.At(begin + LengthOffset), writer.Length - begin - Size);

    /// <summary>The whole length of the message that begins there.</summary>
    public static int WholeLength(ReadOnlySpan<byte> envelope) => Size + BinaryPrimitives.ReadInt32BigEndian(envelope[LengthOffset..]);
}
