using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace WhatsAspire.AppHost.Tests.Wire;

/// <summary>An answer over REST.</summary>
/// <param name="Status">The status.</param>
/// <param name="Body">Null where there was none.</param>
/// <param name="MediaType">Of the body.</param>
internal sealed record Answer(HttpStatusCode Status, JsonObject? Body, string? MediaType)
{
    /// <summary>The body, where the request went well.</summary>
    public JsonObject Good
    {
        get
        {
            Assert.True((int)Status is >= 200 and < 300, $"{(int)Status} {Body?.ToJsonString()}");
            return Body ?? [];
        }
    }

    /// <summary>Checks that it is a refusal in the one form that errors have.</summary>
    public JsonObject IsProblem(HttpStatusCode status, string code)
    {
        Assert.True(Status == status, $"{(int)Status} {Body?.ToJsonString()}");
        Assert.Equal("application/problem+json", MediaType);
        var body = Assert.IsType<JsonObject>(Body);
        Assert.Equal(code, (string?)body["code"]);
        Assert.Equal((int)status, (int?)body["status"]);
        Assert.NotEmpty((string?)body["message"] ?? "");
        Assert.NotEmpty((string?)body["type"] ?? "");
        Assert.NotEmpty((string?)body["title"] ?? "");
        Assert.NotEmpty((string?)body["detail"] ?? "");
        Assert.Equal(code is "rate_limited" or "unavailable" or "internal", (bool?)body["retryable"]);
        return body;
    }
}

/// <summary>A user on one device, made over REST on the public address.</summary>
internal sealed class WireUser
{
    private const string Password = "correct horse battery staple";

    private readonly WireSystem _system;

    private WireUser(WireSystem system, string username, JsonObject tokens)
    {
        _system = system;
        Username = username;
        Id = (string)tokens["user_id"]!;
        DeviceId = (string)tokens["device_id"]!;
        Token = (string)tokens["access_token"]!;
    }

    /// <summary>The user id.</summary>
    public string Id { get; }

    /// <summary>The device id.</summary>
    public string DeviceId { get; }

    /// <summary>The access token.</summary>
    public string Token { get; }

    /// <summary>The name.</summary>
    public string Username { get; }

    /// <summary>Makes an account, and signs a first device in.</summary>
    public static async Task<WireUser> CreateAsync(WireSystem system, CancellationToken cancellationToken)
    {
        var username = $"u{Guid.NewGuid():N}"[..24];
        var made = await SendAsync(system, HttpMethod.Post, "/accounts", new { username, password = Password }, null, cancellationToken);
        Assert.Equal(HttpStatusCode.Created, made.Status);
        return await SignInAsync(system, username, cancellationToken);
    }

    /// <summary>The same user on another device.</summary>
    public Task<WireUser> OtherDeviceAsync(CancellationToken cancellationToken) => SignInAsync(_system, Username, cancellationToken);

    /// <summary>Asks over REST on the public address.</summary>
    public Task<Answer> GetAsync(string path, CancellationToken cancellationToken) =>
        SendAsync<object>(_system, HttpMethod.Get, path, null, Token, cancellationToken);

    /// <summary>Posts over REST on the public address.</summary>
    public Task<Answer> PostAsync<T>(string path, T body, CancellationToken cancellationToken) where T : class =>
        SendAsync(_system, HttpMethod.Post, path, body, Token, cancellationToken);

    /// <summary>Puts over REST on the public address.</summary>
    public Task<Answer> PutAsync(string path, CancellationToken cancellationToken) =>
        SendAsync<object>(_system, HttpMethod.Put, path, null, Token, cancellationToken);

    /// <summary>Deletes over REST on the public address.</summary>
    public Task<Answer> DeleteAsync(string path, CancellationToken cancellationToken) =>
        SendAsync<object>(_system, HttpMethod.Delete, path, null, Token, cancellationToken);

    /// <summary>Sends a text to a user over REST.</summary>
    public async Task<JsonObject> PostMessageAsync(WireUser to, string text, CancellationToken cancellationToken, string? id = null) =>
        (await PostAsync("/messages", new { client_message_id = id ?? Guid.NewGuid().ToString(), to = new { user_id = to.Id }, text }, cancellationToken)).Good;

    /// <summary>Posts messages until one is answered with this status: a change of a block is seen within about a second.</summary>
    public async Task<Answer> PostUntilAsync(WireUser to, HttpStatusCode status, CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
        var started = TimeProvider.System.GetTimestamp();
        while (true)
        {
            var answer = await PostAsync(
                "/messages", new { client_message_id = Guid.NewGuid().ToString(), to = new { user_id = to.Id }, text = "may I?" }, cancellationToken);
            if (answer.Status == status) return answer;
            Assert.True(
                TimeProvider.System.GetElapsedTime(started) < TimeSpan.FromSeconds(3), $"The change was not seen within 3 s: {(int)answer.Status}");
            await timer.WaitForNextTickAsync(cancellationToken);
        }
    }

    /// <summary>The user's summary of a conversation, from the list.</summary>
    public async Task<JsonObject> SummaryAsync(string conversation, CancellationToken cancellationToken)
    {
        var list = (await GetAsync("/conversations?limit=100", cancellationToken)).Good["conversations"]!.AsArray();
        return list.Single(summary => (string?)summary!["conversation_id"] == conversation)!.AsObject();
    }

    /// <summary>Any request with or without a token, over the public address or a full one.</summary>
    public static async Task<Answer> SendAsync<T>(
        WireSystem system, HttpMethod method, string path, T? body, string? token, CancellationToken cancellationToken) where T : class
    {
        using var request = new HttpRequestMessage(method, new Uri(system.PublicAddress, path));
        if (token is not null) request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        if (body is not null)
            request.Content = new StringContent(
                body as string ?? JsonSerializer.Serialize(body, WireSocket.Json), Encoding.UTF8, "application/json");
        using var response = await system.Http.SendAsync(request, cancellationToken);
        var text = await response.Content.ReadAsStringAsync(cancellationToken);
        return new(
            response.StatusCode, text.Length == 0 ? null : JsonNode.Parse(text)!.AsObject(), response.Content.Headers.ContentType?.MediaType);
    }

    private static Task<WireUser> SignInAsync(WireSystem system, string username, CancellationToken cancellationToken) =>
        SignInAsync(system, username, Password, cancellationToken);

    /// <summary>Signs a new device in.</summary>
    public static async Task<WireUser> SignInAsync(WireSystem system, string username, string password, CancellationToken cancellationToken)
    {
        var answer = await SendAsync(
            system, HttpMethod.Post, "/tokens",
            new { username, password, device = new { name = "test", platform = "linux" } }, null, cancellationToken);
        return new(system, username, answer.Good);
    }
}
