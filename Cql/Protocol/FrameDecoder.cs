using System.Buffers;
using System.Buffers.Binary;
using K4os.Compression.LZ4;

namespace WhatsAspire.Cql.Protocol;

/// <summary>Takes the messages that a decoder finds.</summary>
internal interface IEnvelopeHandler
{
    /// <param name="header">Its length is the body's.</param>
    /// <param name="body">Only valid during the call; not compressed.</param>
    void OnEnvelope(EnvelopeHeader header, ReadOnlySpan<byte> body);
}

/// <summary>Finds messages in what came over the wire. Whatever comes, it hands on messages or throws
/// <see cref="CqlProtocolException"/>, and holds no more memory than twice what has come plus one segment, or the set limit
/// for one message. Not thread-safe.</summary>
internal abstract class FrameDecoder : IDisposable
{
    /// <summary>Hands on all messages that are complete.</summary>
    /// <returns>How many bytes are done with; the rest must come again, with more behind it.</returns>
    public abstract int Decode(ReadOnlySpan<byte> input, IEnvelopeHandler handler);

    public abstract void Dispose();

    public static FrameDecoder For(int version, bool compressed, int maxResponseBytes) => version >= 5
        ? new SegmentDecoder(compressed, maxResponseBytes)
        : new EnvelopeDecoder(maxResponseBytes);
}

/// <summary>Messages as they are, or with their bodies compressed (protocol v4).</summary>
internal sealed class EnvelopeDecoder(int maxResponseBytes) : FrameDecoder
{
    public override int Decode(ReadOnlySpan<byte> input, IEnvelopeHandler handler)
    {
        // One message at a time: the handler may have the decoder replaced after any.
        if (input.Length < EnvelopeHeader.Size)
            return 0;
        var header = EnvelopeHeader.ReadResponse(input, maxResponseBytes);
        if (input.Length - EnvelopeHeader.Size < header.Length)
            return 0;
        var body = input.Slice(EnvelopeHeader.Size, header.Length);
        if ((header.Flags & EnvelopeFlags.Compressed) != 0)
            HandOnCompressed(header, body, handler);
        else
            handler.OnEnvelope(header, body);
        return EnvelopeHeader.Size + header.Length;
    }

    public override void Dispose()
    {
        // It holds nothing between two calls.
    }

    private void HandOnCompressed(EnvelopeHeader header, ReadOnlySpan<byte> body, IEnvelopeHandler handler)
    {
        if (body.Length < sizeof(int))
            throw new CqlProtocolException("A compressed message does not say how long it is.");
        var length = BinaryPrimitives.ReadInt32BigEndian(body);
        if (length < 0 || length > maxResponseBytes || length > Lz4.MostFrom(body.Length - sizeof(int)))
            throw new CqlProtocolException($"A compressed message of {body.Length} bytes says that it has {length}.");
        var buffer = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            Lz4.Decode(body[sizeof(int)..], buffer.AsSpan(0, length));
            handler.OnEnvelope(header with { Length = length, Flags = header.Flags & ~EnvelopeFlags.Compressed }, buffer.AsSpan(0, length));
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}

/// <summary>Segments with checksums (protocol v5, sections 2.1 and 2.2).</summary>
internal sealed class SegmentDecoder(bool compressed, int maxResponseBytes) : FrameDecoder
{
    private readonly PayloadChecksum _checksum = new();
    private readonly byte[] _uncompressed = compressed ? new byte[SegmentEncoder.MaxPayload] : [];

    /// <summary>The parts of a message that takes several segments.</summary>
    private readonly ByteWriter _parts = new();

    public override int Decode(ReadOnlySpan<byte> input, IEnvelopeHandler handler)
    {
        var done = 0;
        while (TryReadSegment(input[done..], out var length, out var payload, out var isSelfContained))
        {
            done += length;
            if (isSelfContained)
                HandOnAll(payload, handler);
            else
                AddPart(payload, handler);
        }

        return done;
    }

    public override void Dispose() => _parts.Dispose();

