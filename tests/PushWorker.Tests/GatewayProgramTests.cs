using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using WhatsAspire.Contracts;
using WhatsAspire.PushGateways;
using WhatsAspire.ServiceDefaults;
using Xunit;

namespace WhatsAspire.PushWorker.Tests;

/// <summary>The gateways as a program, and senders that know nothing but the settings it wrote.</summary>
[Trait("Requirement", "R30")]
public sealed class GatewayProgramTests : IAsyncLifetime
{
    private readonly TestFolder _folder = new();
    private WebApplication _app = null!;
    private HttpClient _http = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        var builder = WebApplication.CreateBuilder(new WebApplicationOptions { ContentRootPath = _folder.Path });
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?> { ["Gateways:Path"] = _folder.File("gateways") });
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.AddServiceDefaults();
        builder.AddPushGateways();
        _app = builder.Build();
        _app.MapPushGateways();
        _app.MapDefaultEndpoints();
        await _app.StartAsync(Cancellation);
        var address = _app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();
        _http = new(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = new(address) };
    }

    public async ValueTask DisposeAsync()
    {
        _http?.Dispose();
        if (_app is not null)
        {
            await _app.StopAsync(CancellationToken.None);
            await _app.DisposeAsync();
        }
        _folder.Dispose();
    }

    [Fact]
    public async Task What_is_sent_to_new_devices_is_seen_on_the_page()
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Configuration[PushSenders.SettingsPath] = Path.Combine(_folder.File("gateways"), GatewayFiles.Settings);
        builder.AddPushSenders();
        using var host = builder.Build();
        foreach (var sender in host.Services.GetServices<IPushSender>())
        {
            using var answer = await _http.PostAsJsonAsync("devices", new { provider = sender.Provider }, Cancellation);
            var device = (await answer.EnsureSuccessStatusCode().Content.ReadFromJsonAsync<JsonObject>(Cancellation))!;
            var to = new PushAddress(DeviceId.New(), sender.Provider, device["token"]!.GetValue<string>())
            {
                P256dh = device["p256dh"]?.GetValue<string>(),
                Auth = device["auth"]?.GetValue<string>(),
            };
            GatewayTest.Is<PushResult.Accepted>(await sender.SendAsync(
                to,
                new()
                {
                    Conversation = new(Guid.NewGuid()),
                    Seq = 1,
                    Title = sender.Provider,
                    Body = "<b>",
                    Badge = 1,
                    ExpiresAt = TimeProvider.System.GetUtcNow().AddHours(1),
                },
                Cancellation));
        }

        var shown = (await _http.GetFromJsonAsync<JsonArray>("received", Cancellation))!;
        Assert.Equal(["webpush", "fcm", "apns"], shown.Select(push => push!["title"]!.GetValue<string>()));
        Assert.Single((await _http.GetFromJsonAsync<JsonArray>("received?after=2", Cancellation))!);
    }

    [Fact]
    public async Task The_page_needs_nothing_from_elsewhere()
    {
        using var answer = await _http.GetAsync("", Cancellation);
        Assert.Contains("default-src 'none'", answer.Headers.GetValues("Content-Security-Policy").Single(), StringComparison.Ordinal);
        var page = await answer.Content.ReadAsStringAsync(Cancellation);
        Assert.Contains("width=device-width", page, StringComparison.Ordinal);
        Assert.DoesNotContain("http://", page, StringComparison.Ordinal);
        Assert.DoesNotContain("https://", page, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_device_of_no_provider_is_refused()
    {
        using var answer = await _http.PostAsJsonAsync("devices", new { provider = "pigeon" }, Cancellation);
        Assert.Equal(400, (int)answer.StatusCode);
    }

    [Theory]
    [InlineData("health/live")]
    [InlineData("health/ready")]
    public async Task It_says_that_it_is_healthy(string path)
    {
        using var answer = await _http.GetAsync(path, Cancellation);
        Assert.Equal(200, (int)answer.StatusCode);
    }

    [Fact]
    public void The_files_are_for_the_user_alone()
    {
        string[] names = ["apns.p8", "fcm.json", "push.json", "root.pem", "vapid.json"];
        Assert.Equal(names, Directory.GetFiles(_folder.File("gateways")).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        if (OperatingSystem.IsWindows()) return;
        foreach (var name in names)
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(_folder.File("gateways"), name)));
    }
}
