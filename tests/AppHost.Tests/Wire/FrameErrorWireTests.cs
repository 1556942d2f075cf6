using System.Text;

namespace WhatsAspire.AppHost.Tests.Wire;

/// <summary>Frames that say something wrong: each gets an <c>error</c>, and the connection lives on.</summary>
[Trait("Requirement", "R1")]
public sealed class FrameErrorWireTests(WireSystem system) : WireTest(system)
{
    private const string Id = "6f1c2f0a-5b0e-4c55-9d6e-0d6c1b8f7a21";

    [Theory]
    [InlineData("", "bad_frame")]
    [InlineData("{", "bad_frame")]
    [InlineData("{\"type\":\"ping\"", "bad_frame")]
    [InlineData("{\"type\":\"ping\",}", "bad_frame")]
    [InlineData("{\"type\":\"ping\"} {}", "bad_frame")]
    [InlineData("[]", "bad_frame")]
    [InlineData("null", "bad_frame")]
    [InlineData("\"ping\"", "bad_frame")]
    [InlineData("42", "bad_frame")]
    [InlineData("{}", "bad_frame")]
    [InlineData("{\"type\":null}", "bad_frame")]
    [InlineData("{\"type\":5}", "bad_frame")]
    [InlineData("{\"type\":[\"ping\"]}", "bad_frame")]
    [InlineData("{\"type\":\"sing\"}", "unknown_type")]
    [InlineData("{\"type\":\"message\"}", "unknown_type")]
    [InlineData("{\"type\":\"hello\",\"protocol\":1}", "invalid_argument")]
    [InlineData("{\"type\":\"ping\",\"ref\":5}", "invalid_argument")]
    [InlineData("{\"type\":\"send\"}", "invalid_argument")]
    [InlineData("{\"type\":\"send\",\"client_message_id\":7,\"to\":{\"user_id\":\"" + Id + "\"},\"text\":\"x\"}", "invalid_argument")]
    [InlineData("{\"type\":\"send\",\"client_message_id\":\"\",\"to\":{\"user_id\":\"" + Id + "\"},\"text\":\"x\"}", "invalid_argument")]
    [InlineData("{\"type\":\"send\",\"client_message_id\":\"ä\",\"to\":{\"user_id\":\"" + Id + "\"},\"text\":\"x\"}", "invalid_argument")]
    [InlineData("{\"type\":\"send\",\"client_message_id\":\"1\",\"text\":\"x\"}", "invalid_argument")]
    [InlineData("{\"type\":\"send\",\"client_message_id\":\"1\",\"to\":\"" + Id + "\",\"text\":\"x\"}", "invalid_argument")]
    [InlineData("{\"type\":\"send\",\"client_message_id\":\"1\",\"to\":{},\"text\":\"x\"}", "invalid_argument")]
    [InlineData("{\"type\":\"send\",\"client_message_id\":\"1\",\"to\":{\"user_id\":\"bob\"},\"text\":\"x\"}", "invalid_argument")]
    [InlineData("{\"type\":\"send\",\"client_message_id\":\"1\",\"to\":{\"user_id\":\"" + Id + "\"},\"conversation_id\":\"" + Id + "\",\"text\":\"x\"}", "invalid_argument")]
    [InlineData("{\"type\":\"send\",\"client_message_id\":\"1\",\"to\":{\"user_id\":\"" + Id + "\"}}", "invalid_argument")]
    [InlineData("{\"type\":\"send\",\"client_message_id\":\"1\",\"to\":{\"user_id\":\"" + Id + "\"},\"text\":\"\"}", "invalid_argument")]
    [InlineData("{\"type\":\"send\",\"client_message_id\":\"1\",\"to\":{\"user_id\":\"" + Id + "\"},\"text\":1}", "invalid_argument")]
    [InlineData("{\"type\":\"send\",\"client_message_id\":\"1\",\"to\":{\"user_id\":\"" + Id + "\"},\"text\":\"x\",\"reply_to\":1}", "invalid_argument")]
    [InlineData("{\"type\":\"send\",\"client_message_id\":\"1\",\"to\":{\"user_id\":\"" + Id + "\"},\"text\":\"x\"}", "not_found")]
    [InlineData("{\"type\":\"send\",\"client_message_id\":\"1\",\"to\":{\"user_id\":\"" + Id + "\"},\"text\":\"half \\ud83d\"}", "invalid_argument")]
    [InlineData("{\"type\":\"send\",\"client_message_id\":\"1\",\"to\":{\"user_id\":\"" + Id + "\"},\"text\":\"half \\ude00 it\"}", "invalid_argument")]
    [InlineData("{\"type\":\"send\",\"client_message_id\":\"\\ud800\",\"to\":{\"user_id\":\"" + Id + "\"},\"text\":\"x\"}", "invalid_argument")]
    [InlineData("{\"type\":\"send\",\"client_message_id\":\"1\",\"to\":{\"user_id\":\"\\ud8001c2f0a-5b0e-4c55-9d6e-0d6c1b8f7a21\"},\"text\":\"x\"}", "invalid_argument")]
    [InlineData("{\"type\":\"\\ud800\"}", "bad_frame")]
    [InlineData("{\"\\ud800\":1}", "bad_frame")]
    [InlineData("{\"type\":\"ack\"}", "invalid_argument")]
    [InlineData("{\"type\":\"ack\",\"positions\":{}}", "invalid_argument")]
    [InlineData("{\"type\":\"ack\",\"positions\":[]}", "invalid_argument")]
    [InlineData("{\"type\":\"ack\",\"positions\":[5]}", "invalid_argument")]
    [InlineData("{\"type\":\"ack\",\"positions\":[{\"seq\":1}]}", "invalid_argument")]
    [InlineData("{\"type\":\"ack\",\"positions\":[{\"conversation_id\":\"" + Id + "\"}]}", "invalid_argument")]
    [InlineData("{\"type\":\"ack\",\"positions\":[{\"conversation_id\":\"" + Id + "\",\"seq\":-1}]}", "invalid_argument")]
    [InlineData("{\"type\":\"ack\",\"positions\":[{\"conversation_id\":\"" + Id + "\",\"seq\":1.5}]}", "invalid_argument")]
    [InlineData("{\"type\":\"read\",\"seq\":1}", "invalid_argument")]
    [InlineData("{\"type\":\"read\",\"conversation_id\":\"" + Id + "\"}", "invalid_argument")]
    [InlineData("{\"type\":\"read\",\"conversation_id\":\"" + Id + "\",\"seq\":\"1\"}", "invalid_argument")]
    [InlineData("{\"type\":\"read\",\"conversation_id\":\"" + Id + "\",\"seq\":9223372036854775808}", "invalid_argument")]
    [InlineData("{\"type\":\"pull\",\"ranges\":[{\"conversation_id\":\"" + Id + "\",\"after\":0}]}", "invalid_argument")]
    [InlineData("{\"type\":\"pull\",\"ref\":\"1\"}", "invalid_argument")]
    [InlineData("{\"type\":\"pull\",\"ref\":\"1\",\"ranges\":[]}", "invalid_argument")]
    [InlineData("{\"type\":\"pull\",\"ref\":\"1\",\"ranges\":[{\"conversation_id\":\"" + Id + "\"}]}", "invalid_argument")]
    [InlineData("{\"type\":\"pull\",\"ref\":\"1\",\"ranges\":[{\"conversation_id\":\"" + Id + "\",\"after\":0,\"limit\":0}]}", "invalid_argument")]
    [InlineData("{\"type\":\"pull\",\"ref\":\"1\",\"ranges\":[{\"conversation_id\":\"" + Id + "\",\"after\":0,\"limit\":501}]}", "invalid_argument")]
    public async Task A_wrong_frame_is_answered_with_what_is_wrong_and_the_connection_lives(string frame, string code)
    {
        var socket = await ConnectAsync(await UserAsync());

        await socket.SendTextAsync(frame, Cancellation);

        var error = await socket.ReceiveAsync("error", Cancellation);
        Assert.Equal(code, (string?)error["code"]);
        Assert.NotEmpty((string?)error["message"] ?? "");
        Assert.False((bool?)error["retryable"]);
        await LivesAsync(socket);
    }

