using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using WhatsAspire.PushGateways;
using WhatsAspire.PushGateways.Fcm;
using WhatsAspire.PushWorker.Fcm;
using Xunit;

namespace WhatsAspire.PushWorker.Tests;

[Trait("Requirement", "R30")]
public sealed class FcmSenderTests : GatewayTest
{
    private int Exchanges => Gateway.Answered.Count(request => request.Provider == GatewayProviders.OAuth);

    [Fact]
    public async Task A_notification_arrives_with_every_field()
    {
        var to = NewAddress(PushProviders.Fcm);
        var sent = NewNotification();

        var accepted = Is<PushResult.Accepted>(await SendAsync(to, sent));

        Assert.StartsWith("projects/whatsaspire-dev/messages/", accepted.Id, StringComparison.Ordinal);
        var got = Assert.Single(Gateway.Received);
        Assert.Equal((to.Token, sent.Title, sent.Body, sent.Badge, false), (got.Token, got.Title, got.Body, got.Badge, got.IsSilent));
        Assert.Equal((sent.Conversation.ToString(), sent.Message.ToString(), sent.Seq), (got.ConversationId, got.MessageId, got.Seq));
        Assert.Equal(sent.ExpiresAt, got.ExpiresAt);
        var message = JsonNode.Parse(got.Payload)!["message"]!;
        var conversation = sent.Conversation.ToString();
        Assert.Equal(
            $$"""{"priority":"HIGH","ttl":"172800s","collapse_key":"{{conversation}}","notification":{"tag":"{{conversation}}","notification_count":7} }""".Replace(" ", "", StringComparison.Ordinal),
            message["android"]!.ToJsonString());
        Assert.Equal("7", message["data"]!["badge"]!.GetValue<string>());
        Assert.Null(message["data"]!["silent"]);
    }

    [Fact]
    public async Task A_silent_one_is_data_alone_and_may_wait()
    {
        var sent = NewSilent();

        Is<PushResult.Accepted>(await SendAsync(NewAddress(PushProviders.Fcm), sent));

        var got = Assert.Single(Gateway.Received);
        Assert.Equal((true, false, sent.Badge, sent.Seq), (got.IsSilent, got.IsUrgent, got.Badge, got.Seq));
        var message = JsonNode.Parse(got.Payload)!["message"]!.AsObject();
        Assert.False(message.ContainsKey("notification"));
        Assert.Equal("true", message["data"]!["silent"]!.GetValue<string>());
        Assert.Equal(
            $$"""{"priority":"NORMAL","ttl":"3600s","collapse_key":"{{sent.Conversation}}"}""", message["android"]!.ToJsonString());
    }

    [Theory]
    [InlineData(-5, "0s")]
    [InlineData(90 * 24 * 3600, "2419200s")]
    public async Task The_life_is_within_what_fcm_takes(int seconds, string life)
    {
        Is<PushResult.Accepted>(await SendAsync(
            NewAddress(PushProviders.Fcm), NewNotification() with { ExpiresAt = Time.GetUtcNow().AddSeconds(seconds) }));
        Assert.Equal(life, JsonNode.Parse(Assert.Single(Gateway.Received).Payload)!["message"]!["android"]!["ttl"]!.GetValue<string>());
    }

    [Fact]
    public async Task A_count_beyond_what_fcm_takes_is_capped()
    {
        Is<PushResult.Accepted>(await SendAsync(NewAddress(PushProviders.Fcm), NewNotification() with { Badge = long.MaxValue }));
        Assert.Equal(int.MaxValue, Assert.Single(Gateway.Received).Badge);
    }

    [Fact]
    public async Task An_access_token_is_used_until_five_minutes_before_its_end()
    {
        var to = NewAddress(PushProviders.Fcm);
        await SendAsync(to, NewNotification());
        Time.Advance(TimeSpan.FromMinutes(54));
        await SendAsync(to, NewNotification());
        Assert.Equal(1, Exchanges);

        Time.Advance(TimeSpan.FromMinutes(1));
        Is<PushResult.Accepted>(await SendAsync(to, NewNotification()));
        Assert.Equal(2, Exchanges);
    }

    [Fact]
    public async Task Whoever_sends_at_once_waits_for_one_exchange()
    {
        var to = NewAddress(PushProviders.Fcm);
        var sender = Sender(PushProviders.Fcm);

        var results = await Task.WhenAll(Enumerable.Range(0, 100).Select(_ => sender.SendAsync(to, NewNotification(), Cancellation)));

        Assert.All(results, result => Is<PushResult.Accepted>(result));
        Assert.Equal(1, Exchanges);
    }

    [Fact]
    public async Task A_token_that_is_not_taken_any_more_is_renewed_once()
    {
        var to = NewAddress(PushProviders.Fcm);
        await SendAsync(to, NewNotification());
        Gateway.RevokeAccessTokens();

        Is<PushResult.Accepted>(await SendAsync(to, NewNotification()));
        Assert.Equal(2, Exchanges);

        Gateway.Script.For(to.Token, Behaviour.Refuse("UNAUTHENTICATED"));
        Assert.Equal(new PushResult.Refused("UNAUTHENTICATED"), await SendAsync(to, NewNotification()));
        Assert.Equal(3, Exchanges);
    }

