using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using WhatsAspire.MessageApi.Storage;
using Xunit;

namespace WhatsAspire.Users.Tests;

public sealed class AccountTests
{
    [Fact]
    [Trait("Requirement", "R45")]
    public async Task An_account_is_made_with_the_members_of_the_wire()
    {
        await using var api = await TestApi.StartAsync();

        var answer = await api.PostAsync("/accounts", new { username = "Ann_1", password = "correct horse", display_name = "Ann 👋" });

        Assert.Equal(HttpStatusCode.Created, answer.Status);
        Assert.Equal(["user_id", "username", "display_name"], answer.Json.EnumerateObject().Select(p => p.Name));
        Assert.Equal("Ann_1", answer.Json.GetProperty("username").GetString());
        Assert.Equal("Ann 👋", answer.Json.GetProperty("display_name").GetString());
        var id = answer.Json.GetProperty("user_id").GetString()!;
        Assert.Equal(id, Guid.ParseExact(id, "D").ToString("D"));
        Assert.Equal($"/users/{id}", answer.Headers.Location?.ToString());
    }

    [Fact]
    public async Task The_display_name_is_the_user_name_unless_given()
    {
        await using var api = await TestApi.StartAsync();
        var answer = await api.PostAsync("/accounts", new { username = "bob", password = "correct horse" });
        Assert.Equal("bob", answer.Json.GetProperty("display_name").GetString());
    }

    [Fact]
    public async Task A_user_name_is_taken_in_whatever_case()
    {
        await using var api = await TestApi.StartAsync();
        await api.PostAsync("/accounts", new { username = "carol", password = "correct horse" });
        var answer = await api.PostAsync("/accounts", new { username = "CAROL", password = "another horse" });
        answer.IsProblem(HttpStatusCode.Conflict, "conflict", "'CAROL' is taken");
    }

    [Fact]
    public async Task Of_many_who_ask_for_one_name_at_once_one_gets_it()
    {
        await using var api = await TestApi.StartAsync();
        var answers = await Task.WhenAll(Enumerable.Range(0, 12).Select(
            i => api.PostAsync("/accounts", new { username = "dave", password = $"correct horse {i}" })));
        Assert.Single(answers, a => a.Status == HttpStatusCode.Created);
        Assert.All(answers.Where(a => a.Status != HttpStatusCode.Created), a => a.IsProblem(HttpStatusCode.Conflict, "conflict", "taken"));
    }

    public static TheoryData<string, string, string> BadBodies => new()
    {
        { """{"password":"correct horse"}""", "invalid_argument", "username is missing" },
        { """{"username":null,"password":"correct horse"}""", "invalid_argument", "username is missing" },
        { """{"username":"ab","password":"correct horse"}""", "invalid_argument", "username must be 3 to 32" },
        { $$"""{"username":"{{new string('a', 33)}}","password":"correct horse"}""", "invalid_argument", "username must be 3 to 32" },
        { """{"username":"böb","password":"correct horse"}""", "invalid_argument", "username must be 3 to 32" },
        { """{"username":"bob b","password":"correct horse"}""", "invalid_argument", "username must be 3 to 32" },
        { """{"username":"bob"}""", "invalid_argument", "password is missing" },
        { """{"username":"bob","password":"1234567"}""", "invalid_argument", "password must have 8 to 128" },
        { $$"""{"username":"bob","password":"{{new string('x', 129)}}"}""", "invalid_argument", "password must have 8 to 128" },
        { """{"username":"bob","password":"correct horse","display_name":""}""", "invalid_argument", "display_name must have 1 to 64" },
        { """{"username":"bob","password":"correct horse","display_name":"  "}""", "invalid_argument", "display_name must have a visible" },
        { """{"username":"bob","password":"correct horse","display_name":"a\u0007b"}""", "invalid_argument", "display_name must have a visible" },
        { $$"""{"username":"bob","password":"correct horse","display_name":"{{new string('x', 65)}}"}""", "invalid_argument", "display_name must have 1 to 64" },
        { """{"username":"bob","password":"correct horse","display_name":"a\ud83d"}""", "invalid_argument", "display_name holds half of a surrogate pair" },
        { """{"username":"bob","password":"correct \udc00 horse"}""", "invalid_argument", "password holds half of a surrogate pair" },
        { """{"username":7,"password":"correct horse"}""", "bad_frame", "username is of the wrong type" },
        { """{"username":["bob"],"password":"correct horse"}""", "bad_frame", "username is of the wrong type" },
        { """{"username":"bob","password":"correct horse",}""", "bad_frame", "not a JSON object that can be read" },
        { """{"username":"bob","password":"correct""", "bad_frame", "password" },
        { "[]", "bad_frame", "not a JSON object" },
        { "null", "bad_frame", "JSON object" },
        { "\"bob\"", "bad_frame", "not a JSON object" },
        { "", "bad_frame", "JSON object" },
    };

