using System.Net;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.Extensions.DependencyInjection;
using WhatsAspire.Contracts;
using WhatsAspire.MessageApi.Directory;
using WhatsAspire.MessageApi.Push;
using Xunit;

namespace WhatsAspire.Users.Tests;

/// <summary>How a device registers for pushes.</summary>
[Trait("Requirement", "R30")]
public sealed partial class PushEndpointTests
{
    private const string Address = "/devices/current/push";
    private static readonly ConversationId Chat = new(Guid.NewGuid());
    private static readonly string Point = Base64(NewPoint());
    private static readonly string Secret = Base64(RandomNumberGenerator.GetBytes(16));

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private static Task<TestApi> StartAsync() => TestApi.StartAsync(map: app => app.MapPush(), add: builder => builder.AddPush());

    private static Task<Answer> PutAsync(TestApi api, SignedIn device, object body) => api.SendAsync(HttpMethod.Put, Address, body, device.AccessToken);

    private static async Task<IReadOnlyList<PushTarget>> TargetsAsync(TestApi api, SignedIn device) =>
        await api.Services.GetRequiredService<IDirectory>().ListPushTargetsAsync(new(Guid.Parse(device.UserId)), Chat, Cancel);

    [Fact]
    public async Task A_device_says_how_it_is_pushed_to()
    {
        await using var api = await StartAsync();
        var (phone, browser) = (await api.SignUpAsync("ann"), await api.SignUpAsync("bob"));
        api.Time.Advance(TimeSpan.FromSeconds(5));

        var put = await PutAsync(api, phone, new { provider = "apns", token = "00FFaa", topic = "org.example.chat-app", sandbox = true, content = "hidden", later = 1 });
        Assert.Equal((HttpStatusCode.NoContent, ""), (put.Status, put.Text));
        Assert.Equal(
            new PushRegistration
            {
                Device = new(Guid.Parse(phone.DeviceId)),
                User = new(Guid.Parse(phone.UserId)),
                Provider = "apns",
                Token = "00ffaa",
                Topic = "org.example.chat-app",
                IsSandbox = true,
                HidesContent = true,
                RegisteredAt = api.Time.GetUtcNow(),
            },
            Assert.Single(await TargetsAsync(api, phone)).Registration);

        Assert.Equal(HttpStatusCode.NoContent, (await PutAsync(api, browser, WebPush("https://push.example/s/1?x=y"))).Status);
        Assert.Equal(
            new PushRegistration
            {
                Device = new(Guid.Parse(browser.DeviceId)),
                User = new(Guid.Parse(browser.UserId)),
                Provider = "webpush",
                Token = "https://push.example/s/1?x=y",
                P256dh = Point,
                Auth = Secret,
                RegisteredAt = api.Time.GetUtcNow(),
            },
            Assert.Single(await TargetsAsync(api, browser)).Registration);
    }

    [Fact]
    public async Task Registering_again_takes_the_place_of_what_was_said_before()
    {
        await using var api = await StartAsync();
        var ann = await api.SignUpAsync("ann");
        foreach (var token in new[] { "first", "second", "second" })
            Assert.Equal(HttpStatusCode.NoContent, (await PutAsync(api, ann, new { provider = "fcm", token, content = "shown" })).Status);
        var registration = Assert.Single(await TargetsAsync(api, ann)).Registration;
        Assert.Equal(("fcm", "second", false), (registration.Provider, registration.Token, registration.HidesContent));
    }

    [Fact]
    public async Task A_phone_on_which_another_user_signs_in_is_his()
    {
        await using var api = await StartAsync();
        var (ann, bob) = (await api.SignUpAsync("ann"), await api.SignUpAsync("bob"));
        await PutAsync(api, ann, new { provider = "apns", token = "ABCD" });
        await PutAsync(api, bob, new { provider = "apns", token = "abcd" });
        Assert.Empty(await TargetsAsync(api, ann));
        Assert.Single(await TargetsAsync(api, bob));
    }

