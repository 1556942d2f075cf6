using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace WhatsAspire.AppHost.Tests.Wire;

/// <summary>
/// A client's side of a WebSocket (RFC 6455) over TCP, written for tests: it can send whatever bytes, and reads only
/// while somebody waits for a frame, so that a test can be a slow reader.
/// </summary>
internal sealed class WireSocket : IAsyncDisposable
{
    /// <summary>How long a frame is waited for: many times what it takes, for machines that are busy.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(40);

    /// <summary>A JSON that leaves letters as they are.</summary>
    public static readonly JsonSerializerOptions Json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    // The pair that RFC 6455 gives as its example, section 1.3.
    private const string Key = "dGhlIHNhbXBsZSBub25jZQ==";
    private const string Accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

    private readonly TcpClient _tcp;
    private readonly NetworkStream _stream;
    private readonly PipeReader _input;
    private readonly List<JsonObject> _unread = [];

    private WireSocket(TcpClient tcp)
    {
        _tcp = tcp;
        _stream = tcp.GetStream();
        _input = PipeReader.Create(_stream);
    }

    /// <summary>Frames that came and that nobody asked for yet, in their order.</summary>
    public IReadOnlyList<JsonObject> Unread => _unread;

    /// <summary>Opens a TCP connection, and nothing more.</summary>
    public static async Task<WireSocket> OpenAsync(Uri address, CancellationToken cancellationToken)
    {
        // Small, so that who does not read is soon felt by the server, and not held by the kernel for megabytes.
        var tcp = new TcpClient { NoDelay = true, ReceiveBufferSize = 64 * 1024 };
        await tcp.ConnectAsync(address.Host, address.Port, cancellationToken);
        return new(tcp);
    }

    /// <summary>Opens a WebSocket; nothing is said on it yet.</summary>
    public static async Task<WireSocket> ConnectAsync(Uri address, string? token, CancellationToken cancellationToken)
    {
        var socket = await OpenAsync(address, cancellationToken);
        await socket.SendBytesAsync(Handshake(address, token), cancellationToken);
        await socket.HandshakeAnsweredAsync(cancellationToken);
        return socket;
    }

    /// <summary>A good opening handshake.</summary>
    public static byte[] Handshake(Uri address, string? token)
    {
        var authorization = token is null ? "" : $"Authorization: Bearer {token}\r\n";
        return Encoding.ASCII.GetBytes(
            $"GET /ws HTTP/1.1\r\nHost: {address.Authority}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
            $"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {Key}\r\n{authorization}\r\n");
    }

    /// <summary>A frame as a client sends it, masked.</summary>
    /// <param name="first">FIN, reserved bits and opcode.</param>
    /// <param name="payload">Unmasked.</param>
    /// <param name="masked">False breaks the protocol.</param>
    public static byte[] Frame(byte first, ReadOnlySpan<byte> payload, bool masked = true)
    {
        var frame = new ArrayBufferWriter<byte>(payload.Length + 14);
        var head = frame.GetSpan(14);
        head[0] = first;
        var bit = masked ? 0x80 : 0;
        var length = 2;
        if (payload.Length < 126) head[1] = (byte)(bit | payload.Length);
        else if (payload.Length <= ushort.MaxValue)
        {
            head[1] = (byte)(bit | 126);
            BinaryPrimitives.WriteUInt16BigEndian(head[2..], (ushort)payload.Length);
            length = 4;
        }
        else
        {
            head[1] = (byte)(bit | 127);
            BinaryPrimitives.WriteUInt64BigEndian(head[2..], (ulong)payload.Length);
            length = 10;
        }

        frame.Advance(length);
        if (!masked)
        {
            frame.Write(payload);
            return frame.WrittenSpan.ToArray();
        }

        var mask = RandomNumberGenerator.GetBytes(4);
        frame.Write(mask);
        var body = frame.GetSpan(payload.Length);
        for (var i = 0; i < payload.Length; i++) body[i] = (byte)(payload[i] ^ mask[i & 3]);
        frame.Advance(payload.Length);
        return frame.WrittenSpan.ToArray();
    }

    /// <summary>A whole text frame.</summary>
    public static byte[] Text(string text) => Frame(0x81, Encoding.UTF8.GetBytes(text));

    /// <summary>A whole text frame of JSON.</summary>
    public static byte[] Text<T>(T frame) where T : class => Text(JsonSerializer.Serialize(frame, Json));

    /// <summary>Sends an object as a JSON text frame.</summary>
    public Task SendAsync<T>(T frame, CancellationToken cancellationToken) where T : class =>
        SendBytesAsync(Text(frame), cancellationToken);

    /// <summary>Sends a text frame.</summary>
    public Task SendTextAsync(string text, CancellationToken cancellationToken) => SendBytesAsync(Text(text), cancellationToken);

