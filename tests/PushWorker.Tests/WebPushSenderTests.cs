using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using WhatsAspire.PushGateways;
using WhatsAspire.PushGateways.WebPush;
using WhatsAspire.PushWorker.WebPush;
using Xunit;

namespace WhatsAspire.PushWorker.Tests;

[Trait("Requirement", "R30")]
public sealed class WebPushSenderTests : GatewayTest
{
    /// <summary>The example of RFC 8291, section 5 and appendix A.</summary>
    private static class Rfc
    {
        public const string Plaintext = "When I grow up, I want to be a watermelon";
        public const string SenderPrivate = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw";
        public const string SenderPublic = "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8";
        public const string ReceiverPrivate = "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94";
        public const string ReceiverPublic = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
        public const string Auth = "BTBZMqHH6r4Tts7J_aSIgg";
        public const string Salt = "DGv6ra1nlYgDCS1FRnbzlw";
        public const string Body =
            "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6"
            + "cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN";
    }

    [Fact]
    public void The_browser_reads_the_message_of_the_rfc()
    {
        using var browser = BrowserKeys.From(Rfc.ReceiverPrivate, Rfc.ReceiverPublic, Rfc.Auth);
        Assert.Equal(Rfc.Plaintext, Encoding.UTF8.GetString(browser.Decrypt(Base64Url.DecodeFromChars(Rfc.Body))));
    }

    [Fact]
    public void The_sender_makes_the_message_of_the_rfc()
    {
        Assert.True(P256.TryDecode(Rfc.SenderPublic, P256.PointBytes, out var point));
        Assert.True(P256.TryDecode(Rfc.SenderPrivate, P256.FieldBytes, out var secret));
        using var sender = ECDiffieHellman.Create(P256.Parameters(point, secret));

        var body = WebPushEncryption.Encrypt(
            Encoding.UTF8.GetBytes(Rfc.Plaintext), Base64Url.DecodeFromChars(Rfc.ReceiverPublic), Base64Url.DecodeFromChars(Rfc.Auth), sender,
            Base64Url.DecodeFromChars(Rfc.Salt));

        Assert.Equal(Rfc.Body, Base64Url.EncodeToString(body));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(WebPushEncryption.MaxPlaintextBytes)]
    public void What_is_encrypted_is_read_by_its_browser_alone(int length)
    {
        var plain = RandomNumberGenerator.GetBytes(length);
        using var browser = BrowserKeys.Create();
        using var other = BrowserKeys.Create();

        var body = WebPushEncryption.Encrypt(plain, Base64Url.DecodeFromChars(browser.P256dh), Base64Url.DecodeFromChars(browser.Auth));

        Assert.True(body.Length <= WebPushEncryption.MaxBodyBytes);
        Assert.Equal(plain, browser.Decrypt(body));
        Assert.ThrowsAny<CryptographicException>(() => other.Decrypt(body));
        body[^1] ^= 1;
        Assert.ThrowsAny<CryptographicException>(() => browser.Decrypt(body));
    }

    [Fact]
    public async Task A_notification_arrives_with_every_field()
    {
        var to = NewAddress(PushProviders.WebPush);
        var sent = NewNotification();

        Is<PushResult.Accepted>(await SendAsync(to, sent));

        var got = Assert.Single(Gateway.Received);
        Assert.Equal((to.Token, sent.Title, sent.Body, sent.Badge, false), (got.Token, got.Title, got.Body, got.Badge, got.IsSilent));
        Assert.Equal((sent.Conversation.ToString(), sent.Message.ToString(), sent.Seq), (got.ConversationId, got.MessageId, got.Seq));
        Assert.Equal(sent.ExpiresAt, got.ExpiresAt);
        Assert.Equal(("172800", "high"), (got.Headers["ttl"], got.Headers["urgency"]));
        Assert.Equal(Base64Url.EncodeToString(sent.Conversation.Value.ToByteArray(bigEndian: true)), got.CollapseKey);
    }

    [Fact]
    public async Task A_silent_one_says_so_and_may_wait()
    {
        var sent = NewSilent();

        Is<PushResult.Accepted>(await SendAsync(NewAddress(PushProviders.WebPush), sent));

        var got = Assert.Single(Gateway.Received);
        Assert.Equal((true, sent.Badge, sent.Seq), (got.IsSilent, got.Badge, got.Seq));
        Assert.Equal(("3600", "low"), (got.Headers["ttl"], got.Headers["urgency"]));
        Assert.False(JsonNode.Parse(got.Payload)!.AsObject().ContainsKey("title"));
    }

