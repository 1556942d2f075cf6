using System.Net;
using System.Text.Json.Nodes;

namespace WhatsAspire.AppHost.Tests.Wire;

/// <summary>Groups as clients see them.</summary>
public sealed class GroupWireTests(WireSystem system) : WireTest(system)
{
    [Fact]
    [Trait("Requirement", "R20")]
    public async Task A_new_group_is_told_to_all_its_members_and_what_they_write_reaches_all_devices_in_order()
    {
        var (ann, bob, carol) = (await UserAsync(), await UserAsync(), await UserAsync());
        var annPhone = await ConnectAsync(ann);
        var annLaptop = await ConnectAsync(await ann.OtherDeviceAsync(Cancellation), System.OtherEdge);
        var bobs = await ConnectAsync(bob, System.OtherEdge);
        var group = await WireGroup.CreateAsync(System, ann, [bob, carol], Cancellation);
        foreach (var device in new[] { annPhone, annLaptop, bobs })
        {
            var summary = await device.ReceiveAsync("conversation", c => (string?)c["conversation_id"] == group.Id, Cancellation);
            Assert.Equal(("group", "friends", 3), ((string?)summary["kind"], (string?)summary["name"], (int?)summary["member_count"]));
            var created = await group.MessageAsync(device, Cancellation);
            Assert.Equal(("system", 1, ann.Id), ((string?)created["kind"], (int?)created["seq"], (string?)created["sender_id"]));
            Assert.Equal("created", (string?)created["change"]!["type"]);
            Assert.Equal(new[] { ann.Id, bob.Id, carol.Id }.Order(StringComparer.Ordinal), Users(created).Order(StringComparer.Ordinal));
        }

        for (var i = 1; i <= 10; i++) await group.SendTextAsync(i % 2 == 0 ? annPhone : bobs, $"m{i}", Cancellation);
        var carols = await ConnectAsync(carol);
        await carols.SendAsync(new { type = "pull", @ref = "p", ranges = new[] { new { conversation_id = group.Id, after = 0 } } }, Cancellation);
        var page = await carols.ReceiveAsync("page", Cancellation);
        Assert.Equal(Enumerable.Range(1, 11), page["messages"]!.AsArray().Select(m => (int)m!["seq"]!));
        for (var seq = 2; seq <= 11; seq++) Assert.Equal(seq, (int?)(await group.MessageAsync(annLaptop, Cancellation))["seq"]);
        for (var seq = 3; seq <= 11; seq += 2) Assert.Equal(seq, (int?)(await group.MessageAsync(bobs, Cancellation))["seq"]);
        var list = await carol.SummaryAsync(group.Id, Cancellation);
        Assert.Equal((10, "m10", "friends"), ((int?)list["unread_count"], (string?)list["preview"], (string?)list["name"]));
    }

    [Fact]
    [Trait("Requirement", "R12")]
    public async Task The_sender_gets_one_receipt_when_the_slowest_has_it_and_info_has_everyones_times()
    {
        var (ann, bob, carol) = (await UserAsync(), await UserAsync(), await UserAsync());
        var (anns, bobs, carols) = (await ConnectAsync(ann), await ConnectAsync(bob, System.OtherEdge), await ConnectAsync(carol));
        var group = await WireGroup.CreateAsync(System, ann, [bob, carol], Cancellation);
        var sent = await group.SendTextAsync(anns, "who has it?", Cancellation);
        await bobs.SendAsync(new { type = "read", @ref = "r", conversation_id = group.Id, seq = 2 }, Cancellation);
        var read = await bobs.ReceiveAsync("conversation", c => (string?)c["ref"] == "r", Cancellation);
        Assert.Equal((2, 0), ((int?)read["read_seq"], (int?)read["unread_count"]));
        var info = (await ann.GetAsync($"/messages/{sent["message_id"]}/status", Cancellation)).Good;
        Assert.Equal("sent", (string?)info["status"]);
        Assert.NotNull(info["recipients"]!.AsArray().Single(r => (string?)r!["user_id"] == bob.Id)!["read_at"]);
        Assert.Null(info["recipients"]!.AsArray().Single(r => (string?)r!["user_id"] == carol.Id)!["delivered_at"]);

        await carols.SendAsync(new { type = "ack", positions = new[] { new { conversation_id = group.Id, seq = 2 } } }, Cancellation);
        var receipt = await anns.ReceiveAsync("receipt", r => (string?)r["conversation_id"] == group.Id, Cancellation);
        Assert.Null(receipt["user_id"]);
        Assert.Equal(2, (int?)receipt["delivered_seq"]);
        Assert.NotEqual(2, (int?)receipt["read_seq"]);
        await carols.SendAsync(new { type = "read", @ref = "r", conversation_id = group.Id, seq = 2 }, Cancellation);
        receipt = await anns.ReceiveAsync("receipt", r => (string?)r["conversation_id"] == group.Id && (int?)r["read_seq"] == 2, Cancellation);
        Assert.Equal(2, (int?)receipt["delivered_seq"]);
        Assert.Equal("read", (string?)(await ann.GetAsync($"/messages/{sent["message_id"]}/status", Cancellation)).Good["status"]);
        // Nobody else is told: they have no message there.
        Assert.DoesNotContain(bobs.Unread, frame => (string?)frame["type"] == "receipt" && (string?)frame["conversation_id"] == group.Id);
    }

