using System.Net;
using System.Text.Json;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using WhatsAspire.Contracts;
using Xunit;

namespace WhatsAspire.Users.Tests;

public sealed class UserTests
{
    public static TheoryData<string, string> Protected => new()
    {
        { "GET", "/users?username=ann" },
        { "GET", "/users/6f1c2f0a-5b0e-4c55-9d6e-0d6c1b8f7a21" },
        { "GET", "/blocks" },
        { "PUT", "/blocks/6f1c2f0a-5b0e-4c55-9d6e-0d6c1b8f7a21" },
        { "DELETE", "/blocks/6f1c2f0a-5b0e-4c55-9d6e-0d6c1b8f7a21" },
        { "GET", "/devices" },
        { "DELETE", "/devices/6f1c2f0a-5b0e-4c55-9d6e-0d6c1b8f7a21" },
    };

    [Theory]
    [MemberData(nameof(Protected))]
    [Trait("Requirement", "R45")]
    public async Task Without_a_good_token_nothing_is_told(string method, string path)
    {
        await using var api = await TestApi.StartAsync();
        var verb = new HttpMethod(method);
        var none = await api.SendAsync(verb, path);
        none.IsProblem(HttpStatusCode.Unauthorized, "unauthenticated", "an access token is needed");
        Assert.Equal("Bearer", none.Headers.WwwAuthenticate.ToString());

        var bad = await api.SendAsync(verb, path, token: "nonsense");
        bad.IsProblem(HttpStatusCode.Unauthorized, "unauthenticated", "not a JSON Web Token");
        Assert.StartsWith("Bearer error=\"invalid_token\"", bad.Headers.WwwAuthenticate.ToString(), StringComparison.Ordinal);

        var tokens = await api.SignUpAsync("ann");
        api.Time.Advance(TimeSpan.FromMinutes(15));
        (await api.SendAsync(verb, path, token: tokens.AccessToken)).IsProblem(HttpStatusCode.Unauthorized, "token_expired", "has expired");
    }

    [Fact]
    public async Task Another_scheme_than_Bearer_is_refused()
    {
        await using var api = await TestApi.StartAsync();
        using var request = new HttpRequestMessage(HttpMethod.Get, "/devices");
        request.Headers.Authorization = new("Basic", "YW5uOnNlY3JldA==");
        (await api.SendAsync(request)).IsProblem(HttpStatusCode.Unauthorized, "unauthenticated", "'Bearer'");
    }

    [Fact]
    [Trait("Requirement", "R18")]
    public async Task A_user_is_found_by_name_and_by_id()
    {
        await using var api = await TestApi.StartAsync();
        var ann = await api.SignUpAsync("Ann");
        var bob = await api.SignUpAsync("bob");

        var byName = await api.GetAsync("/users?username=aNN", bob.AccessToken);
        Assert.Equal(HttpStatusCode.OK, byName.Status);
        Assert.Equal($$"""{"user_id":"{{ann.UserId}}","username":"Ann","display_name":"Ann"}""", byName.Text);
        Assert.Equal(byName.Text, (await api.GetAsync($"/users/{ann.UserId}", bob.AccessToken)).Text);
        Assert.Equal(byName.Text, (await api.GetAsync($"/users/{ann.UserId.ToUpperInvariant()}", bob.AccessToken)).Text);
    }

    [Fact]
    public async Task Looking_up_nobody_or_nonsense_is_refused()
    {
        await using var api = await TestApi.StartAsync();
        var ann = await api.SignUpAsync("ann");
        (await api.GetAsync("/users?username=nobody", ann.AccessToken)).IsProblem(HttpStatusCode.NotFound, "not_found", "no such user");
        (await api.GetAsync($"/users/{Guid.NewGuid()}", ann.AccessToken)).IsProblem(HttpStatusCode.NotFound, "not_found", "no such user");
        (await api.GetAsync("/users/ann", ann.AccessToken)).IsProblem(HttpStatusCode.BadRequest, "invalid_argument", "user_id must be a UUID");
        (await api.GetAsync("/users", ann.AccessToken)).IsProblem(HttpStatusCode.BadRequest, "invalid_argument", "username is missing");
        (await api.GetAsync("/users?username=a%20b", ann.AccessToken)).IsProblem(HttpStatusCode.BadRequest, "invalid_argument", "username must be 3 to 32");
        (await api.GetAsync("/users?username=%ED%A0%80abc", ann.AccessToken)).IsProblem(HttpStatusCode.BadRequest, "invalid_argument", "username must be 3 to 32");
    }