    [Theory]
    [MemberData(nameof(BadBodies))]
    public async Task A_bad_body_is_refused_with_what_is_wrong(string body, string code, string message)
    {
        await using var api = await TestApi.StartAsync();
        (await api.PostAsync("/accounts", body)).IsProblem(HttpStatusCode.BadRequest, code, message);
    }

    [Fact]
    public async Task Unknown_members_are_ignored_and_limits_count_characters_not_units()
    {
        await using var api = await TestApi.StartAsync();
        var display = string.Concat(Enumerable.Repeat("😀", 64));
        var answer = await api.PostAsync("/accounts", new { username = "eve", password = "пароль-8", display_name = display, favourite = 7 });
        Assert.Equal(HttpStatusCode.Created, answer.Status);
        Assert.Equal(display, answer.Json.GetProperty("display_name").GetString());
    }

    [Fact]
    public async Task Bytes_that_are_not_UTF_8_are_refused()
    {
        await using var api = await TestApi.StartAsync();
        using var request = new HttpRequestMessage(HttpMethod.Post, "/accounts");
        request.Content = new ByteArrayContent([.. """{"username":"bob","password":"correct"""u8, 0xff, 0xfe, .. "\"}"u8]);
        request.Content.Headers.ContentType = new("application/json");
        (await api.SendAsync(request)).IsProblem(HttpStatusCode.BadRequest, "bad_frame", "password");
    }

    [Fact]
    public async Task Another_content_type_than_JSON_is_refused()
    {
        await using var api = await TestApi.StartAsync();
        using var request = new HttpRequestMessage(HttpMethod.Post, "/accounts") { Content = new StringContent("username=bob") };
        (await api.SendAsync(request)).IsProblem(HttpStatusCode.UnsupportedMediaType, "bad_frame", "application/json");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_body_beyond_64_KiB_is_refused(bool chunked)
    {
        await using var api = await TestApi.StartAsync();
        using var request = new HttpRequestMessage(HttpMethod.Post, "/accounts");
        request.Content = new StringContent(JsonSerializer.Serialize(new { username = new string('a', 64 * 1024) }), null, "application/json");
        request.Headers.TransferEncodingChunked = chunked;
        (await api.SendAsync(request)).IsProblem(HttpStatusCode.RequestEntityTooLarge, "too_large", "larger than 65536 bytes");
    }

    [Fact]
    public async Task Unknown_addresses_and_wrong_methods_are_problems_too()
    {
        await using var api = await TestApi.StartAsync();
        (await api.GetAsync("/nothing/here")).IsProblem(HttpStatusCode.NotFound, "not_found", "no such address");
        var wrong = await api.SendAsync(HttpMethod.Patch, "/accounts", new { });
        wrong.IsProblem(HttpStatusCode.MethodNotAllowed, "invalid_argument", "PATCH is not offered here; POST is");
        Assert.Equal(["POST"], wrong.ContentHeaders.Allow);
    }

    [Theory]
    [InlineData("/pages?limit=many", "limit has a value of the wrong form")]
    [InlineData("/pages", "limit is missing")]
    public async Task A_parameter_that_does_not_fit_is_named(string path, string message)
    {
        await using var api = await TestApi.StartAsync(map: app => app.MapGet("/pages", (int limit) => limit));
        (await api.GetAsync(path)).IsProblem(HttpStatusCode.BadRequest, "invalid_argument", message);
    }

    [Fact]
    public async Task A_fault_of_the_server_tells_nothing_of_itself()
    {
        await using var api = await TestApi.StartAsync(map: app =>
        {
            app.Map("/fails", string () => throw new InvalidOperationException("the secret is 42"));
            app.Map("/waits", string () => throw new TimeoutException("the secret is 42"));
            app.Map("/stores", string () => throw new StoreUnavailableException("the secret is 42"));
        });
        var fails = await api.GetAsync("/fails");
        fails.IsProblem(HttpStatusCode.InternalServerError, "internal", "the server failed");
        Assert.DoesNotContain("42", fails.Text, StringComparison.Ordinal);
        foreach (var path in new[] { "/waits", "/stores" })
        {
            var unavailable = await api.GetAsync(path);
            unavailable.IsProblem(HttpStatusCode.ServiceUnavailable, "unavailable", "does not answer now");
            Assert.Equal(500, unavailable.Json.GetProperty("retry_after_ms").GetInt64());
            Assert.Equal("1", unavailable.Headers.GetValues("Retry-After").Single());
        }
    }
}
