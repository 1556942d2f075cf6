using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using WhatsAspire.PushGateways;
using WhatsAspire.PushGateways.Apns;
using WhatsAspire.PushWorker.Apns;
using Xunit;

namespace WhatsAspire.PushWorker.Tests;

[Trait("Requirement", "R30")]
public sealed class ApnsSenderTests : GatewayTest
{
    /// <summary>All of Apple's words.</summary>
    public static TheoryData<string> Reasons => [.. ApnsGateway.Statuses.Keys];

    [Fact]
    public async Task A_notification_arrives_with_every_field()
    {
        var to = NewAddress(PushProviders.Apns);
        var sent = NewNotification();

        var accepted = Is<PushResult.Accepted>(await SendAsync(to, sent));

        var got = Assert.Single(Gateway.Received);
        Assert.Equal((to.Token, sent.Title, sent.Body, sent.Badge, false), (got.Token, got.Title, got.Body, got.Badge, got.IsSilent));
        Assert.Equal((sent.Conversation.ToString(), sent.Message.ToString(), sent.Seq), (got.ConversationId, got.MessageId, got.Seq));
        Assert.Equal(sent.Conversation.ToString(), got.CollapseKey);
        Assert.Equal(sent.ExpiresAt, got.ExpiresAt);
        Assert.Equal(accepted.Id, got.Headers["apns-id"]);
        Assert.Equal("alert", got.Headers["apns-push-type"]);
        Assert.Equal("10", got.Headers["apns-priority"]);
        Assert.Equal("org.whatsaspire.app", got.Headers["apns-topic"]);
        var aps = JsonNode.Parse(got.Payload)!["aps"]!.AsObject();
        Assert.Equal("default", aps["sound"]!.GetValue<string>());
        Assert.Equal(sent.Conversation.ToString(), aps["thread-id"]!.GetValue<string>());
        Assert.Equal(1, aps["mutable-content"]!.GetValue<int>());
        Assert.False(aps.ContainsKey("content-available"));
    }

    [Fact]
    public async Task A_silent_one_has_nothing_in_aps_that_would_be_shown()
    {
        var sent = NewSilent();

        Is<PushResult.Accepted>(await SendAsync(NewAddress(PushProviders.Apns), sent));

        var got = Assert.Single(Gateway.Received);
        Assert.True(got.IsSilent);
        Assert.Equal(("background", "5"), (got.Headers["apns-push-type"], got.Headers["apns-priority"]));
        var payload = JsonNode.Parse(got.Payload)!;
        Assert.Equal("""{"content-available":1}""", payload["aps"]!.ToJsonString());
        Assert.Equal(sent.Badge, payload["badge"]!.GetValue<long>());
        Assert.Equal((sent.Conversation.ToString(), null, sent.Seq), (got.ConversationId, got.MessageId, got.Seq));
    }

    [Fact]
    public async Task A_token_of_the_development_environment_goes_there()
    {
        var to = NewAddress(PushProviders.Apns) with { Token = Gateway.NewApnsToken(isSandbox: true) };

        Is<PushResult.Accepted>(await SendAsync(to with { IsSandbox = true }, NewNotification()));
        Assert.Equal("BadDeviceToken", Is<PushResult.DeadToken>(await SendAsync(to, NewNotification())).Reason);
    }

    [Fact]
    public async Task A_device_that_names_its_app_is_sent_to_by_that_topic()
    {
        var to = NewAddress(PushProviders.Apns) with { Token = Gateway.NewApnsToken(topic: "org.whatsaspire.other") };

        Is<PushResult.Accepted>(await SendAsync(to with { Topic = "org.whatsaspire.other" }, NewNotification()));
        Assert.Equal("DeviceTokenNotForTopic", Is<PushResult.DeadToken>(await SendAsync(to, NewNotification())).Reason);
    }

    [Theory]
    [InlineData("")]
    [InlineData("not hexadecimal")]
    [InlineData("../../3/device/00")]
    [InlineData("00ff\r\nx: y")]
    public async Task What_cannot_be_a_token_is_dead_without_a_request(string token)
    {
        Is<PushResult.DeadToken>(await SendAsync(NewAddress(PushProviders.Apns) with { Token = token }, NewNotification()));
        Assert.Empty(Gateway.Answered);
    }

    [Theory]
    [InlineData("")]
    [InlineData("a b")]
    [InlineData("app\r\nx: y")]
    public async Task What_cannot_be_a_topic_makes_the_registration_dead_without_a_request(string topic)
    {
        Is<PushResult.DeadToken>(await SendAsync(NewAddress(PushProviders.Apns) with { Topic = topic }, NewNotification()));
        Assert.Empty(Gateway.Answered);
    }

    [Fact]
    public void Every_word_of_apple_has_a_meaning() =>
        Assert.Equal(ApnsGateway.Statuses.Keys.Order(StringComparer.Ordinal), ApnsReasons.Known.Order(StringComparer.Ordinal));

    [Theory]
    [MemberData(nameof(Reasons))]
    public async Task Every_word_of_apple_leads_to_its_result(string reason)
    {
        var to = NewAddress(PushProviders.Apns);
        Gateway.Script.For(to.Token, Behaviour.Refuse(reason, TimeSpan.FromSeconds(17)));

        var result = await SendAsync(to, NewNotification());

        switch (reason)
        {
            case "BadDeviceToken" or "DeviceTokenNotForTopic":
                Assert.Equal(new PushResult.DeadToken(null, reason), result);
                break;
            case "Unregistered" or "ExpiredToken":
                Assert.Equal(new PushResult.DeadToken(Time.GetUtcNow(), reason), result);
                break;
            case "TooManyRequests":
                Assert.Equal(new PushResult.TryLater(TimeSpan.FromSeconds(17), reason, IsProviderWide: false), result);
                break;
            case "ExpiredProviderToken":
                Assert.Equal(new PushResult.TryLater(ApnsProviderToken.MinAge, reason, IsProviderWide: true), result);
                break;
            case "TooManyProviderTokenUpdates" or "IdleTimeout" or "InternalServerError" or "ServiceUnavailable" or "Shutdown":
                Assert.Equal(new PushResult.TryLater(TimeSpan.FromSeconds(17), reason, IsProviderWide: true), result);
                break;
            default:
                Assert.Equal(new PushResult.Refused(reason), result);
                break;
        }
        Assert.Empty(Gateway.Received);
    }