    [Fact]
    public async Task An_error_names_the_ref_or_else_the_client_message_id()
    {
        var socket = await ConnectAsync(await UserAsync());

        await socket.SendTextAsync("""{"type":"sing","ref":"r1"}""", Cancellation);
        Assert.Equal("r1", (string?)(await socket.ReceiveAsync("error", Cancellation))["ref"]);
        await socket.SendTextAsync("""{"text":"","type":"send","client_message_id":"c1"}""", Cancellation);
        Assert.Equal("c1", (string?)(await socket.ReceiveAsync("error", Cancellation))["ref"]);
        await socket.SendTextAsync("""{"text":"","ref":"r2","type":"send","client_message_id":"c1"}""", Cancellation);
        Assert.Equal("r2", (string?)(await socket.ReceiveAsync("error", Cancellation))["ref"]);
    }

    [Fact]
    public async Task More_ranges_or_positions_than_allowed_are_refused()
    {
        var socket = await ConnectAsync(await UserAsync());
        var ranges = Enumerable.Range(0, 51).Select(_ => new { conversation_id = Guid.NewGuid(), after = 0 });
        var positions = Enumerable.Range(0, 501).Select(_ => new { conversation_id = Guid.NewGuid(), seq = 0 });

        await socket.SendAsync(new { type = "pull", @ref = "p", ranges }, Cancellation);
        Assert.Equal("invalid_argument", (string?)(await socket.ReceiveAsync("error", Cancellation))["code"]);
        await socket.SendAsync(new { type = "ack", @ref = "a", positions }, Cancellation);
        Assert.Equal("invalid_argument", (string?)(await socket.ReceiveAsync("error", Cancellation))["code"]);
    }