    [Theory]
    [InlineData("404", "DeadToken { Since = , Reason = 404 }")]
    [InlineData("410", "DeadToken { Since = , Reason = 410 }")]
    [InlineData("413", "Refused { Reason = 413 }")]
    [InlineData("400", "Refused { Reason = 400 }")]
    [InlineData("401", "Refused { Reason = 401 }")]
    [InlineData("403", "Refused { Reason = 403 }")]
    [InlineData("307", "Refused { Reason = 307 }")]
    [InlineData("429", "TryLater { After = 00:00:17, Reason = 429, IsProviderWide = False }")]
    [InlineData("500", "TryLater { After = 00:00:17, Reason = 500, IsProviderWide = False }")]
    [InlineData("503", "TryLater { After = 00:00:17, Reason = 503, IsProviderWide = False }")]
    public async Task Every_status_leads_to_its_result(string status, string result)
    {
        var to = NewAddress(PushProviders.WebPush);
        Gateway.Script.For(to.Token, Behaviour.Refuse(status, TimeSpan.FromSeconds(17)));
        Assert.Equal(result, (await SendAsync(to, NewNotification())).ToString());
    }

    [Theory]
    [InlineData("200")]
    [InlineData("202")]
    public async Task Any_word_of_acceptance_is_one(string status)
    {
        var to = NewAddress(PushProviders.WebPush);
        Gateway.Script.For(to.Token, Behaviour.Refuse(status));
        Is<PushResult.Accepted>(await SendAsync(to, NewNotification()));
    }

    [Fact]
    public async Task A_subscription_that_was_given_up_is_dead()
    {
        var to = NewAddress(PushProviders.WebPush);
        Gateway.Unregister(to.Token);
        Is<PushResult.DeadToken>(await SendAsync(to, NewNotification()));
        Is<PushResult.DeadToken>(await SendAsync(to with { Token = new Uri(Gateway.WebPushAddress, "/push/unknown").AbsoluteUri }, NewNotification()));
    }

    [Fact]
    public async Task A_token_for_a_service_is_used_until_an_hour_before_its_end()
    {
        var to = NewAddress(PushProviders.WebPush);
        await SendAsync(to, NewNotification());
        Time.Advance(VapidTokens.Life - VapidTokens.Margin);
        await SendAsync(NewAddress(PushProviders.WebPush), NewNotification());
        Time.Advance(TimeSpan.FromSeconds(1));
        Is<PushResult.Accepted>(await SendAsync(to, NewNotification()));

        var used = Gateway.Answered.Select(request => request.Authorization).ToArray();
        Assert.Equal(used[0], used[1]);
        Assert.NotEqual(used[1], used[2]);
    }

    [Fact]
    public void Made_up_services_do_not_fill_the_memory()
    {
        using var tokens = new VapidTokens(VapidKey.Load(File(GatewayFiles.VapidKey)), "mailto:x@example.org", Time);
        var first = tokens.Get(new("https://push.example.org/1"));
        Assert.Equal(first, tokens.Get(new("https://push.example.org/2")));
        for (var i = 0; i < VapidTokens.MaxServices; i++) tokens.Get(new($"https://push{i}.example.org/"));
        Assert.NotEqual(first, tokens.Get(new("https://push.example.org/1")));
    }

    [Theory]
    [InlineData(null, null)]
    [InlineData("", "")]
    [InlineData("AAAA", "AAAA")]
    [InlineData("****", "****")]
    // A point that is not on the curve.
    [InlineData("BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", Rfc.Auth)]
    // A compressed form's first byte.
    [InlineData("AiVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4", Rfc.Auth)]
    [InlineData(Rfc.ReceiverPublic, "BTBZMqHH6r4Tts7J_aSI")]
    public async Task Keys_that_are_none_make_the_registration_dead_without_a_request(string? p256dh, string? auth)
    {
        var to = NewAddress(PushProviders.WebPush) with { P256dh = p256dh, Auth = auth };
        Assert.Equal(new PushResult.DeadToken(null, "BadKeys"), await SendAsync(to, NewNotification()));
        Assert.Empty(Gateway.Answered);
    }

    [Fact]
    public async Task Keys_with_padding_are_read()
    {
        var to = NewAddress(PushProviders.WebPush);
        Is<PushResult.Accepted>(await SendAsync(to with { P256dh = to.P256dh + "=", Auth = to.Auth + "==" }, NewNotification()));
    }
}
