using System.Buffers.Binary;
using WhatsAspire.Cql.Protocol;

namespace WhatsAspire.Cql.Tests.Protocol;

public sealed class FrameTests
{
    public static TheoryData<int, bool> Framings => new() { { 4, false }, { 4, true }, { 5, false }, { 5, true } };

    [Fact]
    public void A_segment_has_the_bytes_of_the_protocol()
    {
        // READY on stream 1: nine bytes; length 9, self-contained: 09 00 02; then CRC24, payload, CRC32.
        var envelope = Convert.FromHexString("850000010200000000");
        using var output = new ByteWriter();
        FrameEncoder.For(5, compressed: false).Encode(envelope, output);
        Assert.Equal(19, output.Length);
        Assert.Equal("090002", Convert.ToHexString(output.Written[..3]));
        Assert.Equal(Crc24.Compute(output.Written[..3]), (uint)(output.Written[3] | (output.Written[4] << 8) | (output.Written[5] << 16)));
        Assert.Equal(envelope, output.Written[6..15]);
        Assert.Equal(new PayloadChecksum().Compute(envelope), BinaryPrimitives.ReadUInt32LittleEndian(output.Written[15..]));

        // With LZ4, what is too short to compress: length 9, uncompressed length 0, self-contained is bit 34.
        output.Clear();
        FrameEncoder.For(5, compressed: true).Encode(envelope, output);
        Assert.Equal("0900000004", Convert.ToHexString(output.Written[..5]));
    }

    [Theory]
    [InlineData(4, "04000007070000000C" + "000000055553452061" + "0001" + "00")]
    [InlineData(5, "05000007070000000F" + "000000055553452061" + "0001" + "00000000")]
    public void A_query_has_the_bytes_of_the_protocol(int version, string expected)
    {
        var request = new QueryRequest("USE a")
        {
            Operation = "USE",
            IsRead = true,
            IsConditional = false,
            IsIdempotent = true,
            Parameters = new(CqlConsistency.One),
        };
        Assert.Equal(expected, Envelope(request, version));
    }

    [Fact]
    public void An_execution_has_the_bytes_of_the_protocol()
    {
        var statement = new CqlStatement("SELECT v FROM t WHERE k = ?");
        var prepared = new PreparedStatement([0xAA], [0xBB], [new("k", CqlType.Int)], [0], new([new("v", CqlType.Int)]));
        var request = new ExecuteRequest(statement.Bind(5), prepared)
        {
            Operation = "SELECT",
            IsRead = true,
            IsConditional = false,
            IsIdempotent = true,
            Parameters = new(CqlConsistency.LocalQuorum)
            {
                PageSize = 100,
                PagingState = new byte[] { 1, 2 },
                SerialConsistency = CqlConsistency.LocalSerial,
                Timestamp = 3,
            },
        };
        // Values, skip metadata, page size, paging state, serial consistency, timestamp: 0x3F.
        Assert.Equal("05000007" + "0A" + "0000002A" + "0001AA" + "0001BB" + "0006" + "0000003F" + "0001" + "0000000400000005"
            + "00000064" + "000000020102" + "0009" + "0000000000000003", Envelope(request, 5));
        // Version 4 has no id of the metadata, one byte of flags, and is always sent the columns.
        Assert.Equal("04000007" + "0A" + "00000024" + "0001AA" + "0006" + "3D" + "0001" + "0000000400000005"
            + "00000064" + "000000020102" + "0009" + "0000000000000003", Envelope(request, 4));
    }

    [Fact]
    public void A_batch_has_the_bytes_of_the_protocol()
    {
        var statement = new CqlStatement("INSERT INTO t (k) VALUES (?)");
        var prepared = new PreparedStatement([0xAA], [], [new("k", CqlType.Int)], [0], ColumnSet.Empty);
        var request = new BatchRequest(new CqlBatch([statement.Bind(1), statement.Bind(CqlValue.Unset)], CqlBatchKind.Unlogged), [prepared, prepared])
        {
            Operation = "BATCH",
            IsRead = false,
            IsConditional = false,
            IsIdempotent = false,
            Parameters = new(CqlConsistency.Quorum) { Timestamp = -1 },
        };
        Assert.Equal("05000007" + "0D" + "00000029" + "01" + "0002" + "01" + "0001AA" + "0001" + "0000000400000001" + "01" + "0001AA" + "0001" + "FFFFFFFE"
            + "0004" + "00000020" + "FFFFFFFFFFFFFFFF", Envelope(request, 5));
    }

    [Theory]
    [MemberData(nameof(Framings))]
    public void Messages_come_through_however_the_bytes_are_torn(int version, bool compressed)
    {
        var messages = Messages([0, 1, 9, 300, 5000]);
        var wire = Wire(messages, version, compressed);
        for (var cut = 0; cut <= wire.Length; cut += cut < 700 ? 1 : 97)
        {
            var received = new Collector();
            using var decoder = FrameDecoder.For(version, compressed, int.MaxValue);
            var done = DecodeAll(decoder, wire.AsSpan(0, cut), received);
            DecodeAll(decoder, wire.AsSpan(done), received);
            Assert.Equal(messages.Select(message => message.Length - EnvelopeHeader.Size), received.Bodies.Select(body => body.Length));
            Assert.All(received.Bodies.Zip(messages), pair => Assert.Equal(pair.Second[EnvelopeHeader.Size..], pair.First));
        }
    }