    [Fact]
    public async Task Unknown_members_are_ignored_and_null_is_as_absent()
    {
        var (ann, bob) = (await UserAsync(), await UserAsync());
        var socket = await ConnectAsync(ann);

        await socket.SendTextAsync(
            $$$"""{"colour":{"of":["the","sky"]},"reply_to":null,"conversation_id":null,"to":{"user_id":"{{{bob.Id}}}","mood":1},"text":"x","client_message_id":"n","type":"send"}""",
            Cancellation);

        Assert.Equal("n", (string?)(await socket.ReceiveAsync("sent", Cancellation))["client_message_id"]);
    }

    [Theory]
    [InlineData("x", 4096, true)]
    [InlineData("x", 4097, false)]
    [InlineData("é", 4096, true)]
    [InlineData("é", 4097, false)]
    [InlineData("😀", 4096, true)]
    [InlineData("😀", 4097, false)]
    public async Task A_text_has_at_most_4096_code_points(string letter, int count, bool allowed)
    {
        var (ann, bob) = (await UserAsync(), await UserAsync());
        var annSocket = await ConnectAsync(ann);
        var bobSocket = await ConnectAsync(bob, System.OtherEdge);
        var text = new StringBuilder().Insert(0, letter, count).ToString();

        var id = await annSocket.SendMessageAsync(bob, text, Cancellation);
        var posted = await bob.PostAsync("/messages", new { client_message_id = "p", to = new { user_id = ann.Id }, text }, Cancellation);

        if (allowed)
        {
            Assert.Equal(text, (string?)(await bobSocket.ReceiveAsync("message", Cancellation))["text"]);
            Assert.Equal(text, (string?)(await annSocket.ReceiveAsync("message", Cancellation))["text"]);
        }
        else
        {
            var error = await annSocket.ReceiveAsync("error", Cancellation);
            Assert.Equal(("too_large", id), ((string)error["code"]!, (string)error["ref"]!));
            posted.IsProblem(global::System.Net.HttpStatusCode.RequestEntityTooLarge, "too_large");
        }
    }

    [Fact]
    public async Task A_text_comes_as_it_was_sent_whatever_it_holds()
    {
        var (ann, bob) = (await UserAsync(), await UserAsync());
        var annSocket = await ConnectAsync(ann);
        var bobSocket = await ConnectAsync(bob, System.OtherEdge);
        var text = "\0\u0001\t\r\n\"\\/<>&'\u2028\u00a0\ufffd\ufeffא😀👨‍👩‍👧‍👦\u007f";

        await annSocket.SendMessageAsync(bob, text, Cancellation);
        var message = await bobSocket.ReceiveAsync("message", Cancellation);
        await annSocket.SendTextAsync(
            $$$"""{"type":"send","client_message_id":"escaped","to":{"user_id":"{{{bob.Id}}}"},"text":"\ud83d\ude00\u0041\/"}""", Cancellation);
        var escaped = await bobSocket.ReceiveAsync("message", Cancellation);

        Assert.Equal(text, (string?)message["text"]);
        Assert.Equal("😀A/", (string?)escaped["text"]);
        Assert.Equal(text, (string?)(await bob.GetAsync($"/messages/{message["message_id"]}", Cancellation)).Good["text"]);
    }

    private static async Task LivesAsync(WireSocket socket)
    {
        await socket.SendAsync(new { type = "ping", @ref = "alive" }, Cancellation);
        Assert.Equal("alive", (string?)(await socket.ReceiveAsync("pong", Cancellation))["ref"]);
        Assert.DoesNotContain(socket.Unread, frame => (string?)frame["type"] == "error");
    }
}