    [Fact]
    [Trait("Requirement", "R18")]
    public async Task Blocks_are_set_listed_and_ended()
    {
        await using var api = await TestApi.StartAsync();
        var (ann, bob, carol) = (await api.SignUpAsync("ann"), await api.SignUpAsync("bob"), await api.SignUpAsync("carol"));

        Assert.Equal("""{"user_ids":[]}""", (await api.GetAsync("/blocks", ann.AccessToken)).Text);
        for (var i = 0; i < 2; i++)
        {
            var answer = await api.PutAsync($"/blocks/{carol.UserId}", ann.AccessToken);
            Assert.Equal((HttpStatusCode.NoContent, ""), (answer.Status, answer.Text));
        }
        api.Time.Advance(TimeSpan.FromSeconds(1));
        await api.PutAsync($"/blocks/{bob.UserId}", ann.AccessToken);
        Assert.Equal($$"""{"user_ids":["{{carol.UserId}}","{{bob.UserId}}"]}""", (await api.GetAsync("/blocks", ann.AccessToken)).Text);
        Assert.Equal("""{"user_ids":[]}""", (await api.GetAsync("/blocks", bob.AccessToken)).Text);

        for (var i = 0; i < 2; i++)
            Assert.Equal(HttpStatusCode.NoContent, (await api.DeleteAsync($"/blocks/{carol.UserId}", ann.AccessToken)).Status);
        Assert.Equal($$"""{"user_ids":["{{bob.UserId}}"]}""", (await api.GetAsync("/blocks", ann.AccessToken)).Text);
    }

    [Fact]
    public async Task A_block_of_oneself_of_nobody_or_of_nonsense_is_refused()
    {
        await using var api = await TestApi.StartAsync();
        var ann = await api.SignUpAsync("ann");
        (await api.PutAsync($"/blocks/{ann.UserId}", ann.AccessToken)).IsProblem(HttpStatusCode.BadRequest, "invalid_argument", "oneself");
        (await api.PutAsync($"/blocks/{Guid.NewGuid()}", ann.AccessToken)).IsProblem(HttpStatusCode.NotFound, "not_found", "no such user");
        (await api.PutAsync("/blocks/7", ann.AccessToken)).IsProblem(HttpStatusCode.BadRequest, "invalid_argument", "user_id must be a UUID");
        (await api.DeleteAsync("/blocks/7", ann.AccessToken)).IsProblem(HttpStatusCode.BadRequest, "invalid_argument", "user_id must be a UUID");
    }

    [Fact]
    [Trait("Requirement", "R17")]
    public async Task Devices_are_listed_oldest_first_with_the_one_that_asks_marked()
    {
        await using var api = await TestApi.StartAsync();
        var phone = await api.SignUpAsync("ann");
        api.Time.Advance(TimeSpan.FromMilliseconds(1234));
        var tablet = await api.SignInAsync("ann");
        await api.SignUpAsync("bob");

        var answer = await api.GetAsync("/devices", tablet.AccessToken);
        Assert.Equal(
            $$"""{"devices":[{"device_id":"{{phone.DeviceId}}","name":"phone","platform":"ios","created_at":"2026-03-01T12:00:00.000Z","last_token_at":"2026-03-01T12:00:00.000Z","current":false},"""
            + $$"""{"device_id":"{{tablet.DeviceId}}","name":"phone","platform":"ios","created_at":"2026-03-01T12:00:01.234Z","last_token_at":"2026-03-01T12:00:01.234Z","current":true}]}""",
            answer.Text);
    }

    [Fact]
    [Trait("Requirement", "R17")]
    public async Task A_device_that_is_logged_out_loses_its_tokens_at_once_and_its_sockets()
    {
        await using var api = await TestApi.StartAsync();
        var phone = await api.SignUpAsync("ann");
        var tablet = await api.SignInAsync("ann");
        Assert.Equal(HttpStatusCode.OK, (await api.GetAsync("/devices", tablet.AccessToken)).Status);

        Assert.Equal(HttpStatusCode.NoContent, (await api.DeleteAsync($"/devices/{tablet.DeviceId}", phone.AccessToken)).Status);
        Assert.Equal([(new UserId(Guid.Parse(phone.UserId)), new DeviceId(Guid.Parse(tablet.DeviceId)))], api.Revocations.Announced);
        (await api.GetAsync("/devices", tablet.AccessToken)).IsProblem(HttpStatusCode.Unauthorized, "unauthenticated", "the device was logged out");
        (await api.PostAsync("/tokens", new { refresh_token = tablet.RefreshToken })).IsProblem(HttpStatusCode.Unauthorized, "unauthenticated", "not known");
        Assert.Single((await api.GetAsync("/devices", phone.AccessToken)).Json.GetProperty("devices").EnumerateArray());
    }

