using System.Net;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using WhatsAspire.PushGateways.Apns;
using WhatsAspire.PushGateways.Fcm;
using WhatsAspire.PushGateways.WebPush;

namespace WhatsAspire.PushGateways;

/// <summary>
/// Stands in for APNs, FCM and a browser's push service, on loopback, over HTTP/2 and TLS under a certificate authority of
/// its own. It checks what the real ones check and answers in their forms. For tests and development: nothing it is given
/// leaves the machine. Safe for concurrent use.
/// </summary>
public sealed class PushGatewayServer : IAsyncDisposable
{
    private readonly GatewayCore _core;
    private readonly GatewayCertificates _certificates;
    private readonly ApnsGateway _production;
    private readonly ApnsGateway _sandbox;
    private readonly FcmTokens _fcmTokens;
    private readonly FcmGateway _fcm;
    private readonly WebPushGateway _webPush;
    private readonly List<Listener> _listeners = [];
    private WebApplication? _app;

    private PushGatewayServer(PushGatewayOptions options)
    {
        _core = new(options);
        _certificates = GatewayCertificates.Create();
        Credentials = new(options, () => FcmTokenAddress);
        _production = new(_core, Credentials);
        _sandbox = new(_core, Credentials);
        _fcmTokens = new(_core, Credentials, () => FcmTokenAddress);
        _fcm = new(_core, _fcmTokens);
        _webPush = new(_core, Credentials, () => WebPushAddress);
    }

    public Uri ApnsAddress => Address(_production);
    public Uri ApnsSandboxAddress => Address(_sandbox);
    public Uri FcmAddress => Address(_fcm);
    public Uri WebPushAddress => Address(_webPush);

    /// <summary>What the gateways are to be sent with.</summary>
    public GatewayCredentials Credentials { get; }

    /// <summary>The certificate authority, PEM.</summary>
    public string RootPem => _certificates.RootPem;

    /// <summary>What the gateways are to do other than to take what is in order.</summary>
    public PushScript Script => _core.Script;

    /// <summary>The newest notifications that were taken, oldest first; at most 500.</summary>
    public IReadOnlyList<ReceivedPush> Received => _core.Inbox.Received;

    /// <summary>The newest requests, refused ones included, oldest first; at most 500.</summary>
    public IReadOnlyList<AnsweredRequest> Answered => _core.Inbox.Answered;

    private Uri FcmTokenAddress => new(FcmAddress, FcmTokens.Path);

    internal PushGatewayOptions Options => _core.Options;

    public static async Task<PushGatewayServer> StartAsync(PushGatewayOptions? options = null, CancellationToken cancellationToken = default)
    {
        var server = new PushGatewayServer(options ?? new());
        try
        {
            await server.ListenAsync(cancellationToken);
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>A device that APNs knows.</summary>
    /// <param name="isSandbox">In its development environment.</param>
    /// <param name="topic">The app's bundle id; null: that of the options.</param>
    public string NewApnsToken(bool isSandbox = false, string? topic = null) => (isSandbox ? _sandbox : _production).NewToken(topic);

    /// <summary>A device that FCM knows.</summary>
    public string NewFcmToken() => _fcm.NewToken();

    /// <summary>A browser that is subscribed.</summary>
    public WebPushSubscription NewWebPushSubscription() => _webPush.NewSubscription();

    /// <summary>The app is taken off a device, or a browser's subscription given up: what is sent there is refused from now
    /// on.</summary>
    public void Unregister(string token)
    {
        if (!_production.Unregister(token) && !_sandbox.Unregister(token) && !_fcm.Unregister(token) && !_webPush.Unsubscribe(token))
            throw new ArgumentException("no gateway knows the token", nameof(token));
    }

    /// <summary>Takes back all access tokens that FCM's endpoint gave.</summary>
    public void RevokeAccessTokens() => _fcmTokens.Revoke();

    /// <summary>The first notification that fits, among those that arrived or as soon as one does.</summary>
    /// <exception cref="TimeoutException">None did in time.</exception>
    public Task<ReceivedPush> UntilAsync(Func<ReceivedPush, bool> predicate, TimeSpan timeout, CancellationToken cancellationToken = default) =>
        _core.Inbox.UntilAsync(predicate, timeout, cancellationToken);

    public async ValueTask DisposeAsync()
    {
        // Connections end at once: who waits for a late answer is not waited for.
        if (_app is not null) await _app.DisposeAsync();
        _webPush.Dispose();
        _fcmTokens.Dispose();
        _production.Dispose();
        _sandbox.Dispose();
        Credentials.Dispose();
        _certificates.Dispose();
    }

    private Uri Address(IGateway gateway)
    {
        var port = _listeners.Find(listener => listener.Gateway == gateway)?.Options.IPEndPoint?.Port
            ?? throw new InvalidOperationException("the gateways do not listen");
        return new($"https://127.0.0.1:{port}/");
    }

    private async Task ListenAsync(CancellationToken cancellationToken)
    {
        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            // Apple speaks nothing else.
            Listen(kestrel, _core.Options.ApnsPort, HttpProtocols.Http2, _production);
            Listen(kestrel, _core.Options.ApnsSandboxPort, HttpProtocols.Http2, _sandbox);
            Listen(kestrel, _core.Options.FcmPort, HttpProtocols.Http1AndHttp2, _fcm);
            Listen(kestrel, _core.Options.WebPushPort, HttpProtocols.Http1AndHttp2, _webPush);
        });
        _app = builder.Build();
        _app.Run(context => context.Features.GetRequiredFeature<IGateway>().HandleAsync(context));
        await _app.StartAsync(cancellationToken);
    }

    private void Listen(KestrelServerOptions kestrel, int port, HttpProtocols protocols, IGateway gateway) =>
        kestrel.Listen(IPAddress.Loopback, port, listen =>
        {
            listen.Protocols = protocols;
            listen.Use(next => connection =>
            {
                connection.Features.Set(gateway);
                return next(connection);
            });
            listen.UseHttps(new HttpsConnectionAdapterOptions { ServerCertificate = _certificates.Server });
            _listeners.Add(new(gateway, listen));
        });

    private sealed record Listener(IGateway Gateway, ListenOptions Options);
}