    [Theory]
    [MemberData(nameof(Framings))]
    public void Large_messages_take_several_segments(int version, bool compressed)
    {
        var messages = Messages([10, SegmentEncoder.MaxPayload - EnvelopeHeader.Size, SegmentEncoder.MaxPayload, 1_000_000, 20]);
        var wire = Wire(messages, version, compressed);
        var received = new Collector();
        using var decoder = FrameDecoder.For(version, compressed, int.MaxValue);
        Assert.Equal(wire.Length, DecodeAll(decoder, wire, received));
        Assert.All(received.Bodies.Zip(messages, (body, message) => (body, message)), pair => Assert.Equal(pair.message[EnvelopeHeader.Size..], pair.body));
        Assert.Equal(messages.Count, received.Bodies.Count);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Any_flipped_bit_of_a_segment_is_noticed(bool compressed)
    {
        var wire = Wire(Messages([20, 400]), 5, compressed);
        for (var bit = 0; bit < wire.Length * 8; bit++)
        {
            var broken = (byte[])wire.Clone();
            broken[bit / 8] ^= (byte)(1 << (bit % 8));
            using var decoder = FrameDecoder.For(5, compressed, int.MaxValue);
            Assert.Throws<CqlProtocolException>(() => DecodeAll(decoder, broken, new Collector()));
        }
    }

    [Theory]
    [MemberData(nameof(Framings))]
    public void Random_bytes_give_typed_errors_and_no_large_allocations(int version, bool compressed)
    {
        var random = new Random(99);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var round = 0; round < 5000; round++)
        {
            var bytes = new byte[random.Next(1, 300)];
            random.NextBytes(bytes);
            if (round % 2 == 0)
                bytes[0] = (byte)(version | EnvelopeHeader.ResponseBit);
            using var decoder = FrameDecoder.For(version, compressed: false, 1024 * 1024);
            try
            {
                DecodeAll(decoder, bytes, new Collector());
            }
            catch (CqlProtocolException)
            {
            }
        }

        Assert.NotEqual(compressed, !compressed);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 64 * 1024 * 1024);
    }

    [Fact]
    public void Random_bodies_give_results_or_typed_errors()
    {
        var random = new Random(5);
        var prepared = new PreparedStatement([], [], [], [], new([new("v", CqlType.Int)]));
        for (var round = 0; round < 20_000; round++)
        {
            var body = new byte[random.Next(0, 120)];
            random.NextBytes(body);
            // Small numbers are likelier to lead further in.
            for (var i = 0; i < body.Length; i++)
                body[i] = random.Next(3) > 0 ? (byte)random.Next(4) : body[i];
            var response = new Response(Opcode.Result, (EnvelopeFlags)random.Next(16), body);
            foreach (var version in (int[])[4, 5])
            {
                Attempt(() => ResultReader.Read(response, version, prepared, out _, out _));
                Attempt(() => ResultReader.ReadPrepared(response, version));
                Attempt(() => ErrorReader.Read(response, version, new System.Net.IPEndPoint(0, 0), false, false));
            }

            Attempt(() => ServerEvent.Read(response));
        }

        static void Attempt(Func<object> read)
        {
            try
            {
                read();
            }
            catch (CqlProtocolException)
            {
            }
        }
    }

    private static string Envelope(Request request, int version)
    {
        using var writer = new ByteWriter();
        var begin = EnvelopeHeader.Begin(writer, (byte)version, EnvelopeFlags.None, 7, request.Opcode);
        request.Write(writer, version);
        EnvelopeHeader.End(writer, begin);
        return Convert.ToHexString(writer.Written);
    }

    private static List<byte[]> Messages(int[] lengths)
    {
        var random = new Random(1);
        return [.. lengths.Select((length, i) =>
        {
            using var writer = new ByteWriter();
            var begin = EnvelopeHeader.Begin(writer, 0x85, EnvelopeFlags.None, (short)i, Opcode.Result);
            var body = writer.Append(length);
            // Half of it can be compressed.
            random.NextBytes(body[..(length / 2)]);
            body[(length / 2)..].Fill(7);
            EnvelopeHeader.End(writer, begin);
            return writer.Written.ToArray();
        })];
    }

    private static byte[] Wire(IReadOnlyList<byte[]> messages, int version, bool compressed)
    {
        using var output = new ByteWriter();
        FrameEncoder.For(version, compressed).Encode(messages.SelectMany(message => message).ToArray(), output);
        return output.Written.ToArray();
    }

    private static int DecodeAll(FrameDecoder decoder, ReadOnlySpan<byte> wire, Collector received)
    {
        var all = 0;
        while (decoder.Decode(wire[all..], received) is > 0 and var done)
            all += done;
        return all;
    }

    private sealed class Collector : IEnvelopeHandler
    {
        public List<byte[]> Bodies { get; } = [];

        public void OnEnvelope(EnvelopeHeader header, ReadOnlySpan<byte> body)
        {
            Assert.Equal(header.Length, body.Length);
            Bodies.Add(body.ToArray());
        }
    }
}
