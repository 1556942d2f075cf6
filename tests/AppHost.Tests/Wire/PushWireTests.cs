using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using WhatsAspire.Client;

namespace WhatsAspire.AppHost.Tests.Wire;

/// <summary>What arrives on phones: on the gateways that stand in for the providers, over the whole system.</summary>
[Trait("Requirement", "R30")]
[Trait("Requirement", "R31")]
public sealed class PushWireTests(WireSystem system) : WireTest(system)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    /// <summary>Events that one worker handles at once, by its default settings.</summary>
    private const int Concurrency = 16;

    private Uri Gateways => Assert.Single(System.Processes.Services("push-gateways")).Address!;

    [Theory]
    [InlineData("apns")]
    [InlineData("fcm")]
    [InlineData("webpush")]
    public async Task Who_is_connected_nowhere_is_told_on_his_phone(string provider)
    {
        var (ann, bob) = (await UserAsync(), await UserAsync());
        var phone = await RegisterAsync(bob, provider);

        var sent = await ann.PostMessageAsync(bob, "Are you there?", Cancellation);

        var shown = await ShownAsync(phone, _ => true);
        Assert.Equal(provider, (string?)shown["provider"]);
        Assert.Equal(ann.Username, (string?)shown["title"]);
        Assert.Equal("Are you there?", (string?)shown["body"]);
        Assert.Equal((string?)sent["conversation_id"], (string?)shown["conversationId"]);
        Assert.Equal(1, (long?)shown["seq"]);
        Assert.False((bool?)shown["isSilent"]);
        if (provider != "webpush") Assert.Equal(1, (long?)shown["badge"]);
    }

    [Fact]
    public async Task The_badge_is_the_unread_total_and_the_newest_message_is_shown()
    {
        var (ann, bob, cat) = (await UserAsync(), await UserAsync(), await UserAsync());
        var phone = await RegisterAsync(cat, "apns");
        await ann.PostMessageAsync(cat, "one", Cancellation);
        await ann.PostMessageAsync(cat, "two", Cancellation);
        await bob.PostMessageAsync(cat, "three", Cancellation);

        Assert.Equal("two", (string?)(await ShownAsync(phone, shown => (string?)shown["title"] == ann.Username && (long?)shown["seq"] == 2))["body"]);
        Assert.Equal(3, (long?)(await ShownAsync(phone, shown => (string?)shown["title"] == bob.Username))["badge"]);
    }

    [Fact]
    public async Task Who_hides_contents_is_told_neither_who_writes_nor_what()
    {
        var (ann, bob) = (await UserAsync(), await UserAsync());
        var phone = await RegisterAsync(bob, "apns", hidden: true);
        await ann.PostMessageAsync(bob, "a secret", Cancellation);

        var shown = await ShownAsync(phone, _ => true);
        Assert.Equal("WhatsAspire", (string?)shown["title"]);
        Assert.Equal("New message", (string?)shown["body"]);
    }

    [Fact]
    public async Task Who_is_connected_on_any_device_is_not_told_on_his_phone()
    {
        var (ann, bob) = (await UserAsync(), await UserAsync());
        var phone = await RegisterAsync(await bob.OtherDeviceAsync(Cancellation), "apns");
        var desktop = await ConnectAsync(bob);
        await ann.PostMessageAsync(bob, "live", Cancellation);
        var message = await desktop.ReceiveAsync("message", Cancellation);
        await desktop.SendAsync(
            new { type = "ack", @ref = "a", positions = new[] { new { conversation_id = (string)message["conversation_id"]!, seq = 1 } } }, Cancellation);
        await desktop.ReceiveAsync("acked", Cancellation);
        await desktop.DisposeAsync();
        // After the end of the session, which the next message's look-up sees sooner or later.
        await UntilOfflineAsync(ann, bob, phone);

        Assert.DoesNotContain(await ReceivedAsync(phone), shown => (string?)shown["body"] == "live");
    }

    [Fact]
    public async Task What_a_connection_took_with_it_unacked_is_told_on_the_phone()
    {
        var (ann, bob) = (await UserAsync(), await UserAsync());
        var phone = await RegisterAsync(bob, "fcm");
        var lost = await ConnectAsync(bob);
        await ann.PostMessageAsync(bob, "into the tunnel", Cancellation);
        await lost.ReceiveAsync("message", Cancellation);
        lost.Abort();

        Assert.Equal("into the tunnel", (string?)(await ShownAsync(phone, _ => true))["body"]);
    }

    [Fact]
    public async Task What_was_read_on_another_device_is_taken_away_from_the_phone()
    {
        var (ann, bob) = (await UserAsync(), await UserAsync());
        var phone = await RegisterAsync(bob, "apns");
        var sent = await ann.PostMessageAsync(bob, "read me", Cancellation);
        await ShownAsync(phone, shown => !(bool)shown["isSilent"]!);

        var desktop = await bob.OtherDeviceAsync(Cancellation);
        (await desktop.PostAsync($"/conversations/{sent["conversation_id"]}/read", new { seq = 1 }, Cancellation)).Good.ToString();

        var cleared = await ShownAsync(phone, shown => (bool)shown["isSilent"]!);
        Assert.Equal((string?)sent["conversation_id"], (string?)cleared["conversationId"]);
        Assert.Equal(0, (long?)cleared["badge"]);
    }

    [Theory]
    [InlineData("apns")]
    [InlineData("fcm")]
    [InlineData("webpush")]
    [Trait("Requirement", "R60")]
    public async Task The_client_library_registers_a_device_and_ends_it(string provider)
    {
        var (ann, username) = (await UserAsync(), $"u{Guid.NewGuid():N}"[..24]);
        using var server = new ChatServer(System.PublicAddress);
        var bob = await server.CreateAccountAsync(username, "correct horse battery", cancellationToken: Cancellation);
        using var account = await ChatAccount.SignInAsync(server, username, "correct horse battery", cancellationToken: Cancellation);
        var device = await NewPhoneAsync(provider);
        var token = (string)device["token"]!;
        await account.Rest.RegisterPushAsync(provider switch
        {
            "apns" => PushRegistration.Apns(token, hidesContent: true),
            "fcm" => PushRegistration.Fcm(token, hidesContent: true),
            _ => PushRegistration.WebPush(token, (string)device["p256dh"]!, (string)device["auth"]!, hidesContent: true),
        }, Cancellation);
        await PostAsync("first");
        Assert.Equal("New message", (string?)(await ShownAsync(token, _ => true))["body"]);

        await account.Rest.UnregisterPushAsync(Cancellation);
        var other = await RegisterAsync(await SignInAsync(), "apns");
        await PostAsync("second");
        await ShownAsync(other, shown => (long?)shown["seq"] == 2);
        Assert.Single(await ReceivedAsync(token));

        async Task PostAsync(string text) => (await ann.PostAsync(
            "/messages", new { client_message_id = Guid.NewGuid().ToString(), to = new { user_id = bob.UserId.ToString() }, text }, Cancellation)).Good.ToString();

        Task<WireUser> SignInAsync() => WireUser.SignInAsync(System, username, "correct horse battery", Cancellation);
    }

    [Fact]
    public async Task A_device_that_was_logged_out_is_told_nothing()
    {
        var (ann, bob) = (await UserAsync(), await UserAsync());
        var other = await bob.OtherDeviceAsync(Cancellation);
        var (kept, gone) = (await RegisterAsync(bob, "apns"), await RegisterAsync(other, "apns"));
        Assert.Equal(HttpStatusCode.NoContent, (await bob.DeleteAsync($"/devices/{other.DeviceId}", Cancellation)).Status);

        await ann.PostMessageAsync(bob, "for one", Cancellation);

        await ShownAsync(kept, _ => true);
        Assert.Empty(await ReceivedAsync(gone));
    }

    [Fact]
    [Trait("Requirement", "R32")]
    public async Task A_worker_that_is_killed_again_and_again_loses_no_push_and_repeats_only_what_it_was_at()
    {
        const int Phones = 20, Rounds = 4;
        var ann = await UserAsync();
        var phones = new List<(WireUser User, string Token)>();
        while (phones.Count < Phones)
        {
            var user = await UserAsync();
            phones.Add((user, await RegisterAsync(user, phones.Count % 2 == 0 ? "apns" : "fcm")));
        }

        for (var round = 1; round <= Rounds; round++)
        {
            foreach (var (user, _) in phones) await ann.PostMessageAsync(user, $"round {round}", Cancellation);
            // While it is at the first of them, or waits for more.
            await ShownAsync(phones[0].Token, shown => (long?)shown["seq"] == round);
            var before = System.Processes.Services("push-worker");
            await System.Processes.KillAsync(before, Cancellation);
            await System.Processes.ReplacedAsync("push-worker", before, 1, Patience, Cancellation);
        }

        var repeated = 0;
        foreach (var (_, token) in phones)
        {
            await ShownAsync(token, shown => (long?)shown["seq"] == Rounds);
            var received = await ReceivedAsync(token);
            repeated += received.Count - received.DistinctBy(shown => (long?)shown["seq"]).Count();
            // Newest first: what comes later never says less.
            Assert.Equal(received.Select(shown => (long)shown["seq"]!).OrderDescending(), received.Select(shown => (long)shown["seq"]!));
        }

        TestContext.Current.SendDiagnosticMessage($"{Rounds} kills of the PushWorker, {Phones} phones: {repeated} notifications came twice");
        Assert.InRange(repeated, 0, Rounds * Concurrency);
    }

    /// <summary>Registers a phone that the gateways made.</summary>
    /// <returns>Its token.</returns>
    private async Task<string> RegisterAsync(WireUser user, string provider, bool hidden = false)
    {
        var device = await NewPhoneAsync(provider);
        var answer = await WireUser.SendAsync(
            System, HttpMethod.Put, "/devices/current/push",
            new
            {
                provider,
                token = (string)device["token"]!,
                keys = provider == "webpush" ? new { p256dh = (string)device["p256dh"]!, auth = (string)device["auth"]! } : null,
                content = hidden ? "hidden" : "shown",
            },
            user.Token, Cancellation);
        Assert.True(answer.Status == HttpStatusCode.NoContent, answer.Body?.ToJsonString());
        return (string)device["token"]!;
    }

    /// <summary>A phone that the gateways know.</summary>
    private async Task<JsonObject> NewPhoneAsync(string provider)
    {
        using var made = await System.Http.PostAsJsonAsync(new Uri(Gateways, "/devices"), new { provider }, Cancellation);
        return (await made.Content.ReadFromJsonAsync<JsonObject>(Cancellation))!;
    }

    /// <summary>Waits for a notification to a phone. The gateways are asked again and again: they tell nobody by themselves.</summary>
    private async Task<JsonObject> ShownAsync(string phone, Func<JsonObject, bool> fits)
    {
        var started = TimeProvider.System.GetTimestamp();
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
        while (true)
        {
            var received = await ReceivedAsync(phone);
            if (received.Find(shown => fits(shown)) is { } found) return found;
            if (TimeProvider.System.GetElapsedTime(started) > Patience)
                throw new TimeoutException($"Waited {Patience.TotalSeconds:F0} s for a notification; the phone has {received.Count} others.");
            await timer.WaitForNextTickAsync(Cancellation);
        }
    }

    /// <summary>Sends until a message is told on the phone.</summary>
    private async Task UntilOfflineAsync(WireUser ann, WireUser bob, string phone)
    {
        await ann.PostMessageAsync(bob, "after", Cancellation);
        await ShownAsync(phone, shown => (string?)shown["body"] == "after");
    }

    /// <summary>What arrived on a phone, newest first.</summary>
    private async Task<List<JsonObject>> ReceivedAsync(string phone)
    {
        var all = await System.Http.GetFromJsonAsync<JsonArray>(new Uri(Gateways, "/received"), Cancellation);
        return [.. all!.Select(shown => shown!.AsObject()).Where(shown => (string?)shown["token"] == phone)];
    }
}
