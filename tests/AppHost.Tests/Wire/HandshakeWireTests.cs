using System.Text;

namespace WhatsAspire.AppHost.Tests.Wire;

/// <summary>How a connection begins.</summary>
[Trait("Requirement", "R1")]
public sealed class HandshakeWireTests(WireSystem system) : WireTest(system)
{
    private const string Good =
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

    [Theory]
    [InlineData("GET", "")]
    [InlineData("GET", "Connection: Upgrade\r\nUpgrade: h2c\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")]
    [InlineData("GET", "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")]
    [InlineData("GET", "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 8\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")]
    [InlineData("GET", "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n")]
    [InlineData("GET", "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n")]
    [InlineData("GET", "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")]
    [InlineData("POST", "Content-Length: 0\r\n" + Good)]
    public async Task Without_a_good_upgrade_the_answer_is_426_and_says_what_is_asked_for(string method, string headers)
    {
        var socket = await OpenTcpAsync(System.FirstEdge);

        await socket.SendBytesAsync(
            Encoding.ASCII.GetBytes($"{method} /ws HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n"), Cancellation);

        var head = await socket.ReadHeadAsync(Cancellation);
        Assert.StartsWith("HTTP/1.1 426 ", head, StringComparison.Ordinal);
        Assert.Contains("Upgrade: websocket\r\n", head, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("Sec-WebSocket-Version: 13\r\n", head, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("application/problem+json", head, StringComparison.OrdinalIgnoreCase);
    }

    [Theory]
    [InlineData("connection: keep-alive, upgrade\r\nupgrade: WebSocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n")]
    [InlineData("Origin: https://example.org\r\nSec-WebSocket-Extensions: permessage-deflate\r\nCookie: a=b\r\n" + Good)]
    public async Task Headers_may_be_written_in_any_case_with_others_beside_them(string headers)
    {
        var socket = await OpenTcpAsync(System.FirstEdge);

        await socket.SendBytesAsync(Encoding.ASCII.GetBytes($"GET /ws HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n"), Cancellation);

        await socket.HandshakeAnsweredAsync(Cancellation);
        await PingAsync(socket);
    }

    [Fact]
    public async Task A_handshake_in_pieces_is_put_together()
    {
        var socket = await OpenTcpAsync(System.FirstEdge);
        var user = await UserAsync();

        foreach (var piece in WireSocket.Handshake(System.FirstEdge, user.Token).Chunk(3))
            await socket.SendBytesAsync(piece, Cancellation);

        await socket.HandshakeAnsweredAsync(Cancellation);
        await socket.HelloAsync(null, Cancellation);
    }

    [Fact]
    public async Task Frames_in_the_same_segment_as_the_handshake_are_read()
    {
        var user = await UserAsync();
        var socket = await OpenTcpAsync(System.FirstEdge);

        await socket.SendBytesAsync(
            (byte[])[
                .. WireSocket.Handshake(System.FirstEdge, user.Token),
                .. WireSocket.Text(new { type = "hello", protocol = 1, @ref = "h" }),
                .. WireSocket.Text(new { type = "ping", @ref = "p" }),
            ],
            Cancellation);

        await socket.HandshakeAnsweredAsync(Cancellation);
        Assert.Equal("h", (string?)(await socket.ReceiveAsync("welcome", Cancellation))["ref"]);
        await socket.ReceiveAsync("synced", Cancellation);
        Assert.Equal("p", (string?)(await socket.ReceiveAsync("pong", Cancellation))["ref"]);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_connection_that_was_used_for_REST_can_be_upgraded(bool publicAddress)
    {
        var (ann, bob) = (await UserAsync(), await UserAsync());
        var address = publicAddress ? System.PublicAddress : System.FirstEdge;
        var socket = await OpenTcpAsync(address);
        await socket.SendBytesAsync(
            Encoding.ASCII.GetBytes($"GET /users/{ann.Id} HTTP/1.1\r\nHost: {address.Authority}\r\nAuthorization: Bearer {ann.Token}\r\n\r\n"), Cancellation);
        await ReadAnswerAsync(socket);

        await socket.SendBytesAsync(WireSocket.Handshake(address, ann.Token), Cancellation);
        await socket.HandshakeAnsweredAsync(Cancellation);
        await socket.HelloAsync(null, Cancellation);

        await bob.PostMessageAsync(ann, "found you", Cancellation);
        Assert.Equal("found you", (string?)(await socket.ReceiveAsync("message", Cancellation))["text"]);
        await socket.SendBytesAsync(WireSocket.Frame(0x88, [0x03, 0xe8]), Cancellation);
        Assert.Equal(1000, await socket.ClosedAsync(Cancellation));
    }

    [Fact]
    public async Task Welcome_tells_who_one_is_and_the_limits()
    {
        var user = await UserAsync();
        var socket = await OpenAsync(System.PublicAddress, user.Token);

        await socket.SendTextAsync("""{"type":"hello","protocol":1}""", Cancellation);

        var welcome = await socket.ReceiveAnyAsync(Cancellation);
        Assert.Equal("welcome", (string?)welcome["type"]);
        Assert.Equal((user.Id, user.DeviceId), ((string)welcome["user_id"]!, (string)welcome["device_id"]!));
        Assert.True(Guid.TryParseExact((string?)welcome["connection_id"], "D", out _));
        Assert.Equal(25_000, (int?)welcome["heartbeat_ms"]);
        Assert.Equal((65536, 4096), ((int)welcome["limits"]!["frame_bytes"]!, (int)welcome["limits"]!["text_length"]!));
        Assert.Matches(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", (string?)welcome["server_time"]);
    }

    [Fact]
    public async Task A_token_in_hello_is_as_good_as_one_in_the_header()
    {
        var user = await UserAsync();
        var socket = await OpenAsync();

        await socket.SendAsync(new { type = "hello", protocol = 1, token = user.Token }, Cancellation);

        Assert.Equal(user.Id, (string?)(await socket.ReceiveAsync("welcome", Cancellation))["user_id"]);
    }

    [Fact]
    public async Task Before_hello_every_other_frame_is_refused_and_hello_still_works()
    {
        var user = await UserAsync();
        var socket = await OpenAsync(System.FirstEdge, user.Token);
        object[] frames =
        [
            new { type = "send", @ref = "r", client_message_id = "1", to = new { user_id = user.Id }, text = "early" },
            new { type = "ack", @ref = "r", positions = new[] { new { conversation_id = Guid.NewGuid(), seq = 1 } } },
            new { type = "read", @ref = "r", conversation_id = Guid.NewGuid(), seq = 1 },
            new { type = "pull", @ref = "r", ranges = new[] { new { conversation_id = Guid.NewGuid(), after = 0 } } },
        ];

        foreach (var frame in frames)
        {
            await socket.SendAsync(frame, Cancellation);
            var error = await socket.ReceiveAsync("error", Cancellation);
            Assert.Equal(("unauthenticated", "r"), ((string)error["code"]!, (string)error["ref"]!));
        }

        await socket.HelloAsync(null, Cancellation);
        Assert.Empty((await user.GetAsync("/conversations", Cancellation)).Good["conversations"]!.AsArray());
    }

    [Theory]
    [InlineData("\"protocol\":2")]
    [InlineData("\"protocol\":\"1\"")]
    [InlineData("\"protocol\":1,\"cursor\":\"yesterday\"")]
    [InlineData("\"protocol\":1,\"cursor\":\"9223372036854775807\"")]
    [InlineData("\"protocol\":1,\"cursor\":5")]
    public async Task A_wrong_hello_is_refused_and_may_be_said_again(string members)
    {
        var socket = await OpenAsync(System.FirstEdge, (await UserAsync()).Token);

        await socket.SendTextAsync("{\"type\":\"hello\",\"ref\":\"h\"," + members + "}", Cancellation);

        var error = await socket.ReceiveAnyAsync(Cancellation);
        Assert.Equal(("error", "invalid_argument", "h"), ((string)error["type"]!, (string?)error["code"], (string?)error["ref"]));
        await socket.HelloAsync(null, Cancellation);
    }

    private static async Task PingAsync(WireSocket socket)
    {
        await socket.SendTextAsync("""{"type":"ping","ref":"p"}""", Cancellation);
        await socket.ReceiveAsync("pong", Cancellation);
    }

    /// <summary>Reads an answer with whichever framing it has.</summary>
    private static async Task ReadAnswerAsync(WireSocket socket)
    {
        var head = await socket.ReadHeadAsync(Cancellation);
        Assert.StartsWith("HTTP/1.1 200 ", head, StringComparison.Ordinal);
        var lines = head.Split("\r\n").Select(line => line.Split(": ")).Where(line => line.Length == 2)
            .ToDictionary(line => line[0], line => line[1], StringComparer.OrdinalIgnoreCase);
        if (lines.TryGetValue("Content-Length", out var length))
        {
            await socket.ReadBodyAsync(int.Parse(length, global::System.Globalization.CultureInfo.InvariantCulture), Cancellation);
            return;
        }

        Assert.Equal("chunked", lines["Transfer-Encoding"]);
        var body = await socket.ReadThroughAsync("0\r\n\r\n", Cancellation);
        Assert.Contains("user_id", body, StringComparison.Ordinal);
    }

    private async Task<WireSocket> OpenTcpAsync(Uri address) => Keep(await WireSocket.OpenAsync(address, Cancellation));
}
