using System.Buffers;
using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;

namespace WhatsAspire.ChatEdge.Connections;

/// <summary>RFC 6455 section 5.2.</summary>
internal enum WebSocketOpcode : byte
{
    Continuation = 0,
    Text = 1,
    Binary = 2,
    Close = 8,
    Ping = 9,
    Pong = 10,
}

/// <summary>RFC 6455 section 7.4.1, and ours from 4400.</summary>
internal enum CloseCode
{
    None = 0,
    Normal = 1000,
    ProtocolError = 1002,
    UnsupportedData = 1003,
    InvalidPayload = 1007,
    PolicyViolation = 1008,
    TooBig = 1009,
    Restart = 1012,
    TryAgainLater = 1013,
    BadToken = 4401,
    LoggedOut = 4403,
    Silent = 4408,
    Replaced = 4409,
}

/// <summary>One frame from a client: its payload is unmasked where it lies in the receive buffer.</summary>
internal readonly struct WebSocketFrame
{
    public WebSocketOpcode Opcode { get; private init; }
    public bool IsFinal { get; private init; }
    public ReadOnlySequence<byte> Payload { get; private init; }

    private const int MaxHeader = 14;

    /// <summary>Takes one whole frame off the front of the buffer.</summary>
    /// <param name="buffer">What was received; shortened by the frame.</param>
    /// <param name="frame">The frame.</param>
    /// <param name="fault">Set when the bytes break the protocol.</param>
    /// <returns>False when there is no whole frame yet, or a fault.</returns>
    public static bool TryRead(ref ReadOnlySequence<byte> buffer, out WebSocketFrame frame, out (CloseCode Code, string Reason) fault)
    {
        frame = default;
        fault = default;
        Span<byte> head = stackalloc byte[MaxHeader];
        var available = (int)Math.Min(buffer.Length, MaxHeader);
        if (available < 2) return false;
        buffer.Slice(0, available).CopyTo(head);

        var opcode = (WebSocketOpcode)(head[0] & 0x0f);
        var final = (head[0] & 0x80) != 0;
        if ((head[0] & 0x70) != 0) return Fail(out fault, CloseCode.ProtocolError, "reserved bits are set; no extension was agreed on");
        if (!Enum.IsDefined(opcode)) return Fail(out fault, CloseCode.ProtocolError, "reserved opcode");
        if ((head[1] & 0x80) == 0) return Fail(out fault, CloseCode.ProtocolError, "frames from a client must be masked");
        var control = opcode >= WebSocketOpcode.Close;
        long length = head[1] & 0x7f;
        if (control && (!final || length > 125)) return Fail(out fault, CloseCode.ProtocolError, "control frames are whole and at most 125 bytes");

        var at = 2;
        if (length == 126)
        {
            if (available < 4) return false;
            length = BinaryPrimitives.ReadUInt16BigEndian(head[2..]);
            at = 4;
        }
        else if (length == 127)
        {
            if (available < 10) return false;
            length = BinaryPrimitives.ReadInt64BigEndian(head[2..]);
            at = 10;
        }

        if (length is < 0 or > Contracts.Limits.FrameBytes)
            return Fail(out fault, CloseCode.TooBig, "a frame is at most 65536 bytes");
        if (available < at + 4 || buffer.Length < at + 4 + length) return false;

        var mask = BinaryPrimitives.ReadUInt32LittleEndian(head[at..]);
        var payload = buffer.Slice(at + 4, length);
        Unmask(payload, mask);
        buffer = buffer.Slice(payload.End);
        frame = new() { Opcode = opcode, IsFinal = final, Payload = payload };
        return true;
    }

    private static bool Fail(out (CloseCode Code, string Reason) fault, CloseCode code, string reason)
    {
        fault = (code, reason);
        return false;
    }

    // The receive buffer is ours until the reader advances, so the payload is unmasked in place.
    private static void Unmask(ReadOnlySequence<byte> payload, uint mask)
    {
        var phase = 0;
        foreach (var segment in payload)
        {
            var bytes = MemoryMarshal.AsMemory(segment).Span;
            var key = BitOperations.RotateRight(mask, phase * 8);
            var key8 = key | ((ulong)key << 32);
            var i = 0;
            for (; i + 8 <= bytes.Length; i += 8)
                BinaryPrimitives.WriteUInt64LittleEndian(bytes[i..], BinaryPrimitives.ReadUInt64LittleEndian(bytes[i..]) ^ key8);
            for (; i < bytes.Length; i++) bytes[i] ^= (byte)(key >> ((i & 3) * 8));
            phase = (phase + bytes.Length) & 3;
        }
    }

    /// <summary>Writes a whole, unmasked frame.</summary>
    public static void Write(IBufferWriter<byte> output, WebSocketOpcode opcode, ReadOnlySpan<byte> payload)
    {
        Span<byte> head = stackalloc byte[10];
        head[0] = (byte)(0x80 | (byte)opcode);
        int size;
        if (payload.Length < 126)
        {
            head[1] = (byte)payload.Length;
            size = 2;
        }
        else if (payload.Length <= ushort.MaxValue)
        {
            head[1] = 126;
            BinaryPrimitives.WriteUInt16BigEndian(head[2..], (ushort)payload.Length);
            size = 4;
        }
        else
        {
            head[1] = 127;
            BinaryPrimitives.WriteInt64BigEndian(head[2..], payload.Length);
            size = 10;
        }

        output.Write(head[..size]);
        output.Write(payload);
    }
}
