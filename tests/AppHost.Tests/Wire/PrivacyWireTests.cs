using System.Net;
using System.Text.Json.Nodes;

namespace WhatsAspire.AppHost.Tests.Wire;

/// <summary>Who is not in a conversation learns nothing, not even that it exists; and the form of REST's refusals.</summary>
[Trait("Requirement", "R45")]
public sealed class PrivacyWireTests(WireSystem system) : WireTest(system)
{
    [Fact]
    public async Task Anothers_conversation_is_refused_over_the_socket_exactly_as_one_that_does_not_exist()
    {
        var (ann, bob, eve) = (await UserAsync(), await UserAsync(), await UserAsync());
        var theirs = (string)(await ann.PostMessageAsync(bob, "between us", Cancellation))["conversation_id"]!;
        var none = Guid.NewGuid().ToString();
        var socket = await ConnectAsync(eve);
        Func<string, object>[] frames =
        [
            id => new { type = "send", @ref = "r", client_message_id = Guid.NewGuid(), conversation_id = id, text = "let me in" },
            id => new { type = "read", @ref = "r", conversation_id = id, seq = 1 },
            id => new { type = "read", @ref = "r", conversation_id = id, seq = 1_000_000 },
            id => new { type = "read", @ref = "r", conversation_id = id, seq = 0 },
            id => new { type = "ack", @ref = "r", positions = new[] { new { conversation_id = id, seq = 1 } } },
            id => new { type = "ack", positions = new[] { new { conversation_id = id, seq = 1 } } },
            id => new { type = "pull", @ref = "r", ranges = new[] { new { conversation_id = id, after = 0 } } },
            id => new { type = "pull", @ref = "r", ranges = new[] { new { conversation_id = id, after = 1_000_000 } } },
        ];

        foreach (var frame in frames)
        {
            await socket.SendAsync(frame(theirs), Cancellation);
            var there = await socket.ReceiveAnyAsync(Cancellation);
            await socket.SendAsync(frame(none), Cancellation);
            var nowhere = await socket.ReceiveAnyAsync(Cancellation);

            Assert.Equal(("error", "not_found"), ((string)there["type"]!, (string?)there["code"]));
            Assert.Equal(nowhere.ToJsonString(), there.ToJsonString().Replace(theirs, none, StringComparison.Ordinal));
        }
    }

    [Fact]
    public async Task Anothers_conversation_is_refused_over_REST_exactly_as_one_that_does_not_exist()
    {
        var (ann, bob, eve) = (await UserAsync(), await UserAsync(), await UserAsync());
        var sent = await ann.PostMessageAsync(bob, "between us", Cancellation);
        var (theirs, message, none) = ((string)sent["conversation_id"]!, (string)sent["message_id"]!, Guid.NewGuid().ToString());
        var (cursor, reply) = ("9.0", Guid.NewGuid().ToString());
        Func<string, string, Task<Answer>>[] requests =
        [
            (id, _) => eve.GetAsync($"/conversations/{id}/messages", Cancellation),
            (id, _) => eve.GetAsync($"/conversations/{id}/messages?after=5&before=7&limit=1", Cancellation),
            (id, _) => eve.GetAsync($"/conversations/{id}/messages?cursor={cursor}", Cancellation),
            (id, _) => eve.DeleteAsync($"/conversations/{id}/messages", Cancellation),
            (id, _) => eve.DeleteAsync($"/conversations/{id}/messages?up_to=99", Cancellation),
            (id, _) => eve.PostAsync($"/conversations/{id}/read", new { seq = 1 }, Cancellation),
            (id, _) => eve.PostAsync($"/conversations/{id}/read", new { seq = 99 }, Cancellation),
            (id, _) => eve.PostAsync("/messages", new { client_message_id = "e", conversation_id = id, text = "let me in" }, Cancellation),
            (id, m) => eve.PostAsync("/messages", new { client_message_id = "e", conversation_id = id, text = "let me in", reply_to = m }, Cancellation),
            (_, m) => eve.GetAsync($"/messages/{m}", Cancellation),
            (_, m) => eve.GetAsync($"/messages/{m}/status", Cancellation),
            (_, m) => eve.PostAsync($"/messages/{m}/status", new { status = "read" }, Cancellation),
            (_, m) => eve.DeleteAsync($"/messages/{m}?for=me", Cancellation),
            (_, m) => eve.DeleteAsync($"/messages/{m}?for=everyone", Cancellation),
        ];

        foreach (var request in requests)
        {
            var there = (await request(theirs, message)).IsProblem(HttpStatusCode.NotFound, "not_found");
            var nowhere = (await request(none, reply)).IsProblem(HttpStatusCode.NotFound, "not_found");
            Assert.Equal(
                nowhere.ToJsonString(),
                there.ToJsonString().Replace(theirs, none, StringComparison.Ordinal).Replace(message, reply, StringComparison.Ordinal));
        }
    }

    [Fact]
    public async Task A_reply_to_anothers_message_is_refused_exactly_as_one_to_nothing()
    {
        var (ann, bob, eve) = (await UserAsync(), await UserAsync(), await UserAsync());
        var message = (string)(await ann.PostMessageAsync(bob, "between us", Cancellation))["message_id"]!;

        var there = await ReplyAsync(message);
        var nowhere = await ReplyAsync(Guid.NewGuid().ToString());

        Assert.Equal(nowhere.ToJsonString(), there.ToJsonString());

        async Task<JsonObject> ReplyAsync(string to) =>
            (await eve.PostAsync("/messages", new { client_message_id = "r", to = new { user_id = ann.Id }, text = "re", reply_to = to }, Cancellation))
            .IsProblem(HttpStatusCode.BadRequest, "invalid_argument");
    }

