using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using Microsoft.Extensions.Options;

namespace WhatsAspire.PushWorker.Apns;

/// <summary>Sends by Apple's push service: HTTP/2, authenticated by provider tokens. Safe for concurrent use.</summary>
internal sealed class ApnsSender : IPushSender, IDisposable
{
    /// <summary>No token of Apple's is that long; it is a part of the path.</summary>
    private const int MaxTokenLength = 512;

    /// <summary>Longest bundle id.</summary>
    private const int MaxTopicLength = 155;

    private readonly ApnsOptions _options;
    private readonly ApnsProviderToken _token;
    private readonly PushChannel _production;
    private readonly PushChannel _sandbox;
    private readonly ILogger<ApnsSender> _log;

    public ApnsSender(IOptions<ApnsOptions> options, IOptions<SenderOptions> common, TimeProvider time, ILogger<ApnsSender> log)
    {
        _options = options.Value;
        _token = new(_options.LoadKey(), _options.KeyId, _options.TeamId, time);
        _production = PushChannel.To(_options.Address, common.Value, time);
        _sandbox = PushChannel.To(_options.SandboxAddress, common.Value, time);
        _log = log;
        _log.SenderReady(Provider, _options.Address);
    }

    public string Provider => PushProviders.Apns;

    public async Task<PushResult> SendAsync(PushAddress to, PushNotification notification, CancellationToken cancellationToken)
    {
        if (to.Token.Length is 0 or > MaxTokenLength || !to.Token.All(char.IsAsciiHexDigit))
            return new PushResult.DeadToken(null, ApnsReasons.BadDeviceToken);
        // It comes from the device, and becomes a header.
        if (to.Topic is { } topic && (topic.Length is 0 or > MaxTopicLength || !topic.All(IsOfTopic)))
            return new PushResult.DeadToken(null, ApnsReasons.BadTopic);

        var id = Guid.NewGuid();
        var payload = ApnsPayload.Write(notification, _options);
        var token = _token.Get();
        var reply = await SendAsync(to, notification, id, payload, token, cancellationToken);
        if (reply.Failure is null && Reason(reply) == ApnsReasons.ExpiredProviderToken)
        {
            // Ours is renewed long before it ends: the clocks differ, or this process slept.
            var wait = _token.Replace(token);
            if (wait > TimeSpan.Zero) return new PushResult.TryLater(wait, ApnsReasons.ExpiredProviderToken, IsProviderWide: true);
            _log.CredentialsRenewed(Provider);
            reply = await SendAsync(to, notification, id, payload, _token.Get(), cancellationToken);
        }
        return Result(reply, id);
    }

    private async Task<PushReply> SendAsync(
        PushAddress to, PushNotification notification, Guid id, byte[] payload, string token, CancellationToken cancellationToken)
    {
        var address = to.IsSandbox ? _options.SandboxAddress : _options.Address;
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(address, $"/3/device/{to.Token}"))
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new ByteArrayContent(payload),
        };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        request.Headers.Authorization = new AuthenticationHeaderValue("bearer", token);
        request.Headers.Add("apns-id", id.ToString("D"));
        request.Headers.Add("apns-topic", to.Topic ?? _options.Topic);
        request.Headers.Add("apns-push-type", notification.IsSilent ? "background" : "alert");
        request.Headers.Add("apns-priority", notification.IsSilent ? "5" : "10");
        request.Headers.Add("apns-expiration", Math.Max(0, notification.ExpiresAt.ToUnixTimeSeconds()).ToString(CultureInfo.InvariantCulture));
        request.Headers.Add("apns-collapse-id", notification.Conversation.ToString());
        return await (to.IsSandbox ? _sandbox : _production).SendAsync(request, cancellationToken);
    }

    public void Dispose()
    {
        _production.Dispose();
        _sandbox.Dispose();
        _token.Dispose();
    }

    private static bool IsOfTopic(char c) => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_';

    private static string? Reason(PushReply reply) =>
        reply.Status == HttpStatusCode.Forbidden ? ApnsReasons.Read(reply.Body).Reason : null;

    private PushResult Result(PushReply reply, Guid id)
    {
        if (reply.Failure is { } failure) return new PushResult.TryLater(null, failure, IsProviderWide: true);
        if (reply.Status == HttpStatusCode.OK) return new PushResult.Accepted(id.ToString("D"));

        var (reason, since) = ApnsReasons.Read(reply.Body);
        var result = ApnsReasons.Result(reply.Status, reason, since, reply.RetryAfter, out var badCredentials);
        if (result is PushResult.Refused refused)
        {
            if (badCredentials) _log.CredentialsRefused(Provider, refused.Reason);
            else _log.NotificationRefused(Provider, refused.Reason);
        }
        return result;
    }
}
