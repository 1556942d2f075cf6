using System.Net;

namespace WhatsAspire.AppHost.Tests.Wire;

/// <summary>One client_message_id is one message.</summary>
[Trait("Requirement", "R2")]
public sealed class IdempotencyWireTests(WireSystem system) : WireTest(system)
{
    [Fact]
    public async Task A_send_repeated_through_any_door_is_one_message()
    {
        var (ann, bob) = (await UserAsync(), await UserAsync());
        var here = await ConnectAsync(ann, System.FirstEdge);
        var there = await ConnectAsync(await ann.OtherDeviceAsync(Cancellation), System.OtherEdge);
        await here.SendMessageAsync(bob, "once", Cancellation, "same");
        var first = await here.ReceiveAsync("sent", Cancellation);

        await here.SendMessageAsync(bob, "once", Cancellation, "same");
        await there.SendMessageAsync(bob, "once", Cancellation, "same");
        var again = await here.ReceiveAsync("sent", Cancellation);
        var elsewhere = await there.ReceiveAsync("sent", Cancellation);
        var posted = await ann.PostAsync("/messages", new { client_message_id = "same", to = new { user_id = bob.Id }, text = "once" }, Cancellation);
        var byConversation = await ann.PostAsync(
            "/messages", new { client_message_id = "same", conversation_id = (string)first["conversation_id"]!, text = "once" }, Cancellation);

        Assert.False((bool?)first["duplicate"]);
        Assert.Equal(HttpStatusCode.OK, posted.Status);
        foreach (var repeated in new[] { again, elsewhere, posted.Good, byConversation.Good })
        {
            Assert.True((bool?)repeated["duplicate"]);
            Assert.Equal((string?)first["message_id"], (string?)repeated["message_id"]);
            Assert.Equal((string?)first["created_at"], (string?)repeated["created_at"]);
            Assert.Equal(1, (long?)repeated["seq"]);
        }

        var history = (await bob.GetAsync($"/conversations/{first["conversation_id"]}/messages", Cancellation)).Good;
        Assert.Single(history["messages"]!.AsArray());
    }

    [Fact]
    public async Task The_same_id_with_another_content_is_a_conflict()
    {
        var (ann, bob, eve) = (await UserAsync(), await UserAsync(), await UserAsync());
        var socket = await ConnectAsync(ann, System.OtherEdge);
        var first = await ann.PostMessageAsync(bob, "one", Cancellation, "id");

        await socket.SendMessageAsync(bob, "two", Cancellation, "id");
        var error = await socket.ReceiveAsync("error", Cancellation);
        Assert.Equal(("conflict", "id", false), ((string)error["code"]!, (string)error["ref"]!, (bool)error["retryable"]!));
        object[] others =
        [
            new { client_message_id = "id", to = new { user_id = bob.Id }, text = "two" },
            new { client_message_id = "id", to = new { user_id = eve.Id }, text = "one" },
            new { client_message_id = "id", to = new { user_id = bob.Id }, text = "one", reply_to = (string)first["message_id"]! },
        ];
        foreach (var other in others)
            (await ann.PostAsync("/messages", other, Cancellation)).IsProblem(HttpStatusCode.Conflict, "conflict");

        Assert.Equal(1, (long?)(await bob.SummaryAsync((string)first["conversation_id"]!, Cancellation))["head_seq"]);
    }

    [Fact]
    public async Task A_retry_after_the_recipient_blocked_its_sender_gets_the_first_answer()
    {
        var (ann, bob) = (await UserAsync(), await UserAsync());
        var socket = await ConnectAsync(ann);
        var first = await ann.PostMessageAsync(bob, "before", Cancellation, "id");
        Assert.Equal(HttpStatusCode.NoContent, (await bob.PutAsync($"/blocks/{ann.Id}", Cancellation)).Status);
        await ann.PostUntilAsync(bob, HttpStatusCode.Forbidden, Cancellation);

        await socket.SendMessageAsync(bob, "before", Cancellation, "id");
        var again = await socket.ReceiveAsync("sent", Cancellation);
        Assert.Equal((true, (string?)first["message_id"]), ((bool?)again["duplicate"], (string?)again["message_id"]));
        await socket.SendMessageAsync(bob, "another", Cancellation, "id");
        Assert.Equal("blocked", (string?)(await socket.ReceiveAsync("error", Cancellation))["code"]);
    }

    [Fact]
    public async Task Two_users_may_choose_the_same_id()
    {
        var (ann, bob) = (await UserAsync(), await UserAsync());

        Assert.Equal(1, (long?)(await ann.PostMessageAsync(bob, "ann's", Cancellation, "1"))["seq"]);
        Assert.Equal(2, (long?)(await bob.PostMessageAsync(ann, "bob's", Cancellation, "1"))["seq"]);
    }

    [Fact]
    public async Task A_send_raced_through_both_edges_and_REST_is_one_message()
    {
        var (ann, bob) = (await UserAsync(), await UserAsync());
        var here = await ConnectAsync(ann, System.FirstEdge);
        var there = await ConnectAsync(await ann.OtherDeviceAsync(Cancellation), System.OtherEdge);
        for (var i = 0; i < 20; i++)
        {
            var id = $"race-{i}";
            await Task.WhenAll(
                here.SendMessageAsync(bob, "raced", Cancellation, id),
                there.SendMessageAsync(bob, "raced", Cancellation, id),
                ann.PostMessageAsync(bob, "raced", Cancellation, id));
            var one = await here.ReceiveAsync("sent", Cancellation);
            var other = await there.ReceiveAsync("sent", Cancellation);
            Assert.Equal((i + 1L, (string)one["message_id"]!), ((long)other["seq"]!, (string)other["message_id"]!));
        }
    }
}
