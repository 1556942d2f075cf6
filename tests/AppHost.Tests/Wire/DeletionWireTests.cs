using System.Net;

namespace WhatsAspire.AppHost.Tests.Wire;

/// <summary>Deleting messages, and blocking people.</summary>
[Trait("Requirement", "R8")]
public sealed class DeletionWireTests(WireSystem system) : WireTest(system)
{
    private const string Secret = "a secret that has to go";

    [Fact]
    public async Task A_message_deleted_for_everyone_is_gone_everywhere_and_all_devices_learn_it()
    {
        var (ann, bob) = (await UserAsync(), await UserAsync());
        var bobSocket = await ConnectAsync(bob, System.OtherEdge);
        var laptop = await ConnectAsync(await ann.OtherDeviceAsync(Cancellation));
        var sent = await ann.PostMessageAsync(bob, Secret, Cancellation);
        var (id, conversation) = ((string)sent["message_id"]!, (string)sent["conversation_id"]!);
        await bobSocket.ReceiveAsync("message", Cancellation);
        await laptop.ReceiveAsync("message", Cancellation);

        Assert.Equal(HttpStatusCode.NoContent, (await ann.DeleteAsync($"/messages/{id}?for=everyone", Cancellation)).Status);

        foreach (var socket in new[] { bobSocket, laptop })
        {
            var entry = await socket.ReceiveAsync("message", Cancellation);
            Assert.Equal(("delete", 2L), ((string)entry["kind"]!, (long)entry["seq"]!));
            Assert.Equal((id, 1L), ((string)entry["target"]!["message_id"]!, (long)entry["target"]!["seq"]!));
            Assert.Equal(ann.Id, (string?)entry["sender_id"]);
        }

        foreach (var user in new[] { ann, bob })
        {
            var history = (await user.GetAsync($"/conversations/{conversation}/messages", Cancellation)).Good;
            Assert.DoesNotContain(Secret, history.ToJsonString(), StringComparison.Ordinal);
            Assert.True((bool?)history["messages"]![1]!["deleted"]);
            var message = (await user.GetAsync($"/messages/{id}", Cancellation)).Good;
            Assert.True((bool?)message["deleted"]);
            Assert.Null(message["text"]);
            var summary = await user.SummaryAsync(conversation, Cancellation);
            Assert.DoesNotContain(Secret, summary.ToJsonString(), StringComparison.Ordinal);
        }

        await bobSocket.SendAsync(new { type = "pull", @ref = "p", ranges = new[] { new { conversation_id = conversation, after = 0 } } }, Cancellation);
        var page = await bobSocket.ReceiveAsync("page", Cancellation);
        Assert.DoesNotContain(Secret, page.ToJsonString(), StringComparison.Ordinal);
        Assert.Equal(2, page["messages"]!.AsArray().Count);

        // Again: nothing changes, and nobody is told twice.
        Assert.Equal(HttpStatusCode.NoContent, (await ann.DeleteAsync($"/messages/{id}?for=everyone", Cancellation)).Status);
        await ann.PostMessageAsync(bob, "next", Cancellation);
        var next = await bobSocket.ReceiveAsync("message", Cancellation);
        Assert.Equal(("text", 3L), ((string)next["kind"]!, (long)next["seq"]!));
    }

    [Fact]
    public async Task Sending_a_deleted_message_again_does_not_bring_its_text_back()
    {
        var (ann, bob) = (await UserAsync(), await UserAsync());
        var bobSocket = await ConnectAsync(bob, System.OtherEdge);
        var sent = await ann.PostMessageAsync(bob, Secret, Cancellation, "again");
        await bobSocket.ReceiveAsync("message", Cancellation);
        await ann.DeleteAsync($"/messages/{sent["message_id"]}?for=everyone", Cancellation);
        await bobSocket.ReceiveAsync("message", Cancellation);

        var repeated = await ann.PostMessageAsync(bob, Secret, Cancellation, "again");
        Assert.True((bool?)repeated["duplicate"]);
        await ann.PostMessageAsync(bob, "next", Cancellation);
        await bobSocket.ReceiveAsync("message", frame => (string?)frame["text"] == "next", Cancellation);

        Assert.DoesNotContain(bobSocket.Unread, frame => frame.ToJsonString().Contains(Secret, StringComparison.Ordinal));
        Assert.True((bool?)(await bob.GetAsync($"/messages/{sent["message_id"]}", Cancellation)).Good["deleted"]);
    }