    [Theory]
    [InlineData(400, "Refused { Reason = NewWord }")]
    [InlineData(410, "DeadToken { Since = , Reason = NewWord }")]
    [InlineData(429, "TryLater { After = , Reason = NewWord, IsProviderWide = False }")]
    [InlineData(503, "TryLater { After = , Reason = NewWord, IsProviderWide = True }")]
    public void A_word_that_is_not_known_is_understood_by_its_status(int status, string result) =>
        Assert.Equal(result, ApnsReasons.Result((HttpStatusCode)status, "NewWord", null, null, out _).ToString());

    [Theory]
    [InlineData("")]
    [InlineData("<html>")]
    [InlineData("[]")]
    [InlineData("""{"reason":1,"timestamp":"x"}""")]
    [InlineData("""{"timestamp":99999999999999999999}""")]
    public void An_answer_that_is_not_of_apple_has_no_word(string body) =>
        Assert.Equal((null, null), ApnsReasons.Read(Encoding.UTF8.GetBytes(body)));

    [Fact]
    public async Task An_app_that_was_taken_off_is_dead_since_then()
    {
        var to = NewAddress(PushProviders.Apns);
        Gateway.Unregister(to.Token);
        var since = Time.GetUtcNow();
        Time.Advance(TimeSpan.FromMinutes(3));

        Assert.Equal(new PushResult.DeadToken(since, "Unregistered"), await SendAsync(to, NewNotification()));
    }

    [Fact]
    public async Task The_provider_token_is_renewed_after_fifty_minutes()
    {
        var to = NewAddress(PushProviders.Apns);
        await SendAsync(to, NewNotification());
        Time.Advance(TimeSpan.FromMinutes(49));
        await SendAsync(to, NewNotification());
        Time.Advance(TimeSpan.FromMinutes(1));
        Is<PushResult.Accepted>(await SendAsync(to, NewNotification()));

        var used = Gateway.Answered.Select(request => request.Authorization).ToArray();
        Assert.Equal(3, used.Length);
        Assert.Equal(used[0], used[1]);
        Assert.NotEqual(used[1], used[2]);
    }

    [Fact]
    public async Task Whoever_sends_at_once_uses_one_provider_token()
    {
        var to = NewAddress(PushProviders.Apns);
        var sender = Sender(PushProviders.Apns);

        var results = await Task.WhenAll(Enumerable.Range(0, 100).Select(_ => sender.SendAsync(to, NewNotification(), Cancellation)));

        Assert.All(results, result => Is<PushResult.Accepted>(result));
        Assert.Equal(100, Gateway.Received.Count);
        Assert.Single(Gateway.Answered.Select(request => request.Authorization).Distinct());
    }

    [Fact]
    public async Task A_token_that_apple_calls_expired_is_replaced_at_once_if_twenty_minutes_old()
    {
        var to = NewAddress(PushProviders.Apns);
        await SendAsync(to, NewNotification());
        Time.Advance(ApnsProviderToken.MinAge);
        Gateway.Script.For(to.Token, Behaviour.Refuse("ExpiredProviderToken"), times: 1);

        Is<PushResult.Accepted>(await SendAsync(to, NewNotification()));

        var used = Gateway.Answered.Select(request => request.Authorization).ToArray();
        Assert.Equal(3, used.Length);
        Assert.Equal(used[0], used[1]);
        Assert.NotEqual(used[1], used[2]);
    }

    [Fact]
    public async Task A_younger_one_is_not_replaced_before_it_may_be()
    {
        var to = NewAddress(PushProviders.Apns);
        await SendAsync(to, NewNotification());
        Time.Advance(TimeSpan.FromMinutes(5));
        Gateway.Script.For(to.Token, Behaviour.Refuse("ExpiredProviderToken"), times: 1);

        Assert.Equal(
            new PushResult.TryLater(TimeSpan.FromMinutes(15), "ExpiredProviderToken", IsProviderWide: true), await SendAsync(to, NewNotification()));
        Assert.Single(Gateway.Answered.Select(request => request.Authorization).Distinct());
    }

    [Fact]
    public void A_clock_that_was_set_back_does_not_keep_a_token()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var time = new SettableTime(Time.GetUtcNow());
        using var token = new ApnsProviderToken(key, "0123456789", "9876543210", time);
        var first = token.Get();
        time.Now -= TimeSpan.FromHours(5);
        Assert.NotEqual(first, token.Get());
    }

    [Fact]
    public async Task An_expiry_that_is_past_is_sent_as_it_is()
    {
        var sent = NewNotification() with { ExpiresAt = DateTimeOffset.UnixEpoch.AddDays(-1) };

        Is<PushResult.Accepted>(await SendAsync(NewAddress(PushProviders.Apns), sent));
        Assert.Equal(0, long.Parse(Assert.Single(Gateway.Received).Headers["apns-expiration"], CultureInfo.InvariantCulture));
    }

    private sealed class SettableTime(DateTimeOffset now) : TimeProvider
    {
        public DateTimeOffset Now { get; set; } = now;
        public override DateTimeOffset GetUtcNow() => Now;
    }
}
