using System.Diagnostics.Metrics;
using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.IdentityModel.JsonWebTokens;
using WhatsAspire.Contracts;
using WhatsAspire.ServiceDefaults;
using Xunit;

namespace WhatsAspire.Users.Tests;

public sealed class TokenTests
{
    private static readonly object Phone = new { name = "phone", platform = "ios" };

    [Fact]
    [Trait("Requirement", "R45")]
    public async Task A_password_gives_a_device_its_tokens()
    {
        await using var api = await TestApi.StartAsync();
        var made = await api.PostAsync("/accounts", new { username = "ann", password = "correct horse" });
        var answer = await api.PostAsync("/tokens", new { username = "ANN", password = "correct horse", device = Phone });

        Assert.Equal(HttpStatusCode.OK, answer.Status);
        Assert.Equal(["user_id", "device_id", "access_token", "expires_in", "refresh_token"], answer.Json.EnumerateObject().Select(p => p.Name));
        Assert.True(answer.Headers.CacheControl?.NoStore);
        var tokens = SignedIn.From(answer);
        Assert.Equal(made.Json.GetProperty("user_id").GetString(), tokens.UserId);
        Assert.Equal(900, tokens.ExpiresIn);
        Assert.Matches("^[A-Za-z0-9_-]{64}$", tokens.RefreshToken);
        Assert.Equal(HttpStatusCode.OK, (await api.GetAsync("/devices", tokens.AccessToken)).Status);

        var validator = api.Services.GetRequiredService<AccessTokenValidator>();
        var caller = (await validator.ValidateAsync(tokens.AccessToken, TestContext.Current.CancellationToken)).Value;
        Assert.Equal(tokens.UserId, caller.User.ToString());
        Assert.Equal(tokens.DeviceId, caller.Device.ToString());
        Assert.Equal(api.Time.GetUtcNow().AddMinutes(15), caller.ExpiresAt);
        Assert.NotEmpty(caller.TokenId);
    }

    [Fact]
    public async Task A_wrong_password_and_an_unknown_name_are_refused_alike()
    {
        await using var api = await TestApi.StartAsync();
        await api.SignUpAsync("bob");
        var wrong = await api.PostAsync("/tokens", new { username = "bob", password = "correct horsf", device = Phone });
        var unknown = await api.PostAsync("/tokens", new { username = "nobody", password = "correct horse", device = Phone });
        wrong.IsProblem(HttpStatusCode.Unauthorized, "unauthenticated", "the username or the password is wrong");
        Assert.Equal(wrong.Text, unknown.Text);
    }

    public static TheoryData<string, string, string> BadBodies => new()
    {
        { "{}", "invalid_argument", "username is missing" },
        { """{"username":"bob","device":{"name":"a","platform":"b"}}""", "invalid_argument", "password is missing" },
        { """{"username":"bob","password":""}""", "invalid_argument", "password must have 1 to 128" },
        { """{"username":"bob","password":"x"}""", "invalid_argument", "device is missing" },
        { """{"username":"bob","password":"x","device":{"platform":"b"}}""", "invalid_argument", "device.name is missing" },
        { """{"username":"bob","password":"x","device":{"name":"a"}}""", "invalid_argument", "device.platform is missing" },
        { $$$"""{"username":"bob","password":"x","device":{"name":"{{{new string('x', 65)}}}","platform":"b"}}""", "invalid_argument", "device.name must have 1 to 64" },
        { """{"username":"bob","password":"x","device":{"name":"a","platform":""}}""", "invalid_argument", "device.platform must have 1 to 64" },
        { """{"username":"bob","password":"x","device":{"name":"a\ud800","platform":"b"}}""", "invalid_argument", "device.name holds half of a surrogate pair" },
        { """{"username":"bob","password":"x","device":"phone"}""", "bad_frame", "device is of the wrong type" },
        { """{"username":"bob","password":"x","device":{"name":"a","platform":"b"},"device_id":"7"}""", "invalid_argument", "device_id must be a UUID" },
        { """{"username":"bob","password":"x","device":{"name":"a","platform":"b"},"device_id":7}""", "bad_frame", "device_id is of the wrong type" },
        { """{"refresh_token":"x","username":"bob"}""", "invalid_argument", "refresh_token stands alone" },
        { """{"refresh_token":7}""", "bad_frame", "refresh_token is of the wrong type" },
    };

