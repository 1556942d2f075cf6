using System.Net;
using System.Net.WebSockets;

namespace WhatsAspire.Client;

/// <summary>Why a connection ended, and what follows from it.</summary>
/// <param name="Next">What follows.</param>
/// <param name="Reason">For a person.</param>
/// <param name="After">How long to stay away, where the server said so.</param>
/// <param name="Error">Of a final end.</param>
internal sealed record ConnectionEnd(NextStep Next, string Reason, TimeSpan? After = null, ChatException? Error = null)
{
    /// <summary>The bands of close codes: come back, come back with another token, don't.</summary>
    public static ConnectionEnd OfClose(int code, string? description)
    {
        var reason = $"the server closed the connection: {code}{(string.IsNullOrEmpty(description) ? "" : $", {description}")}";
        return code switch
        {
            4401 => new(NextStep.NewToken, reason),
            4403 => Stop("unauthenticated", "the device was logged out"),
            4409 => Stop("conflict", "the same device connected again elsewhere"),
            // A rule of the protocol was broken: the same again would break it again.
            1003 or 1007 or 1008 or 1009 => Stop("bad_frame", reason),
            _ => new(NextStep.Reconnect, reason),
        };

        ConnectionEnd Stop(string word, string message) => new(NextStep.Stop, message, Error: new(word, message));
    }

    public static ConnectionEnd OfException(Exception e) => e switch
    {
        WebSocketException { Data: var data } when data[StatusKey] is HttpStatusCode.Unauthorized =>
            new(NextStep.NewToken, "the token was refused"),
        _ => new(NextStep.Reconnect, $"no connection: {e.Message}"),
    };

    /// <summary>Where the status of a refused handshake is kept in the exception's data.</summary>
    public const string StatusKey = "status";
}

internal enum NextStep
{
    Reconnect,
    NewToken,
    Stop,
}

/// <summary>One socket: whole frames in, whole frames out. Reads for one, writes for one.</summary>
internal sealed class Connection(WebSocket socket) : IDisposable
{
    /// <summary>A server that sends more than this in one frame is broken; its own limit is 64 KiB.</summary>
    private const int MaxFrame = 1024 * 1024;

    private byte[] _buffer = new byte[16 * 1024];

    // The rest is guarded by the client's lock.
    public bool IsWelcome { get; set; }
    public bool IsSynced { get; set; }
    public long OpenedAt { get; set; }
    public bool HasSaidHello { get; set; }
    public bool HasClosed { get; set; }
    public bool IsLeaving { get; set; }
    public long LeavingSince { get; set; }
    public TimeSpan Heartbeat { get; set; } = TimeSpan.FromSeconds(25);
    public long ReadAt { get; set; }
    public long WrittenAt { get; set; }
    public long PingedAt { get; set; }
    public ConnectionEnd? End { get; set; }

    /// <summary>The default way to open a socket.</summary>
    public static async Task<WebSocket> OpenAsync(Uri address, string token, CancellationToken cancellationToken)
    {
        var socket = new ClientWebSocket();
        socket.Options.SetRequestHeader("Authorization", "Bearer " + token);
        // The protocol's own pings tell more: they are answered by the server's logic, not by its kernel.
        socket.Options.KeepAliveInterval = Timeout.InfiniteTimeSpan;
        socket.Options.CollectHttpResponseDetails = true;
        try
        {
            await socket.ConnectAsync(address, cancellationToken);
            return socket;
        }
        catch (WebSocketException e)
        {
            e.Data[ConnectionEnd.StatusKey] = socket.HttpStatusCode;
            socket.Dispose();
            throw;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Writes a frame. It can't be cancelled: half a frame is the end of a connection. <see cref="Abort"/> ends
    /// it.</summary>
    public ValueTask SendAsync(ReadOnlyMemory<byte> frame) =>
        socket.SendAsync(frame, WebSocketMessageType.Text, endOfMessage: true, CancellationToken.None);

    /// <summary>The next frame, in a buffer that the next call overwrites; null when the server closed.</summary>
    /// <exception cref="WebSocketException">The connection broke.</exception>
    public async Task<ReadOnlyMemory<byte>?> ReceiveAsync(CancellationToken cancellationToken)
    {
        var length = 0;
        while (true)
        {
            if (length == _buffer.Length)
            {
                if (length >= MaxFrame) throw new WebSocketException($"a frame of more than {MaxFrame} bytes");
                Array.Resize(ref _buffer, _buffer.Length * 2);
            }

            var result = await socket.ReceiveAsync(_buffer.AsMemory(length), cancellationToken);
            if (result.MessageType == WebSocketMessageType.Close) return null;
            length += result.Count;
            if (result.EndOfMessage) return _buffer.AsMemory(0, length);
        }
    }

    public ConnectionEnd OfClose() => ConnectionEnd.OfClose((int?)socket.CloseStatus ?? 1006, socket.CloseStatusDescription);

    /// <summary>Says good-bye, and waits for the answer no longer than the token lets it.</summary>
    public async Task CloseAsync(CancellationToken cancellationToken)
    {
        if (socket.State is WebSocketState.Open or WebSocketState.CloseReceived)
            await socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, cancellationToken);
    }

    public void Abort() => socket.Abort();

    public void Dispose() => socket.Dispose();
}
