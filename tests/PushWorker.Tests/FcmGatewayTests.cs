using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Xunit;

namespace WhatsAspire.PushWorker.Tests;

/// <summary>A gateway that took everything would prove nothing.</summary>
[Trait("Requirement", "R30")]
public sealed class FcmGatewayTests : GatewayTest
{
    private const string GrantType = "urn:ietf:params:oauth:grant-type:jwt-bearer";

    [Theory]
    [InlineData("", "")]
    [InlineData("iss", "somebody@example.org")]
    [InlineData("aud", "https://oauth2.googleapis.com/token")]
    [InlineData("scope", "https://www.googleapis.com/auth/cloud-platform")]
    [InlineData("iat", "+600")]
    [InlineData("exp", "+3700")]
    [InlineData("exp", "-600")]
    [InlineData("kid", "0123")]
    public async Task An_assertion_must_be_in_order(string claim, string value)
    {
        using var client = new RawClient(Gateway, Time);
        var (status, body) = await ExchangeAsync(client, GrantType, Assertion(claim, value, null));

        if (claim.Length == 0) Assert.Equal((200, 3600), (status, JsonNode.Parse(body)!["expires_in"]!.GetValue<int>()));
        else Assert.Equal((400, claim == "scope" ? "invalid_scope" : "invalid_grant"), (status, JsonNode.Parse(body)!["error"]!.GetValue<string>()));
    }

    [Fact]
    public async Task An_assertion_must_be_signed_by_the_account()
    {
        using var client = new RawClient(Gateway, Time);
        using var other = RSA.Create(2048);
        Assert.Contains("Invalid JWT Signature", (await ExchangeAsync(client, GrantType, Assertion("", "", other))).Body, StringComparison.Ordinal);
        Assert.Equal(400, (await ExchangeAsync(client, GrantType, "x")).Status);
        Assert.Equal(400, (await ExchangeAsync(client, "password", Assertion("", "", null))).Status);
    }

    [Theory]
    [InlineData("""{"message":{"token":"TOKEN"}}""", 200)]
    [InlineData("""{"message":{"token":"TOKEN","android":{"priority":"HIGH","ttl":"3.5s"}}}""", 200)]
    [InlineData("""{"message":{"token":"unknown"}}""", 400)]
    [InlineData("""{"message":{}}""", 400)]
    [InlineData("""{}""", 400)]
    [InlineData("""[]""", 400)]
    [InlineData("""{"message":{"token":"TOKEN","made_up":1}}""", 400)]
    [InlineData("""{"message":{"token":"TOKEN","data":{"seq":1}}}""", 400)]
    [InlineData("""{"message":{"token":"TOKEN","data":{"from":"x"}}}""", 400)]
    [InlineData("""{"message":{"token":"TOKEN","data":{"google.x":"x"}}}""", 400)]
    [InlineData("""{"message":{"token":"TOKEN","data":{"x":"LONG"}}}""", 400)]
    [InlineData("""{"message":{"token":"TOKEN","notification":{"body":"LONG"}}}""", 400)]
    [InlineData("""{"message":{"token":"TOKEN","android":{"priority":"high!"}}}""", 400)]
    [InlineData("""{"message":{"token":"TOKEN","android":{"ttl":"3600"}}}""", 400)]
    [InlineData("""{"message":{"token":"TOKEN","android":{"ttl":"2419201s"}}}""", 400)]
    [InlineData("""{"message":{"token":"TOKEN","android":{"notification":{"notification_count":"7"}}}}""", 400)]
    public async Task A_message_must_be_in_order(string body, int status)
    {
        using var client = new RawClient(Gateway, Time);
        var json = body.Replace("TOKEN", Gateway.NewFcmToken(), StringComparison.Ordinal).Replace("LONG", new('x', 4097), StringComparison.Ordinal);

        Assert.Equal(status, (await SendAsync(client, json, await AccessTokenAsync(client))).Status);
        Assert.Equal(status == 200 ? 1 : 0, Gateway.Received.Count);
    }

    [Fact]
    public async Task An_access_token_must_be_good()
    {
        using var client = new RawClient(Gateway, Time);
        var json = $$$"""{"message":{"token":"{{{Gateway.NewFcmToken()}}}"}}""";
        var token = await AccessTokenAsync(client);
        Assert.Equal(401, (await SendAsync(client, json, "ya29.made-up")).Status);
        Assert.Equal(200, (await SendAsync(client, json, token)).Status);
        Assert.Equal(404, (await SendAsync(client, json, token, "/v1/projects/another/messages:send")).Status);
        Time.Advance(TimeSpan.FromHours(1));
        Assert.Equal(401, (await SendAsync(client, json, token)).Status);
    }

    private Task<(int Status, string Body)> SendAsync(
        RawClient client, string json, string accessToken, string path = "/v1/projects/whatsaspire-dev/messages:send") =>
        client.AnswerAsync(
            new(HttpMethod.Post, new Uri(Gateway.FcmAddress, path))
            {
                Headers = { Authorization = new AuthenticationHeaderValue("Bearer", accessToken) },
                Content = new StringContent(json, new MediaTypeHeaderValue("application/json")),
            },
            Cancellation);

    private async Task<string> AccessTokenAsync(RawClient client) =>
        JsonNode.Parse((await ExchangeAsync(client, GrantType, Assertion("", "", null))).Body)!["access_token"]!.GetValue<string>();

    private Task<(int Status, string Body)> ExchangeAsync(RawClient client, string grantType, string assertion) =>
        client.AnswerAsync(
            new(HttpMethod.Post, new Uri(Gateway.FcmAddress, "/token"))
            {
                Content = new FormUrlEncodedContent([new("grant_type", grantType), new("assertion", assertion)]),
            },
            Cancellation);

    /// <summary>An assertion that is in order but for one claim. Times are relative to now.</summary>
    private string Assertion(string claim, string value, RSA? key)
    {
        var account = JsonNode.Parse(Gateway.Credentials.ServiceAccountJson)!;
        using var own = RSA.Create();
        own.ImportFromPem(account["private_key"]!.GetValue<string>());
        var now = Time.GetUtcNow().ToUnixTimeSeconds();
        JsonObject header = new() { ["typ"] = "JWT", ["kid"] = account["private_key_id"]!.GetValue<string>() };
        JsonObject claims = new()
        {
            ["iss"] = account["client_email"]!.GetValue<string>(),
            ["scope"] = "https://www.googleapis.com/auth/firebase.messaging",
            ["aud"] = account["token_uri"]!.GetValue<string>(),
            ["iat"] = now,
            ["exp"] = now + 3600,
        };
        if (claim == "kid") header[claim] = value;
        else if (claim is "iat" or "exp") claims[claim] = now + long.Parse(value, System.Globalization.CultureInfo.InvariantCulture);
        else if (claim.Length > 0) claims[claim] = value;
        return CompactJwt.Rs256(key ?? own, header, claims);
    }
}