    [Fact]
    public async Task Ending_pushes_is_idempotent_and_the_devices_own_affair()
    {
        await using var api = await StartAsync();
        var phone = await api.SignUpAsync("ann");
        var tablet = await api.SignInAsync("ann");
        await PutAsync(api, phone, new { provider = "fcm", token = "phone" });
        await PutAsync(api, tablet, new { provider = "fcm", token = "tablet" });
        for (var i = 0; i < 2; i++)
        {
            var ended = await api.DeleteAsync(Address, phone.AccessToken);
            Assert.Equal((HttpStatusCode.NoContent, ""), (ended.Status, ended.Text));
            Assert.Equal("tablet", Assert.Single(await TargetsAsync(api, phone)).Registration.Token);
        }
    }

    [Fact]
    [Trait("Requirement", "R17")]
    public async Task A_device_that_is_logged_out_is_not_pushed_to_and_can_not_register()
    {
        await using var api = await StartAsync();
        var ann = await api.SignUpAsync("ann");
        await PutAsync(api, ann, new { provider = "fcm", token = "phone" });
        Assert.Equal(HttpStatusCode.NoContent, (await api.DeleteAsync($"/devices/{ann.DeviceId}", ann.AccessToken)).Status);
        Assert.Empty(await TargetsAsync(api, ann));
        (await PutAsync(api, ann, new { provider = "fcm", token = "phone" })).IsProblem(HttpStatusCode.Unauthorized, "unauthenticated", "the device was logged out");
        (await api.DeleteAsync(Address, ann.AccessToken)).IsProblem(HttpStatusCode.Unauthorized, "unauthenticated", "the device was logged out");
    }

    [Fact]
    [Trait("Requirement", "R17")]
    public async Task A_device_that_was_logged_out_a_moment_ago_elsewhere_is_refused_by_the_directory()
    {
        await using var api = await StartAsync();
        var ann = await api.SignUpAsync("ann");
        Assert.Equal(HttpStatusCode.OK, (await api.GetAsync("/devices", ann.AccessToken)).Status);
        // This replica goes on believing for a second that it is signed in.
        await api.Services.GetRequiredService<IDirectory>().RemoveDeviceAsync(new(Guid.Parse(ann.UserId)), new(Guid.Parse(ann.DeviceId)), Cancel);
        (await PutAsync(api, ann, new { provider = "fcm", token = "phone" })).IsProblem(HttpStatusCode.Unauthorized, "unauthenticated", "the device was logged out");
    }

    [Theory]
    [InlineData("PUT")]
    [InlineData("DELETE")]
    [Trait("Requirement", "R45")]
    public async Task Without_a_good_token_nothing_is_done(string method)
    {
        await using var api = await StartAsync();
        (await api.SendAsync(new HttpMethod(method), Address)).IsProblem(HttpStatusCode.Unauthorized, "unauthenticated", "an access token is needed");
    }

