using System.Security.Cryptography;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Time.Testing;
using WhatsAspire.Contracts;
using WhatsAspire.PushGateways;
using Xunit;

namespace WhatsAspire.PushWorker.Tests;

/// <summary>Senders as the worker has them, and gateways that they send to, with a clock that the test sets.</summary>
public abstract class GatewayTest : IAsyncLifetime
{
    /// <summary>How long a test waits for what must come.</summary>
    protected static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>One for all tests.</summary>
    private static readonly Lazy<string> AccountKey = new(() =>
    {
        using var key = RSA.Create(2048);
        return key.ExportPkcs8PrivateKeyPem();
    });

    private readonly TestFolder _folder = new();
    private readonly Dictionary<string, string?> _settings = [];
    private IHost? _host;

    internal FakeTimeProvider Time { get; } = new(new DateTimeOffset(2026, 3, 1, 12, 0, 0, TimeSpan.Zero));
    protected PushGatewayServer Gateway { get; private set; } = null!;
    protected static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>As the gateways' settings file has them, but for what <see cref="Set"/> said.</summary>
    private IHost Host => _host ??= BuildHost();

    public async ValueTask InitializeAsync()
    {
        Gateway = await PushGatewayServer.StartAsync(new() { Time = Time, AccountKeyPem = AccountKey.Value }, Cancellation);
        await GatewayFiles.WriteAsync(Gateway, _folder.Path, Cancellation);
    }

    public async ValueTask DisposeAsync()
    {
        _host?.Dispose();
        if (Gateway is not null) await Gateway.DisposeAsync();
        _folder.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>Changes a setting; before the first use of a sender.</summary>
    protected void Set(string name, string? value)
    {
        Assert.Null(_host);
        _settings[name] = value;
    }

    protected string File(string name) => _folder.File(name);

    internal IPushSender Sender(string provider) => Host.Services.GetServices<IPushSender>().Single(sender => sender.Provider == provider);

    internal IServiceProvider Services => Host.Services;

    internal Task<PushResult> SendAsync(PushAddress to, PushNotification notification) =>
        Sender(to.Provider).SendAsync(to, notification, Cancellation);

    /// <summary>A device that the provider's gateway knows.</summary>
    internal PushAddress NewAddress(string provider) => provider switch
    {
        PushProviders.Apns => new(DeviceId.New(), provider, Gateway.NewApnsToken()),
        PushProviders.Fcm => new(DeviceId.New(), provider, Gateway.NewFcmToken()),
        _ => NewBrowser(),
    };

    internal PushNotification NewNotification() => new()
    {
        Conversation = new(Guid.NewGuid()),
        Message = new(Guid.NewGuid()),
        Seq = 42,
        Title = "Ada",
        Body = "Grüße – “quoted” & <b>bold</b> 👋",
        Badge = 7,
        ExpiresAt = Time.GetUtcNow().AddDays(2),
    };

    internal PushNotification NewSilent() => new()
    {
        Conversation = new(Guid.NewGuid()),
        Seq = 43,
        IsSilent = true,
        Badge = 3,
        ExpiresAt = Time.GetUtcNow().AddHours(1),
    };

    internal static T Is<T>(PushResult result)
        where T : PushResult
    {
        Assert.True(result is T, $"{result} is not {typeof(T).Name}");
        return (T)result;
    }

    private PushAddress NewBrowser()
    {
        var subscription = Gateway.NewWebPushSubscription();
        return new(DeviceId.New(), PushProviders.WebPush, subscription.Endpoint.AbsoluteUri) { P256dh = subscription.P256dh, Auth = subscription.Auth };
    }

    private IHost BuildHost()
    {
        var builder = Microsoft.Extensions.Hosting.Host.CreateEmptyApplicationBuilder(null);
        builder.Configuration[PushSenders.SettingsPath] = File(GatewayFiles.Settings);
        builder.Services.AddSingleton<TimeProvider>(Time);
        builder.AddPushSenders();
        builder.Configuration.AddInMemoryCollection(_settings);
        return builder.Build();
    }
}

/// <summary>A folder of the test's own that goes with it.</summary>
internal sealed class TestFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("whatsaspire-push-").FullName;
    public string File(string name) => System.IO.Path.Combine(Path, name);
    public void Dispose() => Directory.Delete(Path, recursive: true);
}
