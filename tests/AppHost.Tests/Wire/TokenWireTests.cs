using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Data.Sqlite;

namespace WhatsAspire.AppHost.Tests.Wire;

/// <summary>Tokens that are not good, devices that are logged out or connect twice.</summary>
[Trait("Requirement", "R45")]
public sealed class TokenWireTests(WireSystem system) : WireTest(system)
{
    [Theory]
    [InlineData(Forgery.Nothing)]
    [InlineData(Forgery.NoToken)]
    [InlineData(Forgery.OtherKey)]
    [InlineData(Forgery.OtherKeyOfItsOwn)]
    [InlineData(Forgery.AlgNone)]
    [InlineData(Forgery.OtherUser)]
    [InlineData(Forgery.Truncated)]
    public async Task A_token_that_is_not_ours_is_refused_and_the_socket_closed(Forgery forgery)
    {
        var (ann, bob) = (await UserAsync(), await UserAsync());
        var token = Forge(forgery, ann, bob);

        await RefusedAsync(token, "unauthenticated");
    }

    [Fact]
    public async Task An_expired_token_is_told_from_a_bad_one()
    {
        var ann = await UserAsync();
        // With the system's own key, and one second past its end.
        var token = await SignAgainAsync(ann.Token, claims => claims["exp"] = DateTimeOffset.UtcNow.ToUnixTimeSeconds() - 1);

        await RefusedAsync(token, "token_expired");

        // The same way of making it, but in time: so the end was what made it bad.
        var good = await SignAgainAsync(ann.Token, claims => claims["exp"] = DateTimeOffset.UtcNow.ToUnixTimeSeconds() + 600);
        Assert.Equal(
            HttpStatusCode.OK,
            (await WireUser.SendAsync<object>(System, HttpMethod.Get, "/conversations", null, good, Cancellation)).Status);
    }

    [Theory]
    [InlineData("aud", "another")]
    [InlineData("iss", "another")]
    [InlineData("did", "phone")]
    public async Task A_token_for_something_else_is_refused_though_the_key_is_right(string claim, string value)
    {
        var ann = await UserAsync();

        await RefusedAsync(await SignAgainAsync(ann.Token, claims => claims[claim] = value), "unauthenticated");
    }