    private bool TryReadSegment(ReadOnlySpan<byte> input, out int length, out ReadOnlySpan<byte> payload, out bool isSelfContained)
    {
        payload = default;
        (length, isSelfContained) = (0, false);
        var headerSize = compressed ? SegmentEncoder.CompressedHeaderSize : SegmentEncoder.PlainHeaderSize;
        if (input.Length < headerSize)
            return false;
        Span<byte> bytes = stackalloc byte[sizeof(ulong)];
        bytes.Clear();
        input[..headerSize].CopyTo(bytes);
        var header = BinaryPrimitives.ReadUInt64LittleEndian(bytes);
        var checkedBytes = headerSize - 3;
        if (Crc24.Compute(input[..checkedBytes]) != (uint)(header >> (8 * checkedBytes)))
            throw new CqlProtocolException("The checksum of a segment's header is wrong.");

        var payloadLength = (int)(header & SegmentEncoder.MaxPayload);
        var uncompressedLength = compressed ? (int)((header >> 17) & SegmentEncoder.MaxPayload) : 0;
        isSelfContained = ((header >> (compressed ? 34 : 17)) & 1) != 0;
        length = headerSize + payloadLength + SegmentEncoder.TrailerSize;
        if (input.Length < length)
            return false;
        payload = input.Slice(headerSize, payloadLength);
        if (_checksum.Compute(payload) != BinaryPrimitives.ReadUInt32LittleEndian(input[(headerSize + payloadLength)..]))
            throw new CqlProtocolException("The checksum of a segment's payload is wrong.");
        if (uncompressedLength > 0)
        {
            Lz4.Decode(payload, _uncompressed.AsSpan(0, uncompressedLength));
            payload = _uncompressed.AsSpan(0, uncompressedLength);
        }

        return true;
    }

    private void HandOnAll(ReadOnlySpan<byte> payload, IEnvelopeHandler handler)
    {
        if (_parts.Length > 0)
            throw new CqlProtocolException("A message in parts is interrupted by another one.");
        while (!payload.IsEmpty)
        {
            if (payload.Length < EnvelopeHeader.Size)
                throw new CqlProtocolException("A segment ends within a message's header.");
            var header = EnvelopeHeader.ReadResponse(payload, maxResponseBytes);
            if (payload.Length - EnvelopeHeader.Size < header.Length)
                throw new CqlProtocolException("A segment ends within a message.");
            handler.OnEnvelope(header, payload.Slice(EnvelopeHeader.Size, header.Length));
            payload = payload[(EnvelopeHeader.Size + header.Length)..];
        }
    }

    private void AddPart(ReadOnlySpan<byte> payload, IEnvelopeHandler handler)
    {
        _parts.Write(payload);
        if (_parts.Length < EnvelopeHeader.Size)
            return;
        var header = EnvelopeHeader.ReadResponse(_parts.Written, maxResponseBytes);
        var missing = EnvelopeHeader.Size + (long)header.Length - _parts.Length;
        if (missing < 0)
            throw new CqlProtocolException("The parts of a message are longer than it.");
        if (missing > 0)
            return;
        handler.OnEnvelope(header, _parts.Written[EnvelopeHeader.Size..]);
        // Large messages are rare: the pool gets the memory back.
        _parts.Dispose();
    }
}

/// <summary>LZ4 blocks.</summary>
internal static class Lz4
{
    /// <summary>LZ4 can't shrink more than 255 times: what announces more is not worth the memory.</summary>
    public static long MostFrom(int compressed) => (compressed * 255L) + 64;

    /// <summary>Fills the target exactly.</summary>
    public static void Decode(ReadOnlySpan<byte> source, Span<byte> target)
    {
        // The block of an empty body is a single zero, which the codec does not take.
        if (target.IsEmpty)
            return;
        if (source.IsEmpty || LZ4Codec.Decode(source, target) != target.Length)
            throw new CqlProtocolException("A compressed message can't be decompressed.");
    }
}
