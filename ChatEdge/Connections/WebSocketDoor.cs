using System.Buffers;
using System.IO.Pipelines;
using System.Text;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http.Features;
using WhatsAspire.Contracts;
using WhatsAspire.ServiceDefaults;

namespace WhatsAspire.ChatEdge.Connections;

/// <summary>Takes WebSocket handshakes off the transport before the HTTP server sees them: an idle connection then
/// consists of the transport and of our own state, without an HTTP connection and its buffers. Everything else, and a
/// handshake that comes on a connection which HTTP has used before, goes the usual way.</summary>
internal sealed class WebSocketDoor(EdgeConnections connections, TimeProvider time, ILogger<WebSocketDoor> logger)
{
    private static readonly TimeSpan Linger = TimeSpan.FromSeconds(5);

    /// <summary>Connection middleware for a listener.</summary>
    public ConnectionDelegate Wrap(ConnectionDelegate http) => context => OnConnectionAsync(context, http);

    /// <summary>The endpoint for handshakes that arrive through the HTTP server.</summary>
    public async Task OnRequestAsync(HttpContext context)
    {
        var upgrade = context.Features.Get<IHttpUpgradeFeature>();
        var headers = context.Request.Headers;
        // The server takes any protocol and method for an upgrade.
        if (upgrade is null || !upgrade.IsUpgradableRequest || !HttpMethods.IsGet(context.Request.Method)
            || !headers.GetCommaSeparatedValues("Upgrade").Contains("websocket", StringComparer.OrdinalIgnoreCase)
            || !UpgradeRequest.IsKey(headers.SecWebSocketKey) || headers.SecWebSocketVersion != "13")
        {
            context.Response.Headers.SecWebSocketVersion = "13";
            context.Response.Headers.Upgrade = "websocket";
            await new ProblemResult(Error.Invalid(
                "this address speaks WebSocket, version 13: send Upgrade, Connection, Sec-WebSocket-Version and Sec-WebSocket-Key"),
                StatusCodes.Status426UpgradeRequired).ExecuteAsync(context);
            return;
        }

        context.Response.Headers.SecWebSocketAccept = UpgradeRequest.Accept(headers.SecWebSocketKey!);
        context.Response.Headers.Upgrade = "websocket";
        context.Response.Headers.Connection = "Upgrade";
        await using var stream = await upgrade.UpgradeAsync();
        var pipes = new StreamPipes(PipeReader.Create(stream), PipeWriter.Create(stream));
        await connections.RunAsync(pipes, context.Abort, UpgradeRequest.BearerToken(headers.Authorization));
    }

    private async Task OnConnectionAsync(ConnectionContext context, ConnectionDelegate http)
    {
        if (await ReadHandshakeAsync(context) is not { } request)
        {
            if (!context.ConnectionClosed.IsCancellationRequested) await http(context);
            return;
        }

        await context.Transport.Output.WriteAsync(Encoding.ASCII.GetBytes(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
            $"Sec-WebSocket-Accept: {UpgradeRequest.Accept(request.Key!)}\r\n\r\n"));
        var token = request.Token;
        request = null;
        await connections.RunAsync(context.Transport, context.Abort, token);
        LingerShortly(context);
    }

    /// <returns>Null when it is for HTTP; nothing was consumed then.</returns>
    private async Task<UpgradeRequest?> ReadHandshakeAsync(ConnectionContext context)
    {
        var input = context.Transport.Input;
        using var late = new CancellationTokenSource(Limits.Hello, time);
        await using var abort = late.Token.Register(static c => ((ConnectionContext)c!).Abort(), context);
        while (true)
        {
            ReadResult read;
            try
            {
                read = await input.ReadAsync();
            }
            catch (IOException e)
            {
                logger.HandshakeAbandoned(e.Message);
                return null;
            }

            var buffer = read.Buffer;
            if (buffer.IsEmpty && read.IsCompleted) return null;
            if (UpgradeRequest.IsPossible(buffer) && buffer.Length < UpgradeRequest.MaxHead)
            {
                var request = UpgradeRequest.TryParse(buffer, out var end);
                if (request is { IsComplete: true })
                {
                    input.AdvanceTo(end);
                    return request;
                }

                if (request is null && !read.IsCompleted && !EndsHead(buffer))
                {
                    input.AdvanceTo(buffer.Start, buffer.End);
                    continue;
                }
            }

            input.AdvanceTo(buffer.Start);
            return null;
        }
    }

    private static bool EndsHead(ReadOnlySequence<byte> buffer)
    {
        var reader = new SequenceReader<byte>(buffer);
        return reader.TryReadTo(out ReadOnlySequence<byte> _, "\r\n\r\n"u8);
    }

    // The transport sends what is left after this returns; a peer that does not read must not hold it for ever.
    private void LingerShortly(ConnectionContext context)
    {
        var linger = new CancellationTokenSource(Linger, time);
        linger.Token.Register(static c => ((ConnectionContext)c!).Abort(), context);
        context.ConnectionClosed.Register(static c => ((CancellationTokenSource)c!).Dispose(), linger);
    }

    private sealed record StreamPipes(PipeReader Input, PipeWriter Output) : IDuplexPipe;
}
