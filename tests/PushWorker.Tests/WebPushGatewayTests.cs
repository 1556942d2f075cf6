using System.Buffers.Text;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using WhatsAspire.PushGateways;
using WhatsAspire.PushGateways.WebPush;
using WhatsAspire.PushWorker.WebPush;
using Xunit;

namespace WhatsAspire.PushWorker.Tests;

/// <summary>A gateway that took everything would prove nothing.</summary>
[Trait("Requirement", "R30")]
public sealed class WebPushGatewayTests : GatewayTest
{
    [Fact]
    public async Task A_request_that_is_in_order_is_taken()
    {
        using var client = new RawClient(Gateway, Time);
        Assert.Equal(201, (await client.AnswerAsync(Request(Gateway.NewWebPushSubscription()), Cancellation)).Status);
        Assert.Single(Gateway.Received);
    }

    [Theory]
    [InlineData("no TTL", 400)]
    [InlineData("another TTL", 400)]
    [InlineData("another urgency", 400)]
    [InlineData("a long topic", 400)]
    [InlineData("a topic with blanks", 400)]
    [InlineData("another encoding", 400)]
    [InlineData("plain text", 400)]
    [InlineData("for another browser", 400)]
    [InlineData("a long body", 413)]
    [InlineData("no credentials", 401)]
    [InlineData("GET", 405)]
    [InlineData("no subscription", 404)]
    public async Task A_request_with_a_fault_is_refused(string fault, int status)
    {
        using var client = new RawClient(Gateway, Time);
        var subscription = Gateway.NewWebPushSubscription();
        var request = Request(fault == "for another browser" ? Gateway.NewWebPushSubscription() with { Endpoint = subscription.Endpoint } : subscription);
        switch (fault)
        {
            case "no TTL": request.Headers.Remove("TTL"); break;
            case "another TTL": Replace(request, "TTL", "-1"); break;
            case "another urgency": Replace(request, "Urgency", "now"); break;
            case "a long topic": Replace(request, "Topic", new('t', 33)); break;
            case "a topic with blanks": Replace(request, "Topic", "a b"); break;
            case "another encoding": request.Content!.Headers.ContentEncoding.Clear(); break;
            case "plain text": request.Content = Encoded([.. "{}"u8]); break;
            case "a long body": request.Content = Encoded(new byte[4097]); break;
            case "no credentials": request.Headers.Authorization = null; break;
            case "GET": request.Method = HttpMethod.Get; break;
            case "no subscription": request.RequestUri = new(request.RequestUri!, "/push/x"); break;
        }

        Assert.Equal(status, (await client.AnswerAsync(request, Cancellation)).Status);
        Assert.Empty(Gateway.Received);
    }

    [Theory]
    [InlineData("aud", "https://push.example.org")]
    [InlineData("sub", "nobody")]
    [InlineData("exp", "-1")]
    [InlineData("exp", "86401")]
    [InlineData("k", "another key")]
    [InlineData("t", "another key's")]
    public async Task A_token_with_a_fault_is_refused(string part, string value)
    {
        using var client = new RawClient(Gateway, Time);
        var request = Request(Gateway.NewWebPushSubscription());
        request.Headers.Authorization = new("vapid", Credentials(part, value));

        Assert.Equal(403, (await client.AnswerAsync(request, Cancellation)).Status);
        Assert.Empty(Gateway.Received);
    }

    private HttpRequestMessage Request(WebPushSubscription subscription)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, subscription.Endpoint)
        {
            Content = Encoded(WebPushEncryption.Encrypt(
                """{"title":"t"}"""u8, Base64Url.DecodeFromChars(subscription.P256dh), Base64Url.DecodeFromChars(subscription.Auth))),
        };
        request.Headers.Authorization = new("vapid", Credentials("", ""));
        request.Headers.Add("TTL", "60");
        request.Headers.Add("Urgency", "normal");
        request.Headers.Add("Topic", "topic");
        return request;
    }

    private string Credentials(string part, string value)
    {
        using var key = VapidKey.Load(File(GatewayFiles.VapidKey));
        using var other = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        JsonObject claims = new()
        {
            ["aud"] = Gateway.WebPushAddress.GetLeftPart(UriPartial.Authority),
            ["exp"] = Time.GetUtcNow().AddHours(24).ToUnixTimeSeconds(),
            ["sub"] = "mailto:x@example.org",
        };
        if (part == "exp") claims[part] = Time.GetUtcNow().ToUnixTimeSeconds() + long.Parse(value, System.Globalization.CultureInfo.InvariantCulture);
        else if (part is "aud" or "sub") claims[part] = value;
        // The key that signs may be named truly, and yet not be that of the subscription.
        var named = part == "k" ? Base64Url.EncodeToString(P256.Point(other.ExportParameters(false))) : key.PublicKey;
        return $"t={CompactJwt.Es256(part is "k" or "t" ? other : key.Key, new(), claims)}, k={named}";
    }

    private static ByteArrayContent Encoded(byte[] body)
    {
        var content = new ByteArrayContent(body);
        content.Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
        content.Headers.ContentEncoding.Add("aes128gcm");
        return content;
    }

    private static void Replace(HttpRequestMessage request, string name, string value)
    {
        request.Headers.Remove(name);
        request.Headers.TryAddWithoutValidation(name, value);
    }
}
