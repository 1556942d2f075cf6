using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Xunit;

namespace WhatsAspire.PushWorker.Tests;

/// <summary>A gateway that took everything would prove nothing.</summary>
[Trait("Requirement", "R30")]
public sealed class ApnsGatewayTests : GatewayTest
{
    private static readonly Dictionary<string, (string Reason, Action<HttpRequestMessage> Change)> Faults = new()
    {
        ["GET"] = ("MethodNotAllowed", request => request.Method = HttpMethod.Get),
        ["another path"] = ("BadPath", request => request.RequestUri = new(request.RequestUri!, "/4/device/00")),
        ["a longer path"] = ("BadPath", request => request.RequestUri = new(request.RequestUri!.AbsoluteUri + "/x")),
        ["no device"] = ("MissingDeviceToken", request => request.RequestUri = new(request.RequestUri!, "/3/device/")),
        ["an unknown device"] = ("BadDeviceToken", request => request.RequestUri = new(request.RequestUri!, "/3/device/00ff")),
        ["no credentials"] = ("MissingProviderToken", request => request.Headers.Authorization = null),
        ["another scheme"] = ("MissingProviderToken", request => request.Headers.Authorization = new AuthenticationHeaderValue("Basic", "eDp5")),
        ["no token"] = ("InvalidProviderToken", request => request.Headers.Authorization = new AuthenticationHeaderValue("bearer", "x.y.z")),
        ["no topic"] = ("MissingTopic", request => request.Headers.Remove("apns-topic")),
        ["another topic"] = ("TopicDisallowed", request => Replace(request, "apns-topic", "org.example.app")),
        ["no push type"] = ("InvalidPushType", request => request.Headers.Remove("apns-push-type")),
        ["another push type"] = ("InvalidPushType", request => Replace(request, "apns-push-type", "loud")),
        ["an urgent one in the background"] = ("BadPriority", request => Replace(request, "apns-push-type", "background")),
        ["a background one without priority"] = ("BadPriority", WithoutPriority),
        ["another priority"] = ("BadPriority", request => Replace(request, "apns-priority", "7")),
        ["another expiration"] = ("BadExpirationDate", request => Replace(request, "apns-expiration", "tomorrow")),
        ["another id"] = ("BadMessageId", request => Replace(request, "apns-id", "1")),
        ["a long collapse id"] = ("BadCollapseId", request => Replace(request, "apns-collapse-id", new('c', 65))),
        ["no payload"] = ("PayloadEmpty", request => request.Content = new ByteArrayContent([])),
        ["no JSON"] = ("PayloadEmpty", request => request.Content = new StringContent("{")),
        ["no aps"] = ("PayloadEmpty", request => request.Content = new StringContent("{}")),
        ["a long payload"] = ("PayloadTooLarge", request => request.Content = new StringContent($$$"""{"aps":{"alert":"{{{new string('x', 4096)}}}"}}""")),
        ["a very long payload"] = ("PayloadTooLarge", request => request.Content = new ByteArrayContent(new byte[100_000])),
    };

    public static TheoryData<string> Names => [.. Faults.Keys];

    [Fact]
    public async Task A_request_that_is_in_order_is_taken()
    {
        using var client = new RawClient(Gateway, Time);
        Assert.Equal((200, ""), await client.AnswerAsync(client.Apns(Gateway.NewApnsToken()), Cancellation));
        Assert.Single(Gateway.Received);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public async Task A_request_with_a_fault_is_refused(string name)
    {
        using var client = new RawClient(Gateway, Time);
        var request = client.Apns(Gateway.NewApnsToken());
        var (reason, change) = Faults[name];
        change(request);

        var (status, body) = await client.AnswerAsync(request, Cancellation);

        Assert.Equal($$"""{"reason":"{{reason}}"}""", body);
        Assert.Equal(PushGateways.Apns.ApnsGateway.Statuses[reason], status);
        Assert.Empty(Gateway.Received);
    }

    [Theory]
    [InlineData("kid", "ANOTHERKEY", "InvalidProviderToken")]
    [InlineData("iss", "ANOTHERTEA", "InvalidProviderToken")]
    [InlineData("iat", "3601", "ExpiredProviderToken")]
    [InlineData("iat", "-600", "InvalidProviderToken")]
    [InlineData("iat", "3599", "")]
    public async Task A_provider_token_with_a_fault_is_refused(string claim, string value, string reason)
    {
        using var client = new RawClient(Gateway, Time);
        if (claim == "kid") client.ApnsHeader[claim] = value;
        else if (claim == "iss") client.ApnsClaims[claim] = value;
        else client.ApnsClaims[claim] = Time.GetUtcNow().ToUnixTimeSeconds() - int.Parse(value, System.Globalization.CultureInfo.InvariantCulture);

        var (_, body) = await client.AnswerAsync(client.Apns(Gateway.NewApnsToken()), Cancellation);

        Assert.Equal(reason, body.Length == 0 ? "" : JsonNode.Parse(body)!["reason"]!.GetValue<string>());
    }

    [Fact]
    public async Task A_token_that_another_key_signed_is_refused()
    {
        using var client = new RawClient(Gateway, Time);
        using var other = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = client.Apns(Gateway.NewApnsToken());
        request.Headers.Authorization = new("bearer", client.ApnsToken(other.ExportPkcs8PrivateKeyPem()));

        Assert.Equal((403, """{"reason":"InvalidProviderToken"}"""), await client.AnswerAsync(request, Cancellation));
    }

    [Fact]
    public async Task A_new_token_too_soon_after_another_is_refused()
    {
        using var client = new RawClient(Gateway, Time);
        var device = Gateway.NewApnsToken();
        Assert.Equal(200, (await client.AnswerAsync(client.Apns(device), Cancellation)).Status);
        Time.Advance(TimeSpan.FromMinutes(19));
        Assert.Equal((429, """{"reason":"TooManyProviderTokenUpdates"}"""), await client.AnswerAsync(client.Apns(device), Cancellation));
        Time.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal(200, (await client.AnswerAsync(client.Apns(device), Cancellation)).Status);
    }

    [Fact]
    public async Task Http_1_is_not_spoken()
    {
        using var client = new RawClient(Gateway, Time);
        using var request = client.Apns(Gateway.NewApnsToken());
        request.Version = HttpVersion.Version11;

        await Assert.ThrowsAsync<HttpRequestException>(() => client.SendAsync(request, Cancellation));
        Assert.Empty(Gateway.Answered);
    }

    private static void WithoutPriority(HttpRequestMessage request)
    {
        Replace(request, "apns-push-type", "background");
        request.Headers.Remove("apns-priority");
    }

    private static void Replace(HttpRequestMessage request, string name, string value)
    {
        request.Headers.Remove(name);
        request.Headers.Add(name, value);
    }
}
