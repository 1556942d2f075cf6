using System.Text;

namespace WhatsAspire.AppHost.Tests.Wire;

/// <summary>RFC 6455 below the JSON: fragments, control frames, limits, and what breaks the protocol.</summary>
[Trait("Requirement", "R1")]
public sealed class FramingWireTests(WireSystem system) : WireTest(system)
{
    private const int FrameBytes = 65536;

    public static TheoryData<string, byte[], int> BrokenFrames => new()
    {
        { "not masked", WireSocket.Frame(0x81, "{}"u8, masked: false), 1002 },
        { "reserved bit 1", WireSocket.Frame(0xc1, "{}"u8), 1002 },
        { "reserved bit 3", WireSocket.Frame(0x91, "{}"u8), 1002 },
        { "reserved opcode 3", WireSocket.Frame(0x83, "{}"u8), 1002 },
        { "reserved control opcode 11", WireSocket.Frame(0x8b, "{}"u8), 1002 },
        { "continuation of nothing", WireSocket.Frame(0x80, "{}"u8), 1002 },
        { "new text within fragments", [.. WireSocket.Frame(0x01, "{"u8), .. WireSocket.Frame(0x81, "}"u8)], 1002 },
        { "ping in fragments", WireSocket.Frame(0x09, "x"u8), 1002 },
        { "ping of 126 bytes", WireSocket.Frame(0x89, new byte[126]), 1002 },
        { "close of one byte", WireSocket.Frame(0x88, new byte[1]), 1002 },
        { "close with code 1005", WireSocket.Frame(0x88, [0x03, 0xed]), 1002 },
        { "close with code 999", WireSocket.Frame(0x88, [0x03, 0xe7]), 1002 },
        { "binary", WireSocket.Frame(0x82, "{}"u8), 1003 },
        { "binary in fragments", WireSocket.Frame(0x02, "{}"u8), 1003 },
        { "not UTF-8", WireSocket.Frame(0x81, [0x22, 0xff, 0x22]), 1007 },
        { "a surrogate in UTF-8", WireSocket.Frame(0x81, [0x22, 0xed, 0xa0, 0x80, 0x22]), 1007 },
        { "half a letter", WireSocket.Frame(0x81, [0x22, 0xc3]), 1007 },
        { "a close whose reason is not UTF-8", WireSocket.Frame(0x88, [0x03, 0xe8, 0xff]), 1007 },
        { "64 KiB and one byte", WireSocket.Frame(0x81, new byte[FrameBytes + 1]), 1009 },
        { "a megabyte", WireSocket.Frame(0x81, new byte[1024 * 1024]), 1009 },
        { "fragments of more than 64 KiB", [.. WireSocket.Frame(0x01, new byte[FrameBytes]), .. WireSocket.Frame(0x80, "x"u8)], 1009 },
    };

    [Theory]
    [MemberData(nameof(BrokenFrames))]
    public async Task What_breaks_the_protocol_closes_with_the_code_that_says_so(string what, byte[] bytes, int code)
    {
        var socket = await ConnectAsync(await UserAsync());

        await socket.SendBytesAsync(bytes, Cancellation);

        Assert.True(await socket.ClosedAsync(Cancellation) is var closed && closed == code, $"{what}: {closed} instead of {code}");
    }

    [Theory]
    [InlineData(1000)]
    [InlineData(1001)]
    [InlineData(3000)]
    [InlineData(4999)]
    public async Task A_close_is_answered_with_its_code(int code)
    {
        var socket = await ConnectAsync(await UserAsync());

        await socket.SendBytesAsync(WireSocket.Frame(0x88, [(byte)(code >> 8), (byte)code, .. "bye"u8]), Cancellation);

        Assert.Equal(code, await socket.ClosedAsync(Cancellation));
    }

