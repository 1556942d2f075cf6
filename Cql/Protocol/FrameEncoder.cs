using System.Buffers.Binary;
using K4os.Compression.LZ4;

namespace WhatsAspire.Cql.Protocol;

/// <summary>Turns messages into what goes over the wire. One per connection; not thread-safe.</summary>
internal abstract class FrameEncoder
{
    /// <summary>Appends the wire form of one or more whole messages.</summary>
    public abstract void Encode(ReadOnlySpan<byte> envelopes, ByteWriter output);

    public static FrameEncoder For(int version, bool compressed) => version >= 5
        ? new SegmentEncoder(compressed)
        : compressed ? new CompressedEnvelopeEncoder() : new PlainEncoder();
}

/// <summary>Messages as they are: protocol v4, and v5 until the server has answered STARTUP.</summary>
internal sealed class PlainEncoder : FrameEncoder
{
    public override void Encode(ReadOnlySpan<byte> envelopes, ByteWriter output) => output.Write(envelopes);
}

/// <summary>Protocol v4 with LZ4: the body compressed, after its length in four bytes, big-endian (v4, section 5).</summary>
internal sealed class CompressedEnvelopeEncoder : FrameEncoder
{
    /// <summary>Below this, compression costs more than it saves.</summary>
    private const int LeastBytes = 512;

    public override void Encode(ReadOnlySpan<byte> envelopes, ByteWriter output)
    {
        while (!envelopes.IsEmpty)
        {
            var envelope = envelopes[..EnvelopeHeader.WholeLength(envelopes)];
            envelopes = envelopes[envelope.Length..];
            if (envelope.Length < LeastBytes || !TryCompress(envelope, output))
                output.Write(envelope);
        }
    }

    private static bool TryCompress(ReadOnlySpan<byte> envelope, ByteWriter output)
    {
        var body = envelope[EnvelopeHeader.Size..];
        var begin = output.Length;
        output.Write(envelope[..EnvelopeHeader.Size]);
        output.WriteInt32(body.Length);
        var room = output.Append(LZ4Codec.MaximumOutputSize(body.Length));
        var compressed = LZ4Codec.Encode(body, room);
        if (compressed <= 0 || compressed >= body.Length)
        {
            output.Truncate(begin);
            return false;
        }

        output.Truncate(begin + EnvelopeHeader.Size + sizeof(int) + compressed);
        output.At(begin)[1] |= (byte)EnvelopeFlags.Compressed;
        EnvelopeHeader.End(output, begin);
        return true;
    }
}

/// <summary>Protocol v5: segments of up to 128 KiB with checksums. Small messages share one, a large one takes several
/// (sections 2.1 and 2.2). Numbers in the header are little-endian.</summary>
internal sealed class SegmentEncoder(bool compressed) : FrameEncoder
{
    /// <summary>17 bits.</summary>
    public const int MaxPayload = (1 << 17) - 1;

    public const int PlainHeaderSize = 6;
    public const int CompressedHeaderSize = 8;
    public const int TrailerSize = 4;

    /// <summary>Below this, a payload goes as it is.</summary>
    private const int LeastBytesToCompress = 256;

    private readonly PayloadChecksum _checksum = new();
    private readonly byte[] _compressed = compressed ? new byte[LZ4Codec.MaximumOutputSize(MaxPayload)] : [];

    public override void Encode(ReadOnlySpan<byte> envelopes, ByteWriter output)
    {
        while (!envelopes.IsEmpty)
        {
            var whole = WholeEnvelopesThatFit(envelopes);
            if (whole > 0)
            {
                WriteSegment(envelopes[..whole], isSelfContained: true, output);
                envelopes = envelopes[whole..];
                continue;
            }

            var large = envelopes[..EnvelopeHeader.WholeLength(envelopes)];
            envelopes = envelopes[large.Length..];
            while (!large.IsEmpty)
            {
                var part = Math.Min(large.Length, MaxPayload);
                WriteSegment(large[..part], isSelfContained: false, output);
                large = large[part..];
            }
        }
    }

    private static int WholeEnvelopesThatFit(ReadOnlySpan<byte> envelopes)
    {
        var fit = 0;
        while (fit < envelopes.Length && EnvelopeHeader.WholeLength(envelopes[fit..]) is var next && next <= MaxPayload - fit)
            fit += next;
        return fit;
    }

    private void WriteSegment(ReadOnlySpan<byte> payload, bool isSelfContained, ByteWriter output)
    {
        if (compressed)
        {
            payload = Compress(payload, out var uncompressedLength);
            var header = (uint)payload.Length | ((ulong)uncompressedLength << 17) | (isSelfContained ? 1UL << 34 : 0);
            WriteHeader(header, bytes: 5, output);
        }
        else
        {
            WriteHeader((uint)payload.Length | (isSelfContained ? 1UL << 17 : 0), bytes: 3, output);
        }

        output.Write(payload);
        BinaryPrimitives.WriteUInt32LittleEndian(output.Append(TrailerSize), _checksum.Compute(payload));
    }

    /// <summary>An uncompressed length of 0 says that the payload goes as it is.</summary>
    private ReadOnlySpan<byte> Compress(ReadOnlySpan<byte> payload, out int uncompressedLength)
    {
        uncompressedLength = 0;
        if (payload.Length < LeastBytesToCompress)
            return payload;
        var length = LZ4Codec.Encode(payload, _compressed);
        if (length <= 0 || length >= payload.Length)
            return payload;
        uncompressedLength = payload.Length;
        return _compressed.AsSpan(0, length);
    }

    private static void WriteHeader(ulong header, int bytes, ByteWriter output)
    {
        Span<byte> all = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(all, header);
        var checksum = Crc24.Compute(all[..bytes]);
        output.Write(all[..bytes]);
        BinaryPrimitives.WriteUInt32LittleEndian(all, checksum);
        output.Write(all[..3]);
    }
}