    [Theory]
    [MemberData(nameof(BadBodies))]
    public async Task A_bad_body_is_refused_with_what_is_wrong(string body, string code, string message)
    {
        await using var api = await TestApi.StartAsync();
        (await api.PostAsync("/tokens", body)).IsProblem(HttpStatusCode.BadRequest, code, message);
    }

    [Fact]
    public async Task A_device_can_sign_in_again_as_itself_but_not_as_another_users()
    {
        await using var api = await TestApi.StartAsync();
        var first = await api.SignUpAsync("carol");
        var again = await api.SignInAsync("carol", first.DeviceId);
        Assert.Equal(first.DeviceId, again.DeviceId);
        (await api.PostAsync("/tokens", new { refresh_token = first.RefreshToken }))
            .IsProblem(HttpStatusCode.Unauthorized, "unauthenticated", "refresh token is not known");

        await api.SignUpAsync("dave");
        (await api.PostAsync("/tokens", new { username = "dave", password = "correct horse", device = Phone, device_id = first.DeviceId }))
            .IsProblem(HttpStatusCode.Conflict, "conflict", "another user's device");
    }

    [Fact]
    [Trait("Requirement", "R45")]
    public async Task A_refresh_token_is_rotated()
    {
        await using var api = await TestApi.StartAsync();
        var tokens = await api.SignUpAsync("erin");
        for (var i = 0; i < 3; i++)
        {
            api.Time.Advance(TimeSpan.FromMinutes(16));
            (await api.GetAsync("/devices", tokens.AccessToken)).IsProblem(HttpStatusCode.Unauthorized, "token_expired", "has expired");
            var next = SignedIn.From(await api.PostAsync("/tokens", new { refresh_token = tokens.RefreshToken }));
            Assert.Equal((tokens.UserId, tokens.DeviceId), (next.UserId, next.DeviceId));
            Assert.NotEqual(tokens.RefreshToken, next.RefreshToken);
            Assert.NotEqual(tokens.AccessToken, next.AccessToken);
            Assert.Equal(HttpStatusCode.OK, (await api.GetAsync("/devices", next.AccessToken)).Status);
            tokens = next;
        }
        Assert.Empty(api.Revocations.Announced);
    }

    [Fact]
    [Trait("Requirement", "R45")]
    public async Task An_old_refresh_token_used_again_ends_the_session()
    {
        await using var api = await TestApi.StartAsync();
        var stolen = await api.SignUpAsync("frank");
        var owner = SignedIn.From(await api.PostAsync("/tokens", new { refresh_token = stolen.RefreshToken }));
        api.Time.Advance(TimeSpan.FromMinutes(1));

        (await api.PostAsync("/tokens", new { refresh_token = stolen.RefreshToken }))
            .IsProblem(HttpStatusCode.Unauthorized, "unauthenticated", "was used before: the device is logged out");
        Assert.Equal([(new UserId(Guid.Parse(owner.UserId)), new DeviceId(Guid.Parse(owner.DeviceId)))], api.Revocations.Announced);
        (await api.GetAsync("/devices", owner.AccessToken)).IsProblem(HttpStatusCode.Unauthorized, "unauthenticated", "the device was logged out");
        (await api.PostAsync("/tokens", new { refresh_token = owner.RefreshToken }))
            .IsProblem(HttpStatusCode.Unauthorized, "unauthenticated", "refresh token is not known");
    }

    [Fact]
    public async Task A_refresh_whose_answer_was_lost_can_be_repeated_at_once()
    {
        await using var api = await TestApi.StartAsync();
        var tokens = await api.SignUpAsync("grace");
        await api.PostAsync("/tokens", new { refresh_token = tokens.RefreshToken });
        api.Time.Advance(TimeSpan.FromSeconds(20));
        var again = await api.PostAsync("/tokens", new { refresh_token = tokens.RefreshToken });
        Assert.Equal(HttpStatusCode.OK, again.Status);
        Assert.Equal(HttpStatusCode.OK, (await api.PostAsync("/tokens", new { refresh_token = SignedIn.From(again).RefreshToken })).Status);
    }

