using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using WhatsAspire.Contracts;
using WhatsAspire.MessageApi.Directory;
using WhatsAspire.MessageApi.Users;
using Xunit;

namespace WhatsAspire.Users.Tests;

/// <summary>The users' part of MessageApi on a real Kestrel at free loopback ports, with a directory of its own and a
/// clock that the test turns.</summary>
internal sealed class TestApi : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly TestFolder? _folder;

    private TestApi(WebApplication app, TestFolder? folder, FakeTimeProvider time, RecordedRevocations revocations)
    {
        (_app, _folder, Time, Revocations) = (app, folder, time, revocations);
        Http = new() { BaseAddress = new(app.Urls.First()) };
        Grpc = GrpcChannel.ForAddress(app.Urls.Last());
    }

    public HttpClient Http { get; }
    public GrpcChannel Grpc { get; }
    public FakeTimeProvider Time { get; }
    public RecordedRevocations Revocations { get; }
    public IServiceProvider Services => _app.Services;

    /// <param name="settings">Configuration over the tests' own, such as <c>Users:RefreshGrace</c>.</param>
    /// <param name="folder">Of another instance that shares its directory; a new one unless given.</param>
    /// <param name="time">The clock; a new one unless given.</param>
    /// <param name="map">Further endpoints.</param>
    /// <param name="add">What these need.</param>
    public static async Task<TestApi> StartAsync(
        Dictionary<string, string?>? settings = null, TestFolder? folder = null, FakeTimeProvider? time = null, Action<WebApplication>? map = null,
        Action<WebApplicationBuilder>? add = null)
    {
        var own = folder is null ? new TestFolder() : null;
        time ??= new(new DateTimeOffset(2026, 3, 1, 12, 0, 0, TimeSpan.Zero));
        var revocations = new RecordedRevocations();
        // Its own content root: the settings file of the service, which is beside the tests, is not for them.
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { ContentRootPath = (folder ?? own)!.Path });
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Storage:Path"] = (folder ?? own)!.Path,
            ["Users:PasswordIterations"] = "1000",
            ["Users:SignInsPerUserPerMinute"] = "0",
        });
        builder.Configuration.AddInMemoryCollection(settings);
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http1);
            kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http2);
        });
        builder.Services.AddSingleton<TimeProvider>(time);
        builder.Services.AddSingleton<IDeviceRevocations>(revocations);
        builder.AddDirectory();
        builder.AddUsers();
        add?.Invoke(builder);
        var app = builder.Build();
        app.MapUsers();
        map?.Invoke(app);
        try
        {
            await app.StartAsync(TestContext.Current.CancellationToken);
        }
        catch
        {
            await app.DisposeAsync();
            own?.Dispose();
            throw;
        }
        return new(app, own, time, revocations);
    }

    /// <summary>Sends a request and reads the whole answer.</summary>
    public async Task<Answer> SendAsync(HttpMethod method, string path, object? body = null, string? token = null)
    {
        using var request = new HttpRequestMessage(method, path);
        if (body is not null)
            request.Content = new StringContent(body as string ?? JsonSerializer.Serialize(body), Encoding.UTF8, "application/json");
        if (token is not null) request.Headers.Authorization = new("Bearer", token);
        return await SendAsync(request);
    }

    public async Task<Answer> SendAsync(HttpRequestMessage request)
    {
        using var response = await Http.SendAsync(request, TestContext.Current.CancellationToken);
        return new(
            response.StatusCode, await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken),
            response.Content.Headers.ContentType?.MediaType, response.Headers, response.Content.Headers);
    }

    public Task<Answer> GetAsync(string path, string? token = null) => SendAsync(HttpMethod.Get, path, null, token);
    public Task<Answer> PostAsync(string path, object? body, string? token = null) => SendAsync(HttpMethod.Post, path, body, token);
    public Task<Answer> PutAsync(string path, string? token = null) => SendAsync(HttpMethod.Put, path, null, token);
    public Task<Answer> DeleteAsync(string path, string? token = null) => SendAsync(HttpMethod.Delete, path, null, token);

    /// <summary>Makes an account with the password 'correct horse' and signs a device in.</summary>
    public async Task<SignedIn> SignUpAsync(string username)
    {
        var made = await PostAsync("/accounts", new { username, password = "correct horse" });
        Assert.Equal(HttpStatusCode.Created, made.Status);
        return await SignInAsync(username);
    }

    public async Task<SignedIn> SignInAsync(string username, string? device_id = null)
    {
        var answer = await PostAsync("/tokens", new { username, password = "correct horse", device = new { name = "phone", platform = "ios" }, device_id });
        Assert.Equal(HttpStatusCode.OK, answer.Status);
        return SignedIn.From(answer);
    }

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        Grpc.Dispose();
        await _app.StopAsync(CancellationToken.None);
        await _app.DisposeAsync();
        _folder?.Dispose();
    }
}

internal sealed record SignedIn(string UserId, string DeviceId, string AccessToken, string RefreshToken, int ExpiresIn)
{
    public static SignedIn From(Answer answer) => new(
        answer.Json.GetProperty("user_id").GetString()!, answer.Json.GetProperty("device_id").GetString()!,
        answer.Json.GetProperty("access_token").GetString()!, answer.Json.GetProperty("refresh_token").GetString()!,
        answer.Json.GetProperty("expires_in").GetInt32());
}

internal sealed record Answer(
    HttpStatusCode Status, string Text, string? MediaType, HttpResponseHeaders Headers, HttpContentHeaders ContentHeaders)
{
    public JsonElement Json => JsonDocument.Parse(Text).RootElement;

    /// <summary>Asserts problem details with all their members, and nothing else.</summary>
    public void IsProblem(HttpStatusCode status, string code, string messagePart)
    {
        Assert.True(status == Status && MediaType == "application/problem+json", $"expected {status} {code}, got {Status} {MediaType}: {Text}");
        var retryable = code is "rate_limited" or "unavailable" or "internal";
        var names = Json.EnumerateObject().Select(p => p.Name).ToHashSet();
        string[] expected = ["type", "title", "status", "detail", "code", "message", "retryable"];
        if (names.Contains("retry_after_ms")) expected = [.. expected, "retry_after_ms"];
        Assert.Equal(expected.Order(), names.Order());
        Assert.Equal("about:blank", Json.GetProperty("type").GetString());
        Assert.NotEmpty(Json.GetProperty("title").GetString()!);
        Assert.Equal((int)status, Json.GetProperty("status").GetInt32());
        Assert.Equal(code, Json.GetProperty("code").GetString());
        Assert.Equal(retryable, Json.GetProperty("retryable").GetBoolean());
        Assert.Contains(messagePart, Json.GetProperty("message").GetString(), StringComparison.Ordinal);
        Assert.Equal(Json.GetProperty("message").GetString(), Json.GetProperty("detail").GetString());
    }
}

/// <summary>Notes what was announced; fails when told to.</summary>
internal sealed class RecordedRevocations : IDeviceRevocations
{
    private readonly List<(UserId User, DeviceId Device)> _announced = [];
    public bool Fails { get; set; }
    public IReadOnlyList<(UserId User, DeviceId Device)> Announced => _announced;

    public ValueTask AnnounceAsync(UserId user, DeviceId device, CancellationToken cancellationToken)
    {
        if (Fails) throw new TimeoutException("the edges can't be told");
        _announced.Add((user, device));
        return ValueTask.CompletedTask;
    }
}