    [Fact]
    [Trait("Requirement", "R17")]
    public async Task A_device_that_is_logged_out_is_closed_and_its_tokens_stop_at_once()
    {
        var (ann, bob) = (await UserAsync(), await UserAsync());
        var laptop = await ann.OtherDeviceAsync(Cancellation);
        var phoneSocket = await ConnectAsync(ann, System.FirstEdge);
        var laptopSocket = await ConnectAsync(laptop, System.OtherEdge);
        Assert.Equal(2, (await ann.GetAsync("/devices", Cancellation)).Good["devices"]!.AsArray().Count);

        Assert.Equal(HttpStatusCode.NoContent, (await ann.DeleteAsync($"/devices/{laptop.DeviceId}", Cancellation)).Status);

        (await laptop.GetAsync("/conversations", Cancellation)).IsProblem(HttpStatusCode.Unauthorized, "unauthenticated");
        (await laptop.PostAsync("/messages", new { client_message_id = "1", to = new { user_id = bob.Id }, text = "x" }, Cancellation))
            .IsProblem(HttpStatusCode.Unauthorized, "unauthenticated");
        Assert.Equal(4403, await laptopSocket.ClosedAsync(Cancellation));
        var again = await OpenAsync(System.FirstEdge, laptop.Token);
        await again.SendAsync(new { type = "hello", protocol = 1 }, Cancellation);
        Assert.Equal("unauthenticated", (string?)(await again.ReceiveAsync("error", Cancellation))["code"]);
        Assert.Equal(4403, await again.ClosedAsync(Cancellation));

        // The other device goes on.
        await phoneSocket.SendMessageAsync(bob, "still here", Cancellation);
        await phoneSocket.ReceiveAsync("sent", Cancellation);
        var devices = (await ann.GetAsync("/devices", Cancellation)).Good["devices"]!.AsArray();
        Assert.Equal(ann.DeviceId, (string?)Assert.Single(devices)!["device_id"]);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    [Trait("Requirement", "R17")]
    public async Task When_a_device_connects_again_the_older_connection_is_closed_and_the_newer_works(bool sameEdge)
    {
        var (ann, bob) = (await UserAsync(), await UserAsync());
        var older = await ConnectAsync(ann, System.FirstEdge);

        var newer = await ConnectAsync(ann, sameEdge ? System.FirstEdge : System.OtherEdge);

        Assert.Equal(4409, await older.ClosedAsync(Cancellation));
        await bob.PostMessageAsync(ann, "to the newer", Cancellation);
        Assert.Equal("to the newer", (string?)(await newer.ReceiveAsync("message", Cancellation))["text"]);
        await newer.SendMessageAsync(bob, "from the newer", Cancellation);
        await newer.ReceiveAsync("sent", Cancellation);
        Assert.DoesNotContain(older.Unread, frame => (string?)frame["type"] == "message");
    }

    public enum Forgery
    {
        Nothing,
        NoToken,
        OtherKey,
        OtherKeyOfItsOwn,
        AlgNone,
        OtherUser,
        Truncated,
    }

    private static string? Forge(Forgery forgery, WireUser ann, WireUser bob)
    {
        var parts = ann.Token.Split('.');
        var header = Parse(parts[0]);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        switch (forgery)
        {
            case Forgery.Nothing:
                return null;
            case Forgery.NoToken:
                return "not-a-token";
            case Forgery.OtherKey:
                return Sign(header, Parse(parts[1]), key);
            case Forgery.OtherKeyOfItsOwn:
                header["kid"] = "of-my-own";
                return Sign(header, Parse(parts[1]), key);
            case Forgery.AlgNone:
                header["alg"] = "none";
                return $"{Encode(Encoding.UTF8.GetBytes(header.ToJsonString()))}.{parts[1]}.";
            case Forgery.OtherUser:
                var claims = Parse(parts[1]);
                claims["sub"] = bob.Id;
                return $"{parts[0]}.{Encode(Encoding.UTF8.GetBytes(claims.ToJsonString()))}.{parts[2]}";
            case Forgery.Truncated:
                return ann.Token[..^10];
            default:
                throw new ArgumentOutOfRangeException(nameof(forgery));
        }
    }

    /// <summary>Refused over the header, over hello, and over REST.</summary>
    private async Task RefusedAsync(string? token, string code)
    {
        var byHeader = await OpenAsync(System.FirstEdge, token);
        await byHeader.SendAsync(new { type = "hello", protocol = 1 }, Cancellation);
        var byHello = await OpenAsync(System.OtherEdge);
        await byHello.SendAsync(new { type = "hello", protocol = 1, token }, Cancellation);
        foreach (var socket in new[] { byHeader, byHello })
        {
            var error = await socket.ReceiveAnyAsync(Cancellation);
            Assert.Equal(("error", code, false), ((string)error["type"]!, (string)error["code"]!, (bool)error["retryable"]!));
            Assert.Equal(4401, await socket.ClosedAsync(Cancellation));
        }

        (await WireUser.SendAsync<object>(System, HttpMethod.Get, "/conversations", null, token, Cancellation))
            .IsProblem(HttpStatusCode.Unauthorized, code);
    }

    private async Task<string> SignAgainAsync(string token, Action<JsonObject> change)
    {
        var parts = token.Split('.');
        var (header, claims) = (Parse(parts[0]), Parse(parts[1]));
        change(claims);
        var file = Path.Combine(System.Processes.DataPath, "message-api", "directory.db");
        await using var directory = new SqliteConnection($"Data Source={file};Mode=ReadOnly;Pooling=False");
        await directory.OpenAsync(Cancellation);
        await using var command = directory.CreateCommand();
        command.CommandText = "SELECT private_key FROM signing_keys WHERE key_id = $id";
        command.Parameters.AddWithValue("$id", (string)header["kid"]!);
        // One byte says that it is kept as it is; what follows is PKCS #8.
        var kept = Assert.IsType<byte[]>(await command.ExecuteScalarAsync(Cancellation));
        using var key = ECDsa.Create();
        key.ImportPkcs8PrivateKey(kept.AsSpan(1), out _);
        return Sign(header, claims, key);
    }

    private static string Sign(JsonObject header, JsonObject claims, ECDsa key)
    {
        var signed = $"{Encode(Encoding.UTF8.GetBytes(header.ToJsonString()))}.{Encode(Encoding.UTF8.GetBytes(claims.ToJsonString()))}";
        return $"{signed}.{Encode(key.SignData(Encoding.ASCII.GetBytes(signed), HashAlgorithmName.SHA256))}";
    }

    private static JsonObject Parse(string part) =>
        JsonNode.Parse(global::System.Buffers.Text.Base64Url.DecodeFromChars(part))!.AsObject();

    private static string Encode(byte[] bytes) => global::System.Buffers.Text.Base64Url.EncodeToString(bytes);
}
