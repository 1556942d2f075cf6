using BenchmarkDotNet.Attributes;
using WhatsAspire.Cql;
using WhatsAspire.Cql.Protocol;

namespace WhatsAspire.Bench.Cql;

/// <summary>What the client itself costs: a request to bytes, a page of rows from bytes.</summary>
[MemoryDiagnoser]
public class CodecBenchmarks : IDisposable
{
    private const int Rows = 100;

    private static readonly CqlStatement Insert = new("INSERT INTO log (k, seq, sender, at, body) VALUES (?, ?, ?, ?, ?)");
    private static readonly CqlColumn[] Columns =
    [
        new("k", CqlType.Uuid), new("seq", CqlType.Bigint), new("sender", CqlType.Uuid), new("at", CqlType.Timestamp), new("body", CqlType.Text),
    ];

    private readonly PreparedStatement _prepared = new(new byte[16], new byte[16], Columns, [0], new(Columns));
    private readonly Guid _id = Guid.NewGuid();
    private readonly string _body = new('x', 120);
    private readonly ByteWriter _writer = new();
    private readonly ByteWriter _wire = new();
    private readonly FrameEncoder _segments = FrameEncoder.For(5, compressed: false);
    private readonly FrameEncoder _compressed = FrameEncoder.For(5, compressed: true);
    private byte[] _page = [];
    private byte[] _envelope = [];

    [GlobalSetup]
    public void Setup()
    {
        using var page = new ByteWriter();
        page.WriteInt32((int)ResultKind.Rows);
        // No metadata: the prepared statement has it.
        page.WriteInt32(4);
        page.WriteInt32(Columns.Length);
        page.WriteInt32(Rows);
        for (long row = 0; row < Rows; row++)
        {
            foreach (var (value, column) in ((CqlValue[])[_id, row, _id, DateTimeOffset.UnixEpoch, _body]).Zip(Columns))
                ValueWriter.Write(page, value, column.Type, column.Name);
        }

        _page = page.Written.ToArray();
        EncodeRequest();
        _envelope = _writer.Written.ToArray();
    }

    [Benchmark]
    public int EncodeRequest()
    {
        _writer.Clear();
        var begin = EnvelopeHeader.Begin(_writer, 5, EnvelopeFlags.None, 1, Opcode.Execute);
        var request = new ExecuteRequest(Insert.Bind(_id, 1L, _id, DateTimeOffset.UnixEpoch, _body), _prepared)
        {
            Operation = "INSERT",
            IsRead = false,
            IsConditional = false,
            IsIdempotent = true,
            Parameters = new(CqlConsistency.LocalQuorum) { Timestamp = 1 },
        };
        request.Write(_writer, 5);
        EnvelopeHeader.End(_writer, begin);
        return _writer.Length;
    }

    [Benchmark]
    public int FrameRequest()
    {
        _wire.Clear();
        _segments.Encode(_envelope, _wire);
        return _wire.Length;
    }

    [Benchmark]
    public int FrameRequestWithLz4()
    {
        _wire.Clear();
        _compressed.Encode(_envelope, _wire);
        return _wire.Length;
    }

    /// <summary>100 rows of five columns, of which all are read.</summary>
    [Benchmark]
    public long DecodePage()
    {
        var result = ResultReader.Read(new(Opcode.Result, EnvelopeFlags.None, _page), 5, _prepared, out _, out _);
        long sum = 0;
        for (var i = 0; i < result.Count; i++)
        {
            var row = result[i];
            sum += row.GetInt64(1) + row.GetString(4).Length + row.GetTimestamp(3).Ticks + (row.GetGuid(0) == row.GetGuid(2) ? 1 : 0);
        }

        return sum;
    }

    [GlobalCleanup]
    public void Dispose()
    {
        _writer.Dispose();
        _wire.Dispose();
        GC.SuppressFinalize(this);
    }
}