    private static (string Body, string Message)[] Refused =>
    [
        ("{}", "provider is missing"),
        ("""{"provider":null,"token":"aa"}""", "provider is missing"),
        ("""{"provider":"sms","token":"aa"}""", "provider must be 'apns', 'fcm' or 'webpush'"),
        ("""{"provider":"APNS","token":"aa"}""", "provider must be 'apns', 'fcm' or 'webpush'"),
        ("""{"provider":"apns"}""", "token is missing"),
        ("""{"provider":"apns","token":""}""", "token must be 2 to 200 hexadecimal digits for 'apns'"),
        ("""{"provider":"apns","token":"abc"}""", "token must be 2 to 200 hexadecimal digits for 'apns'"),
        ("""{"provider":"apns","token":"0g"}""", "token must be 2 to 200 hexadecimal digits for 'apns'"),
        ($$"""{"provider":"apns","token":"{{new string('a', 202)}}"}""", "token must be 2 to 200 hexadecimal digits for 'apns'"),
        ("""{"provider":"apns","token":"aa","topic":""}""", "topic must be the app's bundle id"),
        ("""{"provider":"apns","token":"aa","topic":"a_b"}""", "topic must be the app's bundle id"),
        ($$"""{"provider":"apns","token":"aa","topic":"{{new string('a', 256)}}"}""", "topic must be the app's bundle id: 1 to 255"),
        ("""{"provider":"apns","token":"aa","keys":{}}""", "keys are for 'webpush' alone"),
        ("""{"provider":"apns","token":"aa","content":"none"}""", "content must be 'shown' or 'hidden'"),
        ("""{"provider":"fcm"}""", "token is missing"),
        ("""{"provider":"fcm","token":""}""", "token must be 1 to 1,024 characters of printable ASCII without spaces for 'fcm'"),
        ("""{"provider":"fcm","token":"a b"}""", "token must be 1 to 1,024 characters of printable ASCII without spaces for 'fcm'"),
        ("""{"provider":"fcm","token":"ä"}""", "token must be 1 to 1,024 characters of printable ASCII without spaces for 'fcm'"),
        ($$"""{"provider":"fcm","token":"{{new string('a', 1025)}}"}""", "token must be 1 to 1,024 characters of printable ASCII without spaces for 'fcm'"),
        ("""{"provider":"fcm","token":"a","topic":"b"}""", "topic is for 'apns' alone"),
        ("""{"provider":"fcm","token":"a","sandbox":true}""", "sandbox is for 'apns' alone"),
        ("""{"provider":"fcm","token":"a","keys":{"auth":"a"}}""", "keys are for 'webpush' alone"),
        (Web("http://push.example/1"), "token must be the subscription's endpoint for 'webpush'"),
        (Web("/1"), "token must be the subscription's endpoint for 'webpush'"),
        (Web("https:///1"), "token must be the subscription's endpoint for 'webpush'"),
        (Web("https://me:secret@push.example/1"), "token must be the subscription's endpoint for 'webpush'"),
        (Web("https://push.example/1#"), "token must be the subscription's endpoint for 'webpush'"),
        (Web("https://push.example/1#part"), "token must be the subscription's endpoint for 'webpush'"),
        (Web("https://push.example/a b"), "token must be the subscription's endpoint for 'webpush'"),
        (Web("https://push.example/" + new string('a', 2048)), "at most 2,048 characters"),
        ("""{"provider":"webpush","token":"https://push.example/1"}""", "keys is missing"),
        (Web(keys: new { auth = Secret }), "keys.p256dh is missing"),
        (Web(keys: new { p256dh = Point }), "keys.auth is missing"),
        (Web(keys: new { p256dh = Point + "=", auth = Secret }), "keys.p256dh must be base64url without padding of 65 bytes"),
        (Web(keys: new { p256dh = Point[..^1] + "+", auth = Secret }), "keys.p256dh must be base64url without padding of 65 bytes"),
        (Web(keys: new { p256dh = Base64(NewPoint()[..64]), auth = Secret }), "keys.p256dh must be base64url without padding of 65 bytes"),
        (Web(keys: new { p256dh = Base64([5, .. NewPoint()[1..]]), auth = Secret }), "an uncompressed point of the curve P-256"),
        (Web(keys: new { p256dh = Base64(OffTheCurve()), auth = Secret }), "an uncompressed point of the curve P-256"),
        (Web(keys: new { p256dh = Base64([4, .. new byte[64]]), auth = Secret }), "an uncompressed point of the curve P-256"),
        (Web(keys: new { p256dh = Point, auth = Secret + "==" }), "keys.auth must be base64url without padding of 16 bytes"),
        (Web(keys: new { p256dh = Point, auth = "" }), "keys.auth must be base64url without padding of 16 bytes"),
        (Web(keys: new { p256dh = Point, auth = Base64(new byte[15]) }), "keys.auth must be base64url without padding of 16 bytes"),
        (Web(content: ""), "content must be 'shown' or 'hidden'"),
    ];