    [Theory]
    [InlineData("GET", "/conversations")]
    [InlineData("GET", "/conversations/6f1c2f0a-5b0e-4c55-9d6e-0d6c1b8f7a21/messages")]
    [InlineData("POST", "/conversations/6f1c2f0a-5b0e-4c55-9d6e-0d6c1b8f7a21/read")]
    [InlineData("POST", "/messages")]
    [InlineData("GET", "/messages/6f1c2f0a-5b0e-4c55-9d6e-0d6c1b8f7a21")]
    [InlineData("GET", "/messages/6f1c2f0a-5b0e-4c55-9d6e-0d6c1b8f7a21/status")]
    [InlineData("DELETE", "/messages/6f1c2f0a-5b0e-4c55-9d6e-0d6c1b8f7a21?for=me")]
    [InlineData("GET", "/blocks")]
    [InlineData("GET", "/devices")]
    public async Task Without_a_token_every_address_is_closed(string method, string path)
    {
        var answer = await WireUser.SendAsync<object>(System, new HttpMethod(method), path, method == "POST" ? new { } : null, null, Cancellation);

        answer.IsProblem(HttpStatusCode.Unauthorized, "unauthenticated");
    }

    [Theory]
    [InlineData("", HttpStatusCode.BadRequest, "bad_frame")]
    [InlineData("{", HttpStatusCode.BadRequest, "bad_frame")]
    [InlineData("[]", HttpStatusCode.BadRequest, "bad_frame")]
    [InlineData("null", HttpStatusCode.BadRequest, "bad_frame")]
    [InlineData("{}", HttpStatusCode.BadRequest, "invalid_argument")]
    [InlineData("{\"client_message_id\":\"1\",\"to\":{\"user_id\":\"6f1c2f0a-5b0e-4c55-9d6e-0d6c1b8f7a21\"},\"text\":\"\"}", HttpStatusCode.BadRequest, "invalid_argument")]
    [InlineData("{\"client_message_id\":\"1\",\"to\":{\"user_id\":\"6f1c2f0a-5b0e-4c55-9d6e-0d6c1b8f7a21\"}}", HttpStatusCode.BadRequest, "invalid_argument")]
    [InlineData("{\"client_message_id\":\"1\",\"to\":{\"user_id\":\"6f1c2f0a-5b0e-4c55-9d6e-0d6c1b8f7a21\"},\"text\":\"x\"}", HttpStatusCode.NotFound, "not_found")]
    [InlineData("{\"client_message_id\":\"1\",\"to\":{\"user_id\":\"bob\"},\"text\":\"x\"}", HttpStatusCode.BadRequest, "invalid_argument")]
    [InlineData("{\"client_message_id\":\"1\",\"to\":{},\"text\":\"x\"}", HttpStatusCode.BadRequest, "invalid_argument")]
    [InlineData("{\"client_message_id\":\"1\",\"text\":\"x\"}", HttpStatusCode.BadRequest, "invalid_argument")]
    [InlineData("{\"client_message_id\":\"1\",\"to\":{\"user_id\":\"6f1c2f0a-5b0e-4c55-9d6e-0d6c1b8f7a21\"},\"text\":\"\\ud800\"}", HttpStatusCode.BadRequest, "invalid_argument")]
    public async Task A_wrong_body_of_a_message_is_a_problem_with_a_code(string body, HttpStatusCode status, string code) =>
        (await (await UserAsync()).PostAsync("/messages", body, Cancellation)).IsProblem(status, code);

    [Fact]
    public async Task A_body_of_more_than_64_KiB_is_too_large()
    {
        var (ann, bob) = (await UserAsync(), await UserAsync());
        var body = $$"""{"client_message_id":"1","to":{"user_id":"{{bob.Id}}"},"text":"x","padding":"{{new string('x', 65536)}}"}""";

        // Again and again: the refusal must not be lost with the rest of the body.
        for (var i = 0; i < 20; i++)
            (await ann.PostAsync("/messages", body, Cancellation)).IsProblem(HttpStatusCode.RequestEntityTooLarge, "too_large");
    }

    [Fact]
    public async Task A_wrong_status_and_wrong_ids_are_problems_with_a_code()
    {
        var (ann, bob) = (await UserAsync(), await UserAsync());
        var sent = await ann.PostMessageAsync(bob, "1", Cancellation);
        var path = $"/messages/{sent["message_id"]}/status";

        (await bob.PostAsync(path, new { status = "eaten" }, Cancellation)).IsProblem(HttpStatusCode.BadRequest, "invalid_argument");
        (await bob.PostAsync(path, new { }, Cancellation)).IsProblem(HttpStatusCode.BadRequest, "invalid_argument");
        (await bob.GetAsync("/messages/one", Cancellation)).IsProblem(HttpStatusCode.BadRequest, "invalid_argument");
        (await bob.GetAsync("/conversations/one/messages", Cancellation)).IsProblem(HttpStatusCode.BadRequest, "invalid_argument");
        (await bob.PostAsync($"/conversations/{sent["conversation_id"]}/read", new { seq = -1 }, Cancellation)).IsProblem(HttpStatusCode.BadRequest, "invalid_argument");
        (await bob.PostAsync($"/conversations/{sent["conversation_id"]}/read", new { }, Cancellation)).IsProblem(HttpStatusCode.BadRequest, "invalid_argument");
        (await bob.GetAsync("/nowhere", Cancellation)).IsProblem(HttpStatusCode.NotFound, "not_found");
    }
}