    [Theory]
    [InlineData("invalid_grant", false)]
    [InlineData("invalid_client", false)]
    [InlineData("temporarily_unavailable", true)]
    [InlineData("internal_failure", true)]
    public async Task Without_an_access_token_nothing_is_sent(string word, bool later)
    {
        Gateway.Script.ForAll(GatewayProviders.OAuth, Behaviour.Refuse(word, TimeSpan.FromSeconds(9)), times: 1);
        var to = NewAddress(PushProviders.Fcm);

        Assert.Equal<PushResult>(
            later ? new PushResult.TryLater(TimeSpan.FromSeconds(9), word, IsProviderWide: true) : new PushResult.Refused(word),
            await SendAsync(to, NewNotification()));
        Assert.DoesNotContain(Gateway.Answered, request => request.Provider == GatewayProviders.Fcm);

        Is<PushResult.Accepted>(await SendAsync(to, NewNotification()));
    }

    [Fact]
    public async Task An_exchange_that_is_cut_off_is_tried_again_by_the_next()
    {
        Gateway.Script.ForAll(GatewayProviders.OAuth, Behaviour.CutConnection(), times: 1);
        var to = NewAddress(PushProviders.Fcm);

        Assert.True(Is<PushResult.TryLater>(await SendAsync(to, NewNotification())).IsProviderWide);
        Is<PushResult.Accepted>(await SendAsync(to, NewNotification()));
    }

    [Theory]
    [InlineData("UNREGISTERED")]
    [InlineData("SENDER_ID_MISMATCH")]
    [InlineData("INVALID_ARGUMENT")]
    [InlineData("THIRD_PARTY_AUTH_ERROR")]
    [InlineData("QUOTA_EXCEEDED")]
    [InlineData("UNAVAILABLE")]
    [InlineData("INTERNAL")]
    public async Task Every_word_of_fcm_leads_to_its_result(string word)
    {
        var to = NewAddress(PushProviders.Fcm);
        Gateway.Script.For(to.Token, Behaviour.Refuse(word, TimeSpan.FromSeconds(17)));

        PushResult expected = word switch
        {
            "UNREGISTERED" or "SENDER_ID_MISMATCH" => new PushResult.DeadToken(null, word),
            "QUOTA_EXCEEDED" or "UNAVAILABLE" or "INTERNAL" => new PushResult.TryLater(TimeSpan.FromSeconds(17), word, IsProviderWide: true),
            _ => new PushResult.Refused(word),
        };
        Assert.Equal(expected, await SendAsync(to, NewNotification()));
        Assert.Contains(word, FcmGateway.Codes.Keys);
        // The word for a bad certificate of Apple's is no reason for another access token.
        Assert.Equal(1, Exchanges);
    }

    [Fact]
    public async Task A_quota_without_a_wait_is_a_minute()
    {
        var to = NewAddress(PushProviders.Fcm);
        Gateway.Script.For(to.Token, Behaviour.Refuse("QUOTA_EXCEEDED"));
        Assert.Equal(new PushResult.TryLater(TimeSpan.FromMinutes(1), "QUOTA_EXCEEDED", IsProviderWide: true), await SendAsync(to, NewNotification()));
    }

    [Fact]
    public async Task A_token_that_is_gone_or_never_was_is_dead()
    {
        var to = NewAddress(PushProviders.Fcm);
        Gateway.Unregister(to.Token);
        Assert.Equal(new PushResult.DeadToken(null, "UNREGISTERED"), await SendAsync(to, NewNotification()));
        Assert.Equal(new PushResult.DeadToken(null, "INVALID_ARGUMENT"), await SendAsync(to with { Token = "made up" }, NewNotification()));
        Assert.Equal(new PushResult.DeadToken(null, "INVALID_ARGUMENT"), await SendAsync(to with { Token = new('x', 2000) }, NewNotification()));
        Assert.Equal(new PushResult.DeadToken(null, "INVALID_ARGUMENT"), await SendAsync(to with { Token = "" }, NewNotification()));
    }

    [Theory]
    [InlineData(429, """{"error":{"status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.firebase.fcm.v1.FcmError","errorCode":"QUOTA_EXCEEDED"},{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"subject":"device:x","description":"Device message rate exceeded"}]}]}}""",
        "TryLater { After = 00:01:00, Reason = QUOTA_EXCEEDED, IsProviderWide = False }")]
    [InlineData(400, """{"error":{"status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[{"field":"message.data[0].value"}]}]}}""",
        "Refused { Reason = INVALID_ARGUMENT }")]
    [InlineData(403, """{"error":{"status":"PERMISSION_DENIED"}}""", "Refused { Reason = PERMISSION_DENIED }")]
    [InlineData(404, """{"error":{"status":"NOT_FOUND"}}""", "Refused { Reason = NOT_FOUND }")]
    [InlineData(429, "", "TryLater { After = 00:01:00, Reason = 429, IsProviderWide = True }")]
    [InlineData(502, "<html>", "TryLater { After = , Reason = 502, IsProviderWide = True }")]
    [InlineData(500, """{"error":[]}""", "TryLater { After = , Reason = 500, IsProviderWide = True }")]
    [InlineData(400, """{"error":{"status":5,"details":[7,{"@type":null}]}}""", "Refused { Reason = 400 }")]
    public void An_answer_is_understood_by_what_it_has(int status, string body, string result) =>
        Assert.Equal(result, FcmErrors.Result((HttpStatusCode)status, FcmErrors.Read(Encoding.UTF8.GetBytes(body)), null).ToString());
}