    [Fact]
    public async Task Another_replica_refuses_a_logged_out_device_after_a_second()
    {
        using var folder = new TestFolder();
        await using var a = await TestApi.StartAsync(folder: folder);
        await using var b = await TestApi.StartAsync(folder: folder, time: a.Time);
        var ann = await a.SignUpAsync("ann");
        Assert.Equal(HttpStatusCode.OK, (await b.GetAsync("/devices", ann.AccessToken)).Status);
        Assert.Equal(HttpStatusCode.NoContent, (await a.DeleteAsync($"/devices/{ann.DeviceId}", ann.AccessToken)).Status);
        a.Time.Advance(TimeSpan.FromSeconds(1));
        (await b.GetAsync("/devices", ann.AccessToken)).IsProblem(HttpStatusCode.Unauthorized, "unauthenticated", "the device was logged out");
    }

    [Fact]
    public async Task Another_users_device_an_unknown_one_and_nonsense_are_refused()
    {
        await using var api = await TestApi.StartAsync();
        var (ann, bob) = (await api.SignUpAsync("ann"), await api.SignUpAsync("bob"));
        (await api.DeleteAsync($"/devices/{bob.DeviceId}", ann.AccessToken)).IsProblem(HttpStatusCode.NotFound, "not_found", "no such device");
        (await api.DeleteAsync($"/devices/{Guid.NewGuid()}", ann.AccessToken)).IsProblem(HttpStatusCode.NotFound, "not_found", "no such device");
        (await api.DeleteAsync("/devices/phone", ann.AccessToken)).IsProblem(HttpStatusCode.BadRequest, "invalid_argument", "device_id must be a UUID");
        Assert.Equal(HttpStatusCode.OK, (await api.GetAsync("/devices", bob.AccessToken)).Status);
    }

    [Fact]
    public async Task A_log_out_that_could_not_be_announced_is_announced_when_it_is_repeated()
    {
        await using var api = await TestApi.StartAsync();
        var phone = await api.SignUpAsync("ann");
        var tablet = await api.SignInAsync("ann");
        api.Revocations.Fails = true;
        (await api.DeleteAsync($"/devices/{tablet.DeviceId}", phone.AccessToken))
            .IsProblem(HttpStatusCode.ServiceUnavailable, "unavailable", "does not answer now");
        api.Revocations.Fails = false;
        (await api.DeleteAsync($"/devices/{tablet.DeviceId}", phone.AccessToken)).IsProblem(HttpStatusCode.NotFound, "not_found", "no such device");
        Assert.Equal(tablet.DeviceId, Assert.Single(api.Revocations.Announced).Device.ToString());
    }

    [Fact]
    [Trait("Requirement", "R52")]
    public async Task The_directory_has_a_health_check_that_fails_when_it_is_gone()
    {
        using var folder = new TestFolder();
        await using var api = await TestApi.StartAsync(folder: folder);
        var health = api.Services.GetRequiredService<HealthCheckService>();
        var entry = (await health.CheckHealthAsync(TestContext.Current.CancellationToken)).Entries["directory"];
        Assert.Equal(HealthStatus.Healthy, entry.Status);
        Assert.Equal(["ready"], entry.Tags);

        SqliteConnection.ClearAllPools();
        foreach (var file in System.IO.Directory.GetFiles(folder.Path)) File.Delete(file);
        var gone = (await health.CheckHealthAsync(TestContext.Current.CancellationToken)).Entries["directory"];
        Assert.Equal(HealthStatus.Unhealthy, gone.Status);
        Assert.StartsWith("the directory does not answer", gone.Description, StringComparison.Ordinal);
        (await api.PostAsync("/accounts", new { username = "ann", password = "correct horse" }))
            .IsProblem(HttpStatusCode.ServiceUnavailable, "unavailable", "does not answer now");
    }

    [Fact]
    [Trait("Requirement", "R62")]
    public async Task The_OpenAPI_document_names_every_endpoint_in_the_words_of_the_wire()
    {
        await using var api = await TestApi.StartAsync();
        var document = (await api.GetAsync("/openapi/v1.json")).Json;
        var operations = document.GetProperty("paths").EnumerateObject()
            .SelectMany(path => path.Value.EnumerateObject().Select(verb => $"{verb.Name} {path.Name}")).Order(StringComparer.Ordinal);
        Assert.Equal(
            [
                "delete /blocks/{user_id}", "delete /devices/{device_id}", "get /.well-known/jwks.json", "get /blocks", "get /devices", "get /users",
                "get /users/{user_id}", "post /accounts", "post /tokens", "put /blocks/{user_id}",
            ],
            operations);
        var schemas = document.GetProperty("components").GetProperty("schemas");
        Assert.Equal(
            ["username", "password", "device", "device_id", "refresh_token"],
            schemas.GetProperty("TokenRequest").GetProperty("properties").EnumerateObject().Select(p => p.Name));
        Assert.Equal(JsonValueKind.Object, document.GetProperty("components").GetProperty("securitySchemes").GetProperty("Bearer").ValueKind);
    }
}