    [Fact]
    public async Task A_message_deleted_for_me_stays_with_the_other()
    {
        var (ann, bob) = (await UserAsync(), await UserAsync());
        var laptop = await ConnectAsync(await bob.OtherDeviceAsync(Cancellation), System.OtherEdge);
        var sent = await ann.PostMessageAsync(bob, Secret, Cancellation);
        var (id, conversation) = ((string)sent["message_id"]!, (string)sent["conversation_id"]!);

        Assert.Equal(HttpStatusCode.NoContent, (await bob.DeleteAsync($"/messages/{id}?for=me", Cancellation)).Status);
        Assert.Equal(HttpStatusCode.NoContent, (await bob.DeleteAsync($"/messages/{id}?for=me", Cancellation)).Status);

        var history = (await bob.GetAsync($"/conversations/{conversation}/messages", Cancellation)).Good;
        Assert.DoesNotContain(Secret, history.ToJsonString(), StringComparison.Ordinal);
        Assert.Null((await bob.GetAsync($"/messages/{id}", Cancellation)).Good["text"]);
        Assert.Null((await bob.SummaryAsync(conversation, Cancellation))["preview"]);
        Assert.Equal(0, (long?)(await bob.SummaryAsync(conversation, Cancellation))["unread_count"]);
        var summary = await laptop.ReceiveAsync("conversation", Cancellation);
        Assert.Null(summary["preview"]);
        await laptop.SendAsync(new { type = "pull", @ref = "p", ranges = new[] { new { conversation_id = conversation, after = 0 } } }, Cancellation);
        Assert.DoesNotContain(Secret, (await laptop.ReceiveAsync("page", Cancellation)).ToJsonString(), StringComparison.Ordinal);

        Assert.Equal(Secret, (string?)(await ann.GetAsync($"/messages/{id}", Cancellation)).Good["text"]);
        Assert.Equal(Secret, (string?)(await ann.SummaryAsync(conversation, Cancellation))["preview"]);
    }

    [Fact]
    public async Task Only_its_sender_deletes_a_message_for_everyone_and_who_is_not_in_it_knows_of_none()
    {
        var (ann, bob, eve) = (await UserAsync(), await UserAsync(), await UserAsync());
        var id = (string)(await ann.PostMessageAsync(bob, "mine", Cancellation))["message_id"]!;

        (await bob.DeleteAsync($"/messages/{id}?for=everyone", Cancellation)).IsProblem(HttpStatusCode.Forbidden, "forbidden");
        (await eve.DeleteAsync($"/messages/{id}?for=everyone", Cancellation)).IsProblem(HttpStatusCode.NotFound, "not_found");
        (await eve.DeleteAsync($"/messages/{id}?for=me", Cancellation)).IsProblem(HttpStatusCode.NotFound, "not_found");
        (await ann.DeleteAsync($"/messages/{id}", Cancellation)).IsProblem(HttpStatusCode.BadRequest, "invalid_argument");
        (await ann.DeleteAsync($"/messages/{id}?for=fun", Cancellation)).IsProblem(HttpStatusCode.BadRequest, "invalid_argument");
        (await ann.DeleteAsync("/messages/mine?for=me", Cancellation)).IsProblem(HttpStatusCode.BadRequest, "invalid_argument");
        Assert.Equal("mine", (string?)(await bob.GetAsync($"/messages/{id}", Cancellation)).Good["text"]);
    }

    [Fact]
    public async Task The_entry_that_deletes_is_not_unread_itself()
    {
        var (ann, bob) = (await UserAsync(), await UserAsync());
        var first = await ann.PostMessageAsync(bob, "1", Cancellation);
        await ann.PostMessageAsync(bob, "2", Cancellation);
        var conversation = (string)first["conversation_id"]!;

        await ann.DeleteAsync($"/messages/{first["message_id"]}?for=everyone", Cancellation);

        // What was deleted is still a bubble that he has not seen.
        var summary = await bob.SummaryAsync(conversation, Cancellation);
        Assert.Equal((3L, 2L), ((long)summary["head_seq"]!, (long)summary["unread_count"]!));
    }

    [Fact]
    [Trait("Requirement", "R18")]
    public async Task Who_is_blocked_cannot_write_until_it_ends()
    {
        var (ann, bob) = (await UserAsync(), await UserAsync());
        var annSocket = await ConnectAsync(ann);
        var conversation = (string)(await ann.PostMessageAsync(bob, "before", Cancellation))["conversation_id"]!;
        Assert.Equal(HttpStatusCode.NoContent, (await bob.PutAsync($"/blocks/{ann.Id}", Cancellation)).Status);
        Assert.Equal([ann.Id], (await bob.GetAsync("/blocks", Cancellation)).Good["user_ids"]!.AsArray().Select(id => (string)id!));

        var refused = await ann.PostUntilAsync(bob, HttpStatusCode.Forbidden, Cancellation);
        refused.IsProblem(HttpStatusCode.Forbidden, "blocked");
        var id = await annSocket.SendMessageAsync(bob, "blocked", Cancellation);
        var error = await annSocket.ReceiveAsync("error", Cancellation);
        Assert.Equal(("blocked", id, false), ((string)error["code"]!, (string)error["ref"]!, (bool)error["retryable"]!));
        await annSocket.SendAsync(new { type = "send", client_message_id = "c", conversation_id = conversation, text = "blocked" }, Cancellation);
        Assert.Equal("blocked", (string?)(await annSocket.ReceiveAsync("error", Cancellation))["code"]);
        // The other way it goes: bob has not been blocked.
        await bob.PostMessageAsync(ann, "I may", Cancellation);

        Assert.Equal(HttpStatusCode.NoContent, (await bob.DeleteAsync($"/blocks/{ann.Id}", Cancellation)).Status);
        Assert.Equal(HttpStatusCode.Created, (await ann.PostUntilAsync(bob, HttpStatusCode.Created, Cancellation)).Status);
        var history = (await bob.GetAsync($"/conversations/{conversation}/messages", Cancellation)).Good["messages"]!.AsArray();
        Assert.DoesNotContain(history, message => (string?)message!["text"] == "blocked");
    }
}