    /// <summary>Sends a <c>send</c> to a user.</summary>
    /// <returns>Its client_message_id.</returns>
    public async Task<string> SendMessageAsync(WireUser to, string text, CancellationToken cancellationToken, string? id = null)
    {
        id ??= Guid.NewGuid().ToString();
        await SendAsync(new { type = "send", client_message_id = id, to = new { user_id = to.Id }, text }, cancellationToken);
        return id;
    }

    /// <summary>Sends bytes as they are.</summary>
    public async Task SendBytesAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken) =>
        await _stream.WriteAsync(bytes, cancellationToken);

    /// <summary>Says hello, and waits until the summaries are complete; they are left in <see cref="Unread"/>.</summary>
    /// <returns>The <c>synced</c> frame.</returns>
    public async Task<JsonObject> HelloAsync(string? cursor, CancellationToken cancellationToken)
    {
        await SendAsync(new { type = "hello", protocol = 1, cursor }, cancellationToken);
        await ReceiveAsync("welcome", cancellationToken);
        return await ReceiveAsync("synced", cancellationToken);
    }

    /// <summary>Waits for the answer of the HTTP server to the handshake, and checks it.</summary>
    public async Task HandshakeAnsweredAsync(CancellationToken cancellationToken)
    {
        var head = await ReadHeadAsync(cancellationToken);
        Assert.StartsWith("HTTP/1.1 101 ", head, StringComparison.Ordinal);
        Assert.Contains($"Sec-WebSocket-Accept: {Accept}\r\n", head, StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>Reads the head of an HTTP answer.</summary>
    public Task<string> ReadHeadAsync(CancellationToken cancellationToken) =>
        WaitAsync(TakeHead, () => "the head of an HTTP answer", Patience, cancellationToken);

    /// <summary>Reads bytes that follow a head.</summary>
    public Task<string> ReadBodyAsync(int length, CancellationToken cancellationToken) => WaitAsync(
        (ref ReadOnlySequence<byte> buffer) =>
        {
            if (buffer.Length < length) return null;
            var body = Encoding.UTF8.GetString(buffer.Slice(0, length));
            buffer = buffer.Slice(length);
            return body;
        },
        () => $"{length} bytes of a body", Patience, cancellationToken);

    /// <summary>Reads up to and including some text.</summary>
    public Task<string> ReadThroughAsync(string end, CancellationToken cancellationToken) => WaitAsync(
        (ref ReadOnlySequence<byte> buffer) =>
        {
            var reader = new SequenceReader<byte>(buffer);
            if (!reader.TryReadTo(out ReadOnlySequence<byte> before, Encoding.UTF8.GetBytes(end))) return null;
            buffer = buffer.Slice(reader.Position);
            return Encoding.UTF8.GetString(before);
        },
        () => $"'{end}'", Patience, cancellationToken);

    /// <summary>The next frame of a type, also if it came earlier while another one was waited for.</summary>
    /// <exception cref="TimeoutException">It did not come; the message says what came instead.</exception>
    /// <exception cref="SocketClosedException">The server closed instead.</exception>
    public Task<JsonObject> ReceiveAsync(string type, CancellationToken cancellationToken) =>
        ReceiveAsync(type, _ => true, cancellationToken);

    /// <summary>The next frame of a type that fits.</summary>
    /// <exception cref="TimeoutException">It did not come; the message says what came instead.</exception>
    /// <exception cref="SocketClosedException">The server closed instead.</exception>
    public Task<JsonObject> ReceiveAsync(string type, Func<JsonObject, bool> fits, CancellationToken cancellationToken) =>
        ReceiveAsync(frame => (string?)frame["type"] == type && fits(frame), $"a '{type}'", cancellationToken);

    /// <summary>The next frame, whatever it is.</summary>
    public Task<JsonObject> ReceiveAnyAsync(CancellationToken cancellationToken) => ReceiveAsync(_ => true, "any frame", cancellationToken);

    /// <summary>Waits for the server's close frame, passing over what comes before it.</summary>
    /// <returns>The code.</returns>
    /// <exception cref="TimeoutException">None came.</exception>
    public async Task<int> ClosedAsync(CancellationToken cancellationToken, TimeSpan? patience = null)
    {
        try
        {
            await WaitAsync<JsonObject>(
                (ref ReadOnlySequence<byte> buffer) =>
                {
                    while (TakeFrame(ref buffer) is { } frame)
                        if (frame.Json is { } json) _unread.Add(json);
                    return null;
                },
                () => $"a close{Instead()}", patience ?? Patience, cancellationToken);
            throw new InvalidOperationException("It waits until the end.");
        }
        catch (SocketClosedException closed) when (closed.Code != 0)
        {
            return closed.Code;
        }
    }

    /// <summary>Waits for a pong of the protocol (not of JSON) and gives its payload.</summary>
    public async Task<string> ProtocolPongAsync(CancellationToken cancellationToken)
    {
        return await WaitAsync(
            (ref ReadOnlySequence<byte> buffer) =>
            {
                while (TakeFrame(ref buffer) is { } frame)
                {
                    if (frame.Json is { } json) _unread.Add(json);
                    else return frame.Pong;
                }

                return null;
            },
            () => $"a pong{Instead()}", Patience, cancellationToken);
    }

    /// <summary>Cuts the connection without a word.</summary>
    public void Abort() => _tcp.Client.Close(0);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _input.CompleteAsync();
        _tcp.Dispose();
    }

    private async Task<JsonObject> ReceiveAsync(Func<JsonObject, bool> fits, string what, CancellationToken cancellationToken)
    {
        if (_unread.FindIndex(frame => fits(frame)) is var at and >= 0)
        {
            var early = _unread[at];
            _unread.RemoveAt(at);
            return early;
        }

        return await WaitAsync(
            (ref ReadOnlySequence<byte> buffer) =>
            {
                while (TakeFrame(ref buffer) is { } frame)
                {
                    if (frame.Json is not { } json) continue;
                    if (fits(json)) return json;
                    _unread.Add(json);
                }

                return null;
            },
            () => what + Instead(), Patience, cancellationToken);
    }

    private delegate T? Take<T>(ref ReadOnlySequence<byte> buffer) where T : class;

    /// <summary>Reads until something whole could be taken. What was read stays, also when it gives up.</summary>
    private async Task<T> WaitAsync<T>(Take<T> take, Func<string> what, TimeSpan patience, CancellationToken cancellationToken)
        where T : class
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(patience);
        try
        {
            while (true)
            {
                var read = await _input.ReadAsync(timeout.Token);
                var buffer = read.Buffer;
                T? taken = null;
                try
                {
                    taken = take(ref buffer);
                }
                finally
                {
                    _input.AdvanceTo(buffer.Start, taken is null ? buffer.End : buffer.Start);
                }

                if (taken is not null) return taken;
                if (read.IsCompleted) throw new SocketClosedException(0, $"The connection ended without a close; it was waited for {what()}.");
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException($"Waited {patience.TotalSeconds:F0} s for {what()}.");
        }
        catch (SocketClosedException closed)
        {
            throw new SocketClosedException(closed.Code, $"{closed.Message} It was waited for {what()}.");
        }
        catch (IOException broken)
        {
            throw new SocketClosedException(0, $"The connection broke: {broken.Message} It was waited for {what()}.");
        }
    }

    private string Instead() => _unread.Count == 0
        ? "; nothing else came"
        : $"; instead there came {string.Join(", ", _unread.TakeLast(5).Select(frame => frame.ToJsonString(Json)))}";

    private static string? TakeHead(ref ReadOnlySequence<byte> buffer)
    {
        var reader = new SequenceReader<byte>(buffer);
        if (!reader.TryReadTo(out ReadOnlySequence<byte> head, "\r\n\r\n"u8)) return null;
        buffer = buffer.Slice(reader.Position);
        return Encoding.ASCII.GetString(head) + "\r\n";
    }

    /// <summary>Servers send whole, unmasked frames.</summary>
    private static (JsonObject? Json, string? Pong)? TakeFrame(ref ReadOnlySequence<byte> buffer)
    {
        Span<byte> head = stackalloc byte[10];
        var available = (int)Math.Min(buffer.Length, head.Length);
        buffer.Slice(0, available).CopyTo(head);
        if (available < 2) return null;
        Assert.Equal(0, head[1] & 0x80);
        long length = head[1] & 0x7f;
        var at = 2;
        if (length == 126)
        {
            if (available < 4) return null;
            (length, at) = (BinaryPrimitives.ReadUInt16BigEndian(head[2..]), 4);
        }
        else if (length == 127)
        {
            if (available < 10) return null;
            (length, at) = (BinaryPrimitives.ReadInt64BigEndian(head[2..]), 10);
        }

        if (buffer.Length < at + length) return null;
        var payload = buffer.Slice(at, length).ToArray();
        buffer = buffer.Slice(at + length);
        switch (head[0])
        {
            case 0x81:
                Assert.InRange(payload.Length, 2, 65536);
                return (Assert.IsType<JsonObject>(JsonNode.Parse(payload)), null);
            case 0x8a:
                return (null, Encoding.UTF8.GetString(payload));
            case 0x88:
                var code = payload.Length < 2 ? 1005 : BinaryPrimitives.ReadUInt16BigEndian(payload);
                throw new SocketClosedException(code, $"The server closed with {code}: {Encoding.UTF8.GetString(payload.AsSpan(Math.Min(2, payload.Length)))}.");
            default:
                throw new InvalidDataException($"The server sent a frame that begins with {head[0]:x2}.");
        }
    }
}

/// <summary>The connection ended while something else was waited for.</summary>
internal sealed class SocketClosedException(int code, string message) : Exception(message)
{
    /// <summary>The code of the close frame; 0 where none came.</summary>
    public int Code => code;
}
