using System.Text.Json.Nodes;

namespace WhatsAspire.AppHost.Tests.Wire;

/// <summary>Two people talk: every frame that either of them gets.</summary>
public sealed class ConversationWireTests(WireSystem system) : WireTest(system)
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    [Trait("Requirement", "R1")]
    [Trait("Requirement", "R5")]
    [Trait("Requirement", "R11")]
    public async Task A_message_and_its_ticks_pass_between_two_users(bool sameEdge)
    {
        var (ann, bob) = (await UserAsync(), await UserAsync());
        var annSocket = await ConnectAsync(ann, System.FirstEdge);
        var bobSocket = await ConnectAsync(bob, sameEdge ? System.FirstEdge : System.OtherEdge);

        var id = await annSocket.SendMessageAsync(bob, "hello, Bob", Cancellation);

        var sent = await annSocket.ReceiveAsync("sent", Cancellation);
        Assert.Equal(id, (string?)sent["client_message_id"]);
        Assert.Equal(1, (long?)sent["seq"]);
        Assert.False((bool?)sent["duplicate"]);
        var conversation = (string)sent["conversation_id"]!;
        var message = await bobSocket.ReceiveAsync("message", Cancellation);
        Assert.Equal(conversation, (string?)message["conversation_id"]);
        Assert.Equal((string?)sent["message_id"], (string?)message["message_id"]);
        Assert.Equal((string?)sent["created_at"], (string?)message["created_at"]);
        Assert.Equal(1, (long?)message["seq"]);
        Assert.Equal(ann.Id, (string?)message["sender_id"]);
        Assert.Equal(id, (string?)message["client_message_id"]);
        Assert.Equal("text", (string?)message["kind"]);
        Assert.Equal("hello, Bob", (string?)message["text"]);
        Assert.Matches(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", (string?)message["created_at"]);
        Assert.Matches("^[0-9a-f]{8}-[0-9a-f]{4}-1[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$", (string?)message["message_id"]);

        await bobSocket.SendAsync(new { type = "ack", positions = new[] { new { conversation_id = conversation, seq = 1 } } }, Cancellation);
        var delivered = await annSocket.ReceiveAsync("receipt", Cancellation);
        Assert.Equal((conversation, bob.Id, 1L, 0L), Watermarks(delivered));
        Assert.Equal(1, (long?)(await bob.SummaryAsync(conversation, Cancellation))["unread_count"]);

        await bobSocket.SendAsync(new { type = "read", conversation_id = conversation, seq = 1 }, Cancellation);
        var read = await annSocket.ReceiveAsync("receipt", Cancellation);
        Assert.Equal((conversation, bob.Id, 1L, 1L), Watermarks(read));
        Assert.Equal(0, (long?)(await bob.SummaryAsync(conversation, Cancellation))["unread_count"]);
        Assert.Equal(1, (long?)(await ann.SummaryAsync(conversation, Cancellation))["others"]!["read_seq"]);
    }

    [Fact]
    [Trait("Requirement", "R1")]
    public async Task A_message_sent_over_REST_brings_the_same_frame_as_one_over_the_socket()
    {
        var (ann, bob) = (await UserAsync(), await UserAsync());
        var bobSocket = await ConnectAsync(bob, System.OtherEdge);
        var annSocket = await ConnectAsync(ann);

        await annSocket.SendMessageAsync(bob, "over the socket", Cancellation);
        var first = await bobSocket.ReceiveAsync("message", Cancellation);
        var sent = await annSocket.ReceiveAsync("sent", Cancellation);
        var posted = await ann.PostMessageAsync(bob, "over REST", Cancellation);
        var second = await bobSocket.ReceiveAsync("message", Cancellation);

        Assert.Equal(Members(first), Members(second));
        Assert.Equal([.. Members(sent).Where(name => name != "type")], Members(posted));
        Assert.Equal("over REST", (string?)second["text"]);
        Assert.Equal(2, (long?)second["seq"]);
        Assert.Equal((string?)posted["message_id"], (string?)second["message_id"]);
    }

    [Fact]
    [Trait("Requirement", "R17")]
    public async Task The_senders_other_device_gets_the_message_and_the_sending_one_does_not()
    {
        var (ann, bob) = (await UserAsync(), await UserAsync());
        var phone = await ConnectAsync(ann, System.FirstEdge);
        var laptop = await ConnectAsync(await ann.OtherDeviceAsync(Cancellation), System.OtherEdge);

        var id = await phone.SendMessageAsync(bob, "from the phone", Cancellation);
        var copy = await laptop.ReceiveAsync("message", Cancellation);
        Assert.Equal(id, (string?)copy["client_message_id"]);
        Assert.Equal("from the phone", (string?)copy["text"]);

        // What the laptop sends comes to the phone after anything that the phone's own message could have brought.
        await laptop.SendMessageAsync(bob, "from the laptop", Cancellation);
        var other = await phone.ReceiveAsync("message", Cancellation);
        Assert.Equal("from the laptop", (string?)other["text"]);
    }

    [Fact]
    [Trait("Requirement", "R17")]
    public async Task What_is_read_on_one_device_is_read_on_the_other()
    {
        var (ann, bob) = (await UserAsync(), await UserAsync());
        var phone = await ConnectAsync(bob, System.FirstEdge);
        var laptop = await ConnectAsync(await bob.OtherDeviceAsync(Cancellation), System.OtherEdge);
        var conversation = (string)(await ann.PostMessageAsync(bob, "one", Cancellation))["conversation_id"]!;
        await ann.PostMessageAsync(bob, "two", Cancellation);
        await laptop.ReceiveAsync("message", message => (long?)message["seq"] == 2, Cancellation);

        await phone.SendAsync(new { type = "read", conversation_id = conversation, seq = 1 }, Cancellation);

        var summary = await laptop.ReceiveAsync("conversation", Cancellation);
        Assert.Equal(conversation, (string?)summary["conversation_id"]);
        Assert.Equal(1, (long?)summary["read_seq"]);
        Assert.Equal(1, (long?)summary["unread_count"]);
        Assert.Equal(ann.Id, (string?)summary["user_id"]);
        Assert.Equal("direct", (string?)summary["kind"]);
        Assert.Equal("two", (string?)summary["preview"]);
    }

    [Fact]
    [Trait("Requirement", "R13")]
    public async Task Unread_counts_the_others_messages_and_sending_reads_what_came_before()
    {
        var (ann, bob) = (await UserAsync(), await UserAsync());
        var annSocket = await ConnectAsync(ann);
        var conversation = (string)(await ann.PostMessageAsync(bob, "1", Cancellation))["conversation_id"]!;
        await ann.PostMessageAsync(bob, "2", Cancellation);
        await ann.PostMessageAsync(bob, "3", Cancellation);
        Assert.Equal(3, (long?)(await bob.SummaryAsync(conversation, Cancellation))["unread_count"]);
        Assert.Equal(0, (long?)(await ann.SummaryAsync(conversation, Cancellation))["unread_count"]);

        await bob.PostMessageAsync(ann, "4", Cancellation);

        Assert.Equal(0, (long?)(await bob.SummaryAsync(conversation, Cancellation))["unread_count"]);
        Assert.Equal(1, (long?)(await ann.SummaryAsync(conversation, Cancellation))["unread_count"]);
        var receipt = await annSocket.ReceiveAsync("receipt", frame => (long?)frame["read_seq"] >= 3, Cancellation);
        Assert.Equal(bob.Id, (string?)receipt["user_id"]);
    }

    [Fact]
    [Trait("Requirement", "R11")]
    public async Task A_message_is_marked_over_REST_and_a_step_back_answers_what_holds()
    {
        var (ann, bob) = (await UserAsync(), await UserAsync());
        var annSocket = await ConnectAsync(ann, System.OtherEdge);
        var sent = await ann.PostMessageAsync(bob, "tick", Cancellation);
        var (id, conversation) = ((string)sent["message_id"]!, (string)sent["conversation_id"]!);
        Assert.Equal("sent", (string?)(await ann.GetAsync($"/messages/{id}/status", Cancellation)).Good["status"]);

        var delivered = (await bob.PostAsync($"/messages/{id}/status", new { status = "delivered" }, Cancellation)).Good;
        Assert.Equal((conversation, 1L, "delivered"), ((string)delivered["conversation_id"]!, (long)delivered["seq"]!, (string)delivered["status"]!));
        await annSocket.ReceiveAsync("receipt", frame => (long?)frame["delivered_seq"] == 1 && (long?)frame["read_seq"] == 0, Cancellation);
        var status = (await ann.GetAsync($"/messages/{id}/status", Cancellation)).Good;
        Assert.Equal("delivered", (string?)status["status"]);
        var recipient = Assert.Single(status["recipients"]!.AsArray())!;
        Assert.Equal(bob.Id, (string?)recipient["user_id"]);
        Assert.NotNull((string?)recipient["delivered_at"]);
        Assert.Null(recipient["read_at"]);

        Assert.Equal("read", (string?)(await bob.PostAsync($"/messages/{id}/status", new { status = "read" }, Cancellation)).Good["status"]);
        await annSocket.ReceiveAsync("receipt", frame => (long?)frame["read_seq"] == 1, Cancellation);
        var back = (await bob.PostAsync($"/messages/{id}/status", new { status = "delivered" }, Cancellation)).Good;
        Assert.Equal("read", (string?)back["status"]);
        status = (await ann.GetAsync($"/messages/{id}/status", Cancellation)).Good;
        Assert.Equal("read", (string?)status["status"]);
        Assert.True(string.CompareOrdinal(
            (string?)status["recipients"]![0]!["read_at"], (string?)status["recipients"]![0]!["delivered_at"]) >= 0);
    }

    [Fact]
    [Trait("Requirement", "R11")]
    public async Task Reading_implies_delivery_and_reading_over_REST_answers_the_position_and_the_count()
    {
        var (ann, bob) = (await UserAsync(), await UserAsync());
        var conversation = (string)(await ann.PostMessageAsync(bob, "1", Cancellation))["conversation_id"]!;
        var second = (string)(await ann.PostMessageAsync(bob, "2", Cancellation))["message_id"]!;
        await ann.PostMessageAsync(bob, "3", Cancellation);

        var read = (await bob.PostAsync($"/conversations/{conversation}/read", new { seq = 2 }, Cancellation)).Good;
        Assert.Equal((2L, 1L), ((long)read["read_seq"]!, (long)read["unread_count"]!));
        var recipient = (await ann.GetAsync($"/messages/{second}/status", Cancellation)).Good["recipients"]![0]!;
        Assert.Equal((string?)recipient["read_at"], (string?)recipient["delivered_at"]);

        // A lower position changes nothing, and is answered with what holds.
        read = (await bob.PostAsync($"/conversations/{conversation}/read", new { seq = 1 }, Cancellation)).Good;
        Assert.Equal((2L, 1L), ((long)read["read_seq"]!, (long)read["unread_count"]!));
    }

    [Fact]
    [Trait("Requirement", "R9")]
    public async Task A_reply_names_a_message_of_the_same_conversation()
    {
        var (ann, bob, eve) = (await UserAsync(), await UserAsync(), await UserAsync());
        var annSocket = await ConnectAsync(ann);
        var bobSocket = await ConnectAsync(bob, System.OtherEdge);
        var first = (string)(await ann.PostMessageAsync(bob, "question", Cancellation))["message_id"]!;
        var elsewhere = (string)(await ann.PostMessageAsync(eve, "elsewhere", Cancellation))["message_id"]!;
        await bobSocket.ReceiveAsync("message", Cancellation);

        await annSocket.SendAsync(
            new { type = "send", client_message_id = "reply-1", to = new { user_id = bob.Id }, text = "answer", reply_to = first }, Cancellation);
        Assert.Equal(first, (string?)(await bobSocket.ReceiveAsync("message", Cancellation))["reply_to"]);
        await annSocket.ReceiveAsync("sent", Cancellation);

        foreach (var wrong in new[] { elsewhere, Guid.NewGuid().ToString() })
        {
            await annSocket.SendAsync(
                new { type = "send", client_message_id = "reply-2", to = new { user_id = bob.Id }, text = "answer", reply_to = wrong }, Cancellation);
            var error = await annSocket.ReceiveAsync("error", Cancellation);
            Assert.Equal(("invalid_argument", "reply-2"), ((string)error["code"]!, (string)error["ref"]!));
        }
    }

    private static (string Conversation, string User, long Delivered, long Read) Watermarks(JsonObject receipt) =>
        ((string)receipt["conversation_id"]!, (string)receipt["user_id"]!, (long)receipt["delivered_seq"]!, (long)receipt["read_seq"]!);

    private static string[] Members(JsonObject json) => [.. json.Select(member => member.Key).Order()];
}
