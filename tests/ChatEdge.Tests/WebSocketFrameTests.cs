using System.Buffers;
using System.Buffers.Binary;
using WhatsAspire.ChatEdge.Connections;

namespace WhatsAspire.ChatEdge.Tests;

public sealed class WebSocketFrameTests
{
    private static byte[] Masked(byte first, byte[] payload)
    {
        var head = payload.Length < 126 ? 2 : payload.Length < 65536 ? 4 : 10;
        var bytes = new byte[head + 4 + payload.Length];
        bytes[0] = first;
        if (head == 2) bytes[1] = (byte)(0x80 | payload.Length);
        else if (head == 4)
        {
            bytes[1] = 0x80 | 126;
            BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(2), (ushort)payload.Length);
        }
        else
        {
            bytes[1] = 0x80 | 127;
            BinaryPrimitives.WriteInt64BigEndian(bytes.AsSpan(2), payload.Length);
        }

        byte[] mask = [0x12, 0x34, 0x56, 0x78];
        mask.CopyTo(bytes, head);
        for (var i = 0; i < payload.Length; i++) bytes[head + 4 + i] = (byte)(payload[i] ^ mask[i & 3]);
        return bytes;
    }

    /// <summary>The bytes in pieces of the given sizes, as they may come from the network.</summary>
    private static ReadOnlySequence<byte> Torn(byte[] bytes, Random random)
    {
        Segment? first = null, last = null;
        for (var at = 0; at < bytes.Length;)
        {
            var size = Math.Min(random.Next(1, 9), bytes.Length - at);
            last = new Segment(bytes.AsMemory(at, size), last);
            first ??= last;
            at += size;
        }

        return new(first!, 0, last!, last!.Memory.Length);
    }

    private sealed class Segment : ReadOnlySequenceSegment<byte>
    {
        public Segment(ReadOnlyMemory<byte> memory, Segment? before)
        {
            // A copy: unmasking writes into it.
            Memory = memory.ToArray();
            if (before is null) return;
            RunningIndex = before.RunningIndex + before.Memory.Length;
            before.Next = this;
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(125)]
    [InlineData(126)]
    [InlineData(65535)]
    [InlineData(65536)]
    public void A_frame_is_read_whole_however_it_was_torn(int length)
    {
        var random = new Random(length);
        var payload = new byte[length];
        random.NextBytes(payload);
        var buffer = Torn([.. Masked(0x81, payload), 0xAA], random);
        Assert.True(WebSocketFrame.TryRead(ref buffer, out var frame, out _));
        Assert.Equal(WebSocketOpcode.Text, frame.Opcode);
        Assert.True(frame.IsFinal);
        Assert.Equal(payload, frame.Payload.ToArray());
        Assert.Equal([0xAA], buffer.ToArray());
    }

    [Fact]
    public void A_part_of_a_frame_is_left_alone()
    {
        var whole = Masked(0x81, new byte[300]);
        for (var length = 0; length < whole.Length; length++)
        {
            var buffer = new ReadOnlySequence<byte>(whole[..length]);
            Assert.False(WebSocketFrame.TryRead(ref buffer, out _, out var fault));
            Assert.Equal(CloseCode.None, fault.Code);
            Assert.Equal(length, buffer.Length);
        }
    }

    [Theory]
    [InlineData(new byte[] { 0x81, 0x01, 0x41 }, 1002)]                                                 // not masked
    [InlineData(new byte[] { 0xC1, 0x80, 0, 0, 0, 0 }, 1002)]                                           // RSV1
    [InlineData(new byte[] { 0x83, 0x80, 0, 0, 0, 0 }, 1002)]                                           // opcode 3
    [InlineData(new byte[] { 0x09, 0x80, 0, 0, 0, 0 }, 1002)]                                           // a ping in parts
    [InlineData(new byte[] { 0x89, 0xFE, 0, 126, 0, 0, 0, 0 }, 1002)]                                   // a ping of 126 bytes
    [InlineData(new byte[] { 0x81, 0xFF, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0 }, 1009)]                   // 64 KiB + 1
    [InlineData(new byte[] { 0x81, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0 }, 1009)] // a negative length
    public void What_breaks_the_protocol_is_named_by_its_close_code(byte[] bytes, int code)
    {
        var buffer = new ReadOnlySequence<byte>(bytes);
        Assert.False(WebSocketFrame.TryRead(ref buffer, out _, out var fault));
        Assert.Equal(code, (int)fault.Code);
    }
}
