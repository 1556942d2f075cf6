using System.Net.WebSockets;
using System.Text;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace WhatsAspire.Client.Tests;

/// <summary>A server on a free port of loopback that says what the test tells it to.</summary>
internal sealed class ScriptedServer : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly Channel<ScriptedConnection> _connections = Channel.CreateUnbounded<ScriptedConnection>();
    private int _refreshes;

    private ScriptedServer(WebApplication app) => _app = app;

    public Uri Address { get; private set; } = null!;

    /// <summary>How often tokens were refreshed.</summary>
    public int Refreshes => Volatile.Read(ref _refreshes);

    /// <summary>Handshakes are answered with this status instead of being accepted.</summary>
    public int? Refuse { get; set; }

    public static async Task<ScriptedServer> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        var server = new ScriptedServer(app);
        app.UseWebSockets();
        app.Map("/ws", server.AcceptAsync);
        app.MapPost("/tokens", server.Refresh);
        await app.StartAsync(TestContext.Current.CancellationToken);
        server.Address = new(app.Urls.First());
        return server;
    }

    /// <summary>The next connection of a client.</summary>
    public Task<ScriptedConnection> NextConnectionAsync() => _connections.Reader.ReadAsync().AsTask().In("a connection");

    /// <summary>The next connection, welcomed and synced.</summary>
    public async Task<ScriptedConnection> WelcomeAsync(string cursor = "1", params string[] summaries)
    {
        var connection = await NextConnectionAsync();
        await connection.WelcomeAsync();
        foreach (var summary in summaries) await connection.SendAsync(summary);
        await connection.SendAsync($$"""{"type":"synced","cursor":"{{cursor}}"}""");
        return connection;
    }

    public bool HasConnection => _connections.Reader.Count > 0;

    public async ValueTask DisposeAsync()
    {
        using var now = new CancellationTokenSource(TimeSpan.FromMilliseconds(1));
        await _app.StopAsync(now.Token);
        await _app.DisposeAsync();
    }

    private async Task AcceptAsync(HttpContext context)
    {
        if (Refuse is { } status)
        {
            context.Response.StatusCode = status;
            return;
        }

        using var socket = await context.WebSockets.AcceptWebSocketAsync();
        var connection = new ScriptedConnection(socket, context.Request.Headers.Authorization.ToString());
        await _connections.Writer.WriteAsync(connection);
        await connection.ReadAsync(context.RequestAborted);
    }

    private IResult Refresh()
    {
        var number = Interlocked.Increment(ref _refreshes);
        return Results.Text(
            $$"""{"user_id":"{{TestClient.Me}}","device_id":"{{TestClient.Device}}","access_token":"access-{{number}}","expires_in":900,"refresh_token":"refresh-{{number}}"}""",
            "application/json");
    }
}

/// <summary>The server's end of a socket.</summary>
internal sealed class ScriptedConnection(WebSocket socket, string authorization)
{
    private readonly Channel<JsonNode> _frames = Channel.CreateUnbounded<JsonNode>();
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public string Authorization => authorization;

    /// <summary>Completes when the client is gone.</summary>
    public Task Ended => _ended.Task;

    /// <summary>Answers the hello.</summary>
    /// <returns>The hello.</returns>
    public async Task<JsonNode> WelcomeAsync(int heartbeatMs = 25_000)
    {
        var hello = await ReceiveAsync("hello");
        await SendAsync($$$"""
            {"type":"welcome","user_id":"{{{TestClient.Me}}}","device_id":"{{{TestClient.Device}}}","connection_id":"c","heartbeat_ms":{{{heartbeatMs}}},
            "server_time":"2026-11-24T10:15:30.123Z","limits":{"frame_bytes":65536,"text_length":4096,"pull_ranges":50,"pull_messages":500,"ack_positions":500}}
            """);
        return hello;
    }

    public Task SendAsync(string frame) =>
        socket.SendAsync(Encoding.UTF8.GetBytes(frame), WebSocketMessageType.Text, true, TestContext.Current.CancellationToken);

    /// <summary>The next frame, which must be of that type.</summary>
    public async Task<JsonNode> ReceiveAsync(string type)
    {
        var frame = await _frames.Reader.ReadAsync().AsTask().In($"a frame '{type}'");
        Assert.Equal(type, (string?)frame["type"]);
        return frame;
    }

    /// <summary>The next frame of that type; others are passed over.</summary>
    public async Task<JsonNode> ReceiveNextAsync(string type)
    {
        while (true)
        {
            var frame = await _frames.Reader.ReadAsync().AsTask().In($"a frame '{type}'");
            if ((string?)frame["type"] == type) return frame;
        }
    }

    /// <summary>Answers a ping-like question, and so shows that nothing of that type came before it.</summary>
    public bool HasFrame => _frames.Reader.Count > 0;

    public Task CloseAsync(int code, string reason = "") =>
        socket.CloseOutputAsync((WebSocketCloseStatus)code, reason, TestContext.Current.CancellationToken);

    /// <summary>Gone, without a word.</summary>
    public void Abort() => socket.Abort();

    public async Task ReadAsync(CancellationToken cancellationToken)
    {
        var buffer = new byte[256 * 1024];
        try
        {
            while (true)
            {
                var length = 0;
                ValueWebSocketReceiveResult result;
                do
                {
                    result = await socket.ReceiveAsync(buffer.AsMemory(length), cancellationToken);
                    length += result.Count;
                }
                while (!result.EndOfMessage);
                if (result.MessageType == WebSocketMessageType.Close)
                {
                    if (socket.State == WebSocketState.CloseReceived) await socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, cancellationToken);
                    break;
                }

                _frames.Writer.TryWrite(JsonNode.Parse(buffer.AsSpan(0, length))!);
            }
        }
        catch (Exception e) when (e is WebSocketException or OperationCanceledException or IOException)
        {
            // The end of the connection is what 'Ended' tells.
        }
        finally
        {
            _frames.Writer.TryComplete();
            _ended.TrySetResult();
        }
    }
}