    [Fact]
    public async Task A_frame_of_exactly_64_KiB_is_taken_whole_and_in_fragments()
    {
        var socket = await ConnectAsync(await UserAsync());
        const string head = """{"type":"ping","ref":"large","padding":" """;
        var text = head + new string('x', FrameBytes - head.Length - 2) + "\"}";
        var bytes = Encoding.UTF8.GetBytes(text);
        Assert.Equal(FrameBytes, bytes.Length);

        await socket.SendBytesAsync(WireSocket.Frame(0x81, bytes), Cancellation);
        Assert.Equal("large", (string?)(await socket.ReceiveAsync("pong", Cancellation))["ref"]);

        await socket.SendBytesAsync(WireSocket.Frame(0x01, bytes.AsSpan(0, 40_000)), Cancellation);
        await socket.SendBytesAsync(WireSocket.Frame(0x80, bytes.AsSpan(40_000)), Cancellation);
        Assert.Equal("large", (string?)(await socket.ReceiveAsync("pong", Cancellation))["ref"]);
    }

    [Fact]
    public async Task Fragments_make_one_message_also_with_a_ping_between_them_and_a_letter_cut_in_two()
    {
        var (ann, bob) = (await UserAsync(), await UserAsync());
        var socket = await ConnectAsync(ann);
        var bobSocket = await ConnectAsync(bob, System.OtherEdge);
        var bytes = Encoding.UTF8.GetBytes(
            $$$"""{"type":"send","client_message_id":"f","to":{"user_id":"{{{bob.Id}}}"},"text":"gr😀ß"}""");
        var cut = bytes.AsSpan().IndexOf("gr"u8) + 4;

        await socket.SendBytesAsync(WireSocket.Frame(0x01, bytes.AsSpan(0, cut)), Cancellation);
        await socket.SendBytesAsync(WireSocket.Frame(0x89, "between"u8), Cancellation);
        Assert.Equal("between", await socket.ProtocolPongAsync(Cancellation));
        await socket.SendBytesAsync(WireSocket.Frame(0x00, []), Cancellation);
        foreach (var piece in bytes[cut..].Chunk(3))
            await socket.SendBytesAsync(WireSocket.Frame(0x00, piece), Cancellation);
        await socket.SendBytesAsync(WireSocket.Frame(0x80, []), Cancellation);

        Assert.Equal("gr😀ß", (string?)(await bobSocket.ReceiveAsync("message", Cancellation))["text"]);
    }

    [Fact]
    public async Task Pings_of_both_kinds_are_answered()
    {
        var socket = await ConnectAsync(await UserAsync());

        await socket.SendBytesAsync(WireSocket.Frame(0x89, "payload"u8), Cancellation);
        Assert.Equal("payload", await socket.ProtocolPongAsync(Cancellation));
        await socket.SendBytesAsync(WireSocket.Frame(0x89, []), Cancellation);
        Assert.Equal("", await socket.ProtocolPongAsync(Cancellation));
        // A pong that nobody asked for is no mistake (RFC 6455 section 5.5.3).
        await socket.SendBytesAsync(WireSocket.Frame(0x8a, "unasked"u8), Cancellation);

        await socket.SendTextAsync("""{"type":"ping"}""", Cancellation);
        var pong = await socket.ReceiveAsync("pong", Cancellation);
        Assert.Matches(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", (string?)pong["server_time"]);
        Assert.Null(pong["ref"]);
    }

    [Fact]
    public async Task Frames_come_through_however_TCP_cuts_them()
    {
        var socket = await ConnectAsync(await UserAsync());
        var frames = Enumerable.Range(0, 20).SelectMany(i => WireSocket.Text(new { type = "ping", @ref = $"{i}" })).ToArray();

        // All in one segment, then byte by byte.
        await socket.SendBytesAsync(frames, Cancellation);
        for (var i = 0; i < 20; i++) Assert.Equal($"{i}", (string?)(await socket.ReceiveAnyAsync(Cancellation))["ref"]);
        foreach (var single in frames) await socket.SendBytesAsync(new[] { single }, Cancellation);
        for (var i = 0; i < 20; i++) Assert.Equal($"{i}", (string?)(await socket.ReceiveAnyAsync(Cancellation))["ref"]);
    }
}