    [Theory]
    [InlineData("")]
    [InlineData("nonsense")]
    [InlineData("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    [InlineData("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA!")]
    public async Task A_refresh_token_that_never_was_is_refused(string token)
    {
        await using var api = await TestApi.StartAsync();
        (await api.PostAsync("/tokens", new { refresh_token = token })).IsProblem(HttpStatusCode.Unauthorized, "unauthenticated", "refresh token is not known");
    }

    [Fact]
    public async Task Replicas_share_one_signing_key_and_accept_each_others_tokens()
    {
        using var folder = new TestFolder();
        await using var a = await TestApi.StartAsync(folder: folder);
        await using var b = await TestApi.StartAsync(folder: folder, time: a.Time);
        var tokens = await a.SignUpAsync("heidi");
        Assert.Equal(HttpStatusCode.OK, (await b.GetAsync("/devices", tokens.AccessToken)).Status);
        Assert.Equal((await a.GetAsync("/.well-known/jwks.json")).Text, (await b.GetAsync("/.well-known/jwks.json")).Text);
    }

    [Fact]
    [Trait("Requirement", "R45")]
    public async Task Accounts_and_both_kinds_of_token_outlive_a_restart()
    {
        using var folder = new TestFolder();
        SignedIn tokens;
        await using (var before = await TestApi.StartAsync(folder: folder)) tokens = await before.SignUpAsync("mia");
        await using var after = await TestApi.StartAsync(new() { ["Directory:Path"] = folder.Path }, folder);
        Assert.Equal(HttpStatusCode.OK, (await after.GetAsync("/devices", tokens.AccessToken)).Status);
        Assert.Equal(HttpStatusCode.OK, (await after.PostAsync("/tokens", new { refresh_token = tokens.RefreshToken })).Status);
        Assert.Equal(tokens.UserId, (await after.SignInAsync("mia")).UserId);
    }

    [Fact]
    public async Task The_key_set_is_public_and_holds_no_private_part()
    {
        await using var api = await TestApi.StartAsync();
        var answer = await api.GetAsync("/.well-known/jwks.json");
        Assert.Equal("application/jwk-set+json", answer.MediaType);
        var key = Assert.Single(answer.Json.GetProperty("keys").EnumerateArray());
        Assert.Equal(["kty", "crv", "use", "alg", "kid", "x", "y"], key.EnumerateObject().Select(p => p.Name));
        Assert.Equal("ES256", key.GetProperty("alg").GetString());
    }

    [Fact]
    public async Task Signing_keys_are_rotated_and_the_next_one_is_published_before_its_turn()
    {
        await using var api = await TestApi.StartAsync();
        var tokens = await api.SignUpAsync("ivan");
        var first = new JsonWebToken(tokens.AccessToken).Kid;

        api.Time.Advance(TimeSpan.FromDays(6.5));
        var early = SignedIn.From(await api.PostAsync("/tokens", new { refresh_token = tokens.RefreshToken }));
        Assert.Equal(first, new JsonWebToken(early.AccessToken).Kid);
        var published = await KeysAsync();
        Assert.Equal(2, published.Length);
        Assert.Equal(first, published[1]);

        // Just before the change: that token must stay good after it.
        api.Time.Advance(TimeSpan.FromDays(0.5) - TimeSpan.FromMinutes(5));
        var last = SignedIn.From(await api.PostAsync("/tokens", new { refresh_token = early.RefreshToken }));
        Assert.Equal(first, new JsonWebToken(last.AccessToken).Kid);
        api.Time.Advance(TimeSpan.FromMinutes(10));
        var next = SignedIn.From(await api.PostAsync("/tokens", new { refresh_token = last.RefreshToken }));
        Assert.Equal(published[0], new JsonWebToken(next.AccessToken).Kid);
        Assert.Equal(HttpStatusCode.OK, (await api.GetAsync("/devices", last.AccessToken)).Status);
        Assert.Equal(HttpStatusCode.OK, (await api.GetAsync("/devices", next.AccessToken)).Status);

        api.Time.Advance(TimeSpan.FromDays(2));
        Assert.Equal([published[0]], await KeysAsync());

        async Task<string[]> KeysAsync() =>
            [.. (await api.GetAsync("/.well-known/jwks.json")).Json.GetProperty("keys").EnumerateArray().Select(k => k.GetProperty("kid").GetString()!)];
    }

    [Fact]
    public async Task Many_sign_ins_from_one_address_are_slowed()
    {
        await using var api = await TestApi.StartAsync(new() { ["Users:SignInsPerAddressPerMinute"] = "3" });
        for (var i = 0; i < 3; i++)
            (await api.PostAsync("/tokens", new { refresh_token = "x" })).IsProblem(HttpStatusCode.Unauthorized, "unauthenticated", "not known");
        foreach (var path in new[] { "/tokens", "/accounts" })
        {
            var refused = await api.PostAsync(path, "not even JSON");
            refused.IsProblem(HttpStatusCode.TooManyRequests, "rate_limited", "too many sign-ins");
            Assert.InRange(refused.Json.GetProperty("retry_after_ms").GetInt64(), 1, 60_000);
            Assert.True(refused.Headers.RetryAfter?.Delta > TimeSpan.Zero);
        }
        // What is not a sign-in goes on.
        Assert.Equal(HttpStatusCode.OK, (await api.GetAsync("/.well-known/jwks.json")).Status);
    }

    [Fact]
    public async Task Guessing_one_users_password_is_slowed_and_leaves_others_alone()
    {
        await using var api = await TestApi.StartAsync(new() { ["Users:SignInsPerUserPerMinute"] = "3" });
        for (var i = 0; i < 3; i++)
            (await api.PostAsync("/tokens", new { username = "judy", password = $"guess {i}", device = Phone }))
                .IsProblem(HttpStatusCode.Unauthorized, "unauthenticated", "wrong");
        var refused = await api.PostAsync("/tokens", new { username = "JUDY", password = "guess 4", device = Phone });
        refused.IsProblem(HttpStatusCode.TooManyRequests, "rate_limited", "too many sign-ins");
        Assert.InRange(refused.Json.GetProperty("retry_after_ms").GetInt64(), 1, 60_000);
        (await api.PostAsync("/tokens", new { username = "kim", password = "guess", device = Phone }))
            .IsProblem(HttpStatusCode.Unauthorized, "unauthenticated", "wrong");
    }

    [Fact]
    [Trait("Requirement", "R52")]
    public async Task Sign_ins_are_counted_by_grant_and_outcome()
    {
        await using var api = await TestApi.StartAsync();
        var factory = api.Services.GetRequiredService<IMeterFactory>();
        List<string> counted = [];
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, l) =>
        {
            if (instrument.Meter.Scope == factory && instrument.Meter.Name == "WhatsAspire.Users") l.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) =>
        {
            lock (counted) counted.Add($"{instrument.Name} {value} {string.Join(' ', tags.ToArray().Select(t => $"{t.Key}={t.Value}"))}");
        });
        listener.SetMeasurementEventCallback<double>((instrument, _, _, _) =>
        {
            lock (counted) counted.Add($"{instrument.Name} {instrument.Unit}");
        });
        listener.Start();
        await api.SignUpAsync("leo");
        await api.PostAsync("/tokens", new { refresh_token = "x" });
        Assert.Equal(
            [
                "whatsaspire.users.password.duration s",
                "whatsaspire.users.password.duration s",
                "whatsaspire.users.sign_ins 1 grant=password outcome=ok",
                "whatsaspire.users.sign_ins 1 grant=refresh_token outcome=unauthenticated",
            ],
            counted);
    }

    [Fact]
    public async Task A_flood_of_sign_ins_is_turned_away_instead_of_piling_up()
    {
        await using var api = await TestApi.StartAsync(new()
        {
            ["Users:PasswordIterations"] = "100000",
            ["Users:PasswordConcurrency"] = "1",
            ["Users:PasswordQueue"] = "2",
        });
        var answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(
            i => api.PostAsync("/tokens", new { username = $"user{i}", password = "whatever", device = Phone })));
        var turnedAway = answers.Where(a => a.Status == HttpStatusCode.ServiceUnavailable).ToArray();
        Assert.NotEmpty(turnedAway);
        Assert.All(turnedAway, a => a.IsProblem(HttpStatusCode.ServiceUnavailable, "unavailable", "too many sign-ins at once"));
        Assert.InRange(answers.Count(a => a.Status == HttpStatusCode.Unauthorized), 3, 19);
    }
}
