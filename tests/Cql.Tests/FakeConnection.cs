using System.Buffers.Binary;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using WhatsAspire.Cql.Protocol;

namespace WhatsAspire.Cql.Tests;

/// <summary>The server's side of one connection.</summary>
internal sealed class FakeConnection(FakeServer server, TcpClient client) : IDisposable
{
    private readonly SemaphoreSlim _writing = new(1, 1);
    private Stream _stream = client.GetStream();
    private FrameEncoder _encoder = new PlainEncoder();
    private byte _version = 5;
    private bool _isSegmented;
    private byte[] _segment = [];

    public FakeServer Server => server;

    public bool IsRegistered { get; set; }

    /// <summary>Begins TLS where the server has a certificate.</summary>
    public async Task<bool> TrySecureAsync()
    {
        if (server.Certificate is not { } certificate)
            return true;
        var secure = new SslStream(_stream);
        _stream = secure;
        try
        {
            await secure.AuthenticateAsServerAsync(certificate);
            return true;
        }
        catch (Exception refused) when (refused is IOException or AuthenticationException or ObjectDisposedException)
        {
            return false;
        }
    }

    /// <returns>Null at the end.</returns>
    public async Task<FakeRequest?> ReadAsync()
    {
        try
        {
            var header = await TakeAsync(EnvelopeHeader.Size);
            _version = header[0];
            var body = await TakeAsync(BinaryPrimitives.ReadInt32BigEndian(header.AsSpan(5)));
            return new(this, header[0], (EnvelopeFlags)header[1], BinaryPrimitives.ReadInt16BigEndian(header.AsSpan(2)), (Opcode)header[4], body);
        }
        catch (Exception gone) when (gone is IOException or ObjectDisposedException)
        {
            return null;
        }
    }

    public async Task SendAsync(EnvelopeFlags flags, short stream, Opcode opcode, Action<ByteWriter> body, byte? version = null)
    {
        using var envelope = new ByteWriter();
        var begin = EnvelopeHeader.Begin(envelope, (byte)((version ?? _version) | EnvelopeHeader.ResponseBit), flags, stream, opcode);
        body(envelope);
        EnvelopeHeader.End(envelope, begin);
        await _writing.WaitAsync();
        try
        {
            using var output = new ByteWriter();
            _encoder.Encode(envelope.Written, output);
            await _stream.WriteAsync(output.WrittenMemory);
        }
        finally
        {
            _writing.Release();
        }

        if (opcode is Opcode.Ready or Opcode.Authenticate && _version >= 5)
        {
            _isSegmented = true;
            _encoder = FrameEncoder.For(_version, compressed: false);
        }
    }

    /// <summary>Bytes as they are.</summary>
    public async Task SendRawAsync(byte[] bytes)
    {
        await _writing.WaitAsync();
        try
        {
            await _stream.WriteAsync(bytes);
        }
        finally
        {
            _writing.Release();
        }
    }

    public void Dispose()
    {
        _stream.Dispose();
        client.Dispose();
        _writing.Dispose();
    }

    private async Task<byte[]> TakeAsync(int count)
    {
        var taken = new byte[count];
        if (!_isSegmented)
        {
            await _stream.ReadExactlyAsync(taken);
            return taken;
        }

        for (var filled = 0; filled < count;)
        {
            if (_segment.Length == 0)
                _segment = await ReadSegmentAsync();
            var part = Math.Min(count - filled, _segment.Length);
            _segment.AsSpan(0, part).CopyTo(taken.AsSpan(filled));
            _segment = _segment[part..];
            filled += part;
        }

        return taken;
    }

    private async Task<byte[]> ReadSegmentAsync()
    {
        var header = new byte[6];
        await _stream.ReadExactlyAsync(header);
        if (Crc24.Compute(header.AsSpan(0, 3)) != (uint)(header[3] | (header[4] << 8) | (header[5] << 16)))
            throw new IOException("The client's header has a wrong checksum.");
        var payload = new byte[(header[0] | (header[1] << 8) | (header[2] << 16)) & SegmentEncoder.MaxPayload];
        await _stream.ReadExactlyAsync(payload);
        await _stream.ReadExactlyAsync(new byte[SegmentEncoder.TrailerSize]);
        return payload;
    }
}

/// <summary>What a client asked.</summary>
internal sealed record FakeRequest(FakeConnection Connection, byte Version, EnvelopeFlags Flags, short Stream, Opcode Opcode, byte[] Body)
{
    /// <summary>Of QUERY and PREPARE.</summary>
    public string Text
    {
        get
        {
            var reader = Read();
            return System.Text.Encoding.UTF8.GetString(reader.Take(reader.Int32()));
        }
    }

    /// <summary>What EXECUTE or BATCH names first.</summary>
    public string StatementText
    {
        get
        {
            var reader = Read();
            if (Opcode == Opcode.Batch)
                reader.Take(4);
            return Connection.Server.Prepared.GetValueOrDefault(Convert.ToHexString(reader.ShortBytes()), "");
        }
    }

    /// <summary>The first value of EXECUTE.</summary>
    public int FirstValue
    {
        get
        {
            var reader = Read();
            reader.ShortBytes();
            if (Version >= 5)
                reader.ShortBytes();
            reader.Take(2 + (Version >= 5 ? 4 : 1) + 2);
            reader.TryBytes(out var value);
            return BinaryPrimitives.ReadInt32BigEndian(value);
        }
    }

    /// <summary>Behind the custom payload.</summary>
    public ByteReader Read()
    {
        var reader = new ByteReader(Body);
        if ((Flags & EnvelopeFlags.CustomPayload) != 0)
            reader.BytesMap();
        return reader;
    }

    public Task AnswerAsync(Opcode opcode, Action<ByteWriter> body, EnvelopeFlags flags = EnvelopeFlags.None) =>
        Connection.SendAsync(flags, Stream, opcode, body);

    public Task VoidAsync() => AnswerAsync(Opcode.Result, writer => writer.WriteInt32((int)ResultKind.Void));

    public Task ErrorAsync(int code, string message, byte? version = null, Action<ByteWriter>? more = null) =>
        Connection.SendAsync(EnvelopeFlags.None, Stream, Opcode.Error, writer =>
        {
            writer.WriteInt32(code);
            writer.WriteString(message);
            more?.Invoke(writer);
        }, version);

    public Task RowsAsync(IReadOnlyList<CqlColumn> columns, IReadOnlyList<IReadOnlyList<CqlValue>> rows, byte[]? pagingState = null) =>
        AnswerAsync(Opcode.Result, writer => FakeStatements.WriteRows(writer, columns, rows, pagingState));

    public Task Registered()
    {
        Connection.IsRegistered = true;
        return AnswerAsync(Opcode.Ready, _ => { });
    }
}