    [Fact]
    [Trait("Requirement", "R22")]
    public async Task A_removed_member_sees_the_removal_and_nothing_after_and_can_not_send()
    {
        var (ann, bob, carol) = (await UserAsync(), await UserAsync(), await UserAsync());
        var (anns, bobs, carols) = (await ConnectAsync(ann), await ConnectAsync(bob, System.OtherEdge), await ConnectAsync(carol, System.OtherEdge));
        var group = await WireGroup.CreateAsync(System, ann, [bob, carol], Cancellation);
        await group.SendTextAsync(anns, "before", Cancellation);
        await group.RemoveAsync(bob, Cancellation);
        var removed = await bobs.ReceiveAsync("message", m => (string?)m["change"]?["type"] == "removed", Cancellation);
        Assert.Equal([bob.Id], Users(removed));
        Assert.Equal(3, (int?)removed["seq"]);
        await group.SendTextAsync(anns, "after", Cancellation);
        await carols.ReceiveAsync("message", m => (int?)m["seq"] == 4, Cancellation);

        var refused = await TrySendAsync(bobs, group.Id);
        Assert.Equal("not_found", (string?)refused["code"]);
        (await bob.PostAsync("/messages", new { client_message_id = "x", conversation_id = group.Id, text = "?" }, Cancellation))
            .IsProblem(HttpStatusCode.NotFound, "not_found");
        (await group.SendAsync<object>(HttpMethod.Get, "", null, Cancellation, bob)).IsProblem(HttpStatusCode.NotFound, "not_found");
        var history = (await bob.GetAsync($"/conversations/{group.Id}/messages", Cancellation)).Good["messages"]!.AsArray();
        Assert.Equal([3, 2, 1], history.Select(m => (int)m!["seq"]!));
        var summary = await bob.SummaryAsync(group.Id, Cancellation);
        Assert.Equal((true, 3), ((bool?)summary["left"], (int?)summary["head_seq"]));
        var again = await ConnectAsync(await bob.OtherDeviceAsync(Cancellation));
        await again.SendAsync(new { type = "pull", @ref = "p", ranges = new[] { new { conversation_id = group.Id, after = 0 } } }, Cancellation);
        var page = await again.ReceiveAsync("page", Cancellation);
        Assert.Equal((3, 3), ((int?)page["head_seq"], page["messages"]!.AsArray().Count));
        Assert.DoesNotContain(bobs.Unread, frame => (string?)frame["text"] == "after");
    }

    [Fact]
    [Trait("Requirement", "R22")]
    public async Task Who_is_added_sees_from_then_on()
    {
        var (ann, bob) = (await UserAsync(), await UserAsync());
        var (anns, bobs) = (await ConnectAsync(ann), await ConnectAsync(bob, System.OtherEdge));
        var group = await WireGroup.CreateAsync(System, ann, [], Cancellation);
        var secret = await group.SendTextAsync(anns, "before", Cancellation);
        await group.AddAsync(bob, Cancellation);
        var summary = await bobs.ReceiveAsync("conversation", c => (string?)c["conversation_id"] == group.Id, Cancellation);
        Assert.Equal((3, 0), ((int?)summary["head_seq"], (int?)summary["unread_count"]));
        Assert.Null(summary["preview"]);
        Assert.Equal("added", (string?)(await group.MessageAsync(bobs, Cancellation))["change"]!["type"]);
        await group.SendTextAsync(anns, "after", Cancellation);
        Assert.Equal("after", (string?)(await group.MessageAsync(bobs, Cancellation))["text"]);
        var history = (await bob.GetAsync($"/conversations/{group.Id}/messages", Cancellation)).Good["messages"]!.AsArray();
        Assert.Equal([4, 3], history.Select(m => (int)m!["seq"]!));
        (await bob.GetAsync($"/messages/{secret["message_id"]}", Cancellation)).IsProblem(HttpStatusCode.NotFound, "not_found");
        (await bob.PostAsync("/messages", new { client_message_id = "x", conversation_id = group.Id, text = "?", reply_to = (string?)secret["message_id"] }, Cancellation))
            .IsProblem(HttpStatusCode.BadRequest, "invalid_argument");
    }