    [Fact]
    public async Task What_no_provider_would_take_is_refused_with_the_member_and_what_is_allowed()
    {
        await using var api = await StartAsync();
        var ann = await api.SignUpAsync("ann");
        foreach (var (body, message) in Refused)
            (await PutAsync(api, ann, body)).IsProblem(HttpStatusCode.BadRequest, "invalid_argument", message);
        (await PutAsync(api, ann, """{"provider":"fcm","token":5}""")).IsProblem(HttpStatusCode.BadRequest, "bad_frame", "token is of the wrong type");
        (await PutAsync(api, ann, $$"""{"provider":"fcm","token":"{{new string('a', Limits.FrameBytes)}}"}"""))
            .IsProblem(HttpStatusCode.RequestEntityTooLarge, "too_large", "larger than 65536 bytes");
        Assert.Empty(await TargetsAsync(api, ann));
    }

    [Fact]
    public async Task What_is_just_allowed_is_taken()
    {
        await using var api = await StartAsync();
        var ann = await api.SignUpAsync("ann");
        foreach (var body in new object[]
        {
            new { provider = "apns", token = new string('a', 200), topic = new string('b', 255), sandbox = false },
            new { provider = "apns", token = "0A" },
            new { provider = "fcm", token = new string('~', 1024), sandbox = false },
            new { provider = "fcm", token = "!" },
            WebPush("https://p/" + new string('a', 2038)),
            WebPush("https://[2001:db8::1]:8443/1?x=%20y"),
        })
            Assert.Equal(HttpStatusCode.NoContent, (await PutAsync(api, ann, body)).Status);
    }

    [Fact]
    [Trait("Requirement", "R62")]
    public async Task Every_example_in_the_protocols_description_is_taken()
    {
        await using var api = await StartAsync();
        var ann = await api.SignUpAsync("ann");
        var examples = Example().Matches(await File.ReadAllTextAsync(Path.Combine(AppContext.BaseDirectory, "protocol.md"), Cancel));
        var providers = new List<string>();
        foreach (var example in examples.Select(match => match.Groups[1].Value))
        {
            var answer = await PutAsync(api, ann, example);
            Assert.True(answer.Status == HttpStatusCode.NoContent, $"{example}: {answer.Text}");
            providers.Add((string)JsonNode.Parse(example)!["provider"]!);
        }

        Assert.Equal(["apns", "fcm", "webpush"], providers.Order());
    }

    [Fact]
    [Trait("Requirement", "R62")]
    public async Task The_OpenAPI_document_names_the_members_in_the_words_of_the_wire()
    {
        await using var api = await StartAsync();
        var document = (await api.GetAsync("/openapi/v1.json")).Json;
        Assert.Equal(["delete", "put"], document.GetProperty("paths").GetProperty(Address).EnumerateObject().Select(verb => verb.Name).Order());
        var schemas = document.GetProperty("components").GetProperty("schemas");
        Assert.Equal(
            ["provider", "token", "topic", "sandbox", "keys", "content"],
            schemas.GetProperty("PushRequest").GetProperty("properties").EnumerateObject().Select(p => p.Name));
        Assert.Equal(
            ["p256dh", "auth"], schemas.GetProperty("PushKeysRequest").GetProperty("properties").EnumerateObject().Select(p => p.Name));
    }

    [GeneratedRegex("```json push\n(.*?)\n```", RegexOptions.Singleline)]
    private static partial Regex Example();

    private static object WebPush(string token) => new { provider = "webpush", token, keys = new { p256dh = Point, auth = Secret } };

    private static string Web(string token = "https://push.example/1", object? keys = null, string? content = null) =>
        JsonSerializer.Serialize(new { provider = "webpush", token, keys = keys ?? new { p256dh = Point, auth = Secret }, content });

    private static string Base64(byte[] bytes) => System.Buffers.Text.Base64Url.EncodeToString(bytes);

    private static byte[] NewPoint()
    {
        using var key = ECDiffieHellman.Create(ECCurve.NamedCurves.nistP256);
        var point = key.ExportParameters(includePrivateParameters: false).Q;
        return [4, .. point.X!, .. point.Y!];
    }

    private static byte[] OffTheCurve()
    {
        var point = NewPoint();
        point[64] ^= 1;
        return point;
    }
}