    [Fact]
    [Trait("Requirement", "R20")]
    public async Task Where_only_admins_may_send_the_others_are_refused_and_a_name_is_told_to_all()
    {
        var (ann, bob) = (await UserAsync(), await UserAsync());
        var (anns, bobs) = (await ConnectAsync(ann), await ConnectAsync(bob, System.OtherEdge));
        var group = await WireGroup.CreateAsync(System, ann, [bob], Cancellation);
        Assert.Equal("everyone", (string?)(await group.SendAsync<object>(HttpMethod.Get, "", null, Cancellation, bob)).Good["who_may_send"]);
        (await group.SendAsync(HttpMethod.Patch, "", new { name = "mine" }, Cancellation, bob)).IsProblem(HttpStatusCode.Forbidden, "forbidden");
        Assert.Equal("news", (string?)(await group.SendAsync(HttpMethod.Patch, "", new { name = "news", who_may_send = "admins" }, Cancellation)).Good["name"]);
        var changed = await bobs.ReceiveAsync("message", m => (string?)m["change"]?["type"] == "changed", Cancellation);
        Assert.Equal(("news", "admins"), ((string?)changed["change"]!["name"], (string?)changed["change"]!["who_may_send"]));
        Assert.Equal("forbidden", (string?)(await TrySendAsync(bobs, group.Id))["code"]);
        await group.SendTextAsync(anns, "read this", Cancellation);
        Assert.Equal("read this", (string?)(await bobs.ReceiveAsync("message", m => m["text"] is not null, Cancellation))["text"]);
    }

    [Fact]
    [Trait("Requirement", "R20")]
    public async Task An_invite_lets_in_as_often_as_it_says()
    {
        var (ann, bob, carol) = (await UserAsync(), await UserAsync(), await UserAsync());
        var bobs = await ConnectAsync(bob);
        var group = await WireGroup.CreateAsync(System, ann, [], Cancellation);
        var invite = (await group.SendAsync(HttpMethod.Post, "/invites", new { max_uses = 1 }, Cancellation)).Good;
        var code = (string)invite["code"]!;
        Assert.Equal(group.Id, (string?)(await bob.PostAsync($"/invites/{code}", new { }, Cancellation)).Good["group_id"]);
        Assert.Equal("joined", (string?)(await group.MessageAsync(bobs, Cancellation))["change"]!["type"]);
        (await carol.PostAsync($"/invites/{code}", new { }, Cancellation)).IsProblem(HttpStatusCode.Gone, "gone");
        (await carol.PostAsync("/invites/nonsense", new { }, Cancellation)).IsProblem(HttpStatusCode.NotFound, "not_found");
    }

    [Fact]
    [Trait("Requirement", "R13")]
    public async Task Muting_a_conversation_is_told_to_the_users_other_devices_and_stays()
    {
        var (ann, bob) = (await UserAsync(), await UserAsync());
        var laptop = await ConnectAsync(await ann.OtherDeviceAsync(Cancellation), System.OtherEdge);
        var sent = await bob.PostMessageAsync(ann, "hello", Cancellation);
        var path = $"/conversations/{sent["conversation_id"]}";
        var answer = (await WireUser.SendAsync(
            System, HttpMethod.Patch, path, new { muted_until = "2099-01-01T00:00:00Z", pinned = true }, ann.Token, Cancellation)).Good;
        Assert.Equal(("2099-01-01T00:00:00.000Z", true), ((string?)answer["muted_until"], (bool?)answer["pinned"]));
        var told = await laptop.ReceiveAsync("conversation", c => (bool?)c["pinned"] == true, Cancellation);
        Assert.Equal("2099-01-01T00:00:00.000Z", (string?)told["muted_until"]);
        (await WireUser.SendAsync(System, HttpMethod.Patch, path, new { muted_until = "soon" }, ann.Token, Cancellation))
            .IsProblem(HttpStatusCode.BadRequest, "invalid_argument");
        (await WireUser.SendAsync(System, HttpMethod.Patch, path, new { archived = true }, (await UserAsync()).Token, Cancellation))
            .IsProblem(HttpStatusCode.NotFound, "not_found");
        Assert.Null((await bob.SummaryAsync((string)sent["conversation_id"]!, Cancellation))["muted_until"]);
    }

    private static string[] Users(JsonObject message) => [.. message["change"]!["user_ids"]!.AsArray().Select(id => (string)id!)];

    /// <returns>The <c>error</c>.</returns>
    private static async Task<JsonObject> TrySendAsync(WireSocket socket, string group)
    {
        var id = Guid.NewGuid().ToString();
        await socket.SendAsync(new { type = "send", client_message_id = id, conversation_id = group, text = "may I?" }, Cancellation);
        return await socket.ReceiveAsync("error", error => (string?)error["ref"] == id, Cancellation);
    }
}
