using System.Buffers.Text;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.Extensions.Options;

namespace WhatsAspire.PushWorker.WebPush;

/// <summary>Sends to browsers by their push services (RFC 8030), encrypted for the browser (RFC 8291) and signed
/// (RFC 8292). Safe for concurrent use.</summary>
/// <remarks>No result is of the provider as a whole: each browser has its own service, and an endpoint that a client made up
/// must not hold up the others.</remarks>
internal sealed class WebPushSender : IPushSender, IDisposable
{
    /// <summary>What services take at most.</summary>
    private static readonly TimeSpan MaxLife = TimeSpan.FromDays(28);

    private readonly WebPushOptions _options;
    private readonly VapidTokens _tokens;
    private readonly PushChannel _channel;
    private readonly TimeProvider _time;
    private readonly ILogger<WebPushSender> _log;

    public WebPushSender(IOptions<WebPushOptions> options, IOptions<SenderOptions> common, TimeProvider time, ILogger<WebPushSender> log)
    {
        _options = options.Value;
        _tokens = new(_options.LoadKey(), _options.Subject, time);
        var handler = PushChannel.CreateHandler(common.Value);
        // A proxy would resolve the names, unchecked.
        handler.UseProxy = false;
        // Of hosts that clients name there may be many.
        handler.PooledConnectionIdleTimeout = TimeSpan.FromMinutes(2);
        if (!_options.AllowPrivateAddresses) handler.ConnectCallback = (context, cancel) => PushEndpoints.ConnectAsync(context.DnsEndPoint, cancel);
        _channel = new(handler, common.Value.RequestTimeout, time);
        _time = time;
        _log = log;
    }

    public string Provider => PushProviders.WebPush;

    public async Task<PushResult> SendAsync(PushAddress to, PushNotification notification, CancellationToken cancellationToken)
    {
        if (PushEndpoints.Check(to.Token, _options.AllowPrivateAddresses, out var endpoint) is { } wrong)
        {
            _log.EndpointForbidden(wrong);
            return new PushResult.DeadToken(null, EndpointForbiddenException.Reason);
        }
        if (Encrypt(to, notification) is not { } body) return new PushResult.DeadToken(null, "BadKeys");

        using var request = new HttpRequestMessage(HttpMethod.Post, endpoint)
        {
            Version = HttpVersion.Version20,
            Content = new ByteArrayContent(body),
        };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
        request.Content.Headers.ContentEncoding.Add("aes128gcm");
        request.Headers.Authorization = new AuthenticationHeaderValue("vapid", _tokens.Get(endpoint));
        request.Headers.Add("TTL", Life(notification).ToString(CultureInfo.InvariantCulture));
        request.Headers.Add("Urgency", notification.IsSilent ? "low" : "high");
        request.Headers.Add("Topic", Topic(notification));
        return Result(await _channel.SendAsync(request, cancellationToken));
    }

    public void Dispose()
    {
        _channel.Dispose();
        _tokens.Dispose();
    }

    /// <summary>At most 32 characters of base64url (RFC 8030 section 5.4): the id's sixteen bytes have 22.</summary>
    private static string Topic(PushNotification notification) =>
        Base64Url.EncodeToString(notification.Conversation.Value.ToByteArray(bigEndian: true));

    private static byte[]? Encrypt(PushAddress to, PushNotification notification)
    {
        if (!P256.TryDecode(to.P256dh, P256.PointBytes, out var key) || !P256.TryDecode(to.Auth, WebPushEncryption.SecretBytes, out var secret))
            return null;
        var payload = FittingText.Fit(notification.Title, notification.Body, WebPushEncryption.MaxPlaintextBytes,
            (title, text) => PushPayload.Write(json => Write(json, notification, title, text)));
        try
        {
            return WebPushEncryption.Encrypt(payload, key, secret);
        }
        catch (CryptographicException)
        {
            return null;
        }
    }

    private static void Write(Utf8JsonWriter json, PushNotification notification, string title, string body)
    {
        json.WriteString(PushPayload.ConversationId, notification.Conversation.ToString());
        if (notification.Message is { } message) json.WriteString(PushPayload.MessageId, message.ToString());
        json.WriteNumber(PushPayload.Seq, notification.Seq);
        json.WriteNumber(PushPayload.Badge, notification.Badge);
        if (notification.IsSilent)
        {
            json.WriteBoolean(PushPayload.Silent, true);
            return;
        }
        json.WriteString(PushPayload.Title, title);
        json.WriteString(PushPayload.Body, body);
    }

    private long Life(PushNotification notification) =>
        (long)Math.Clamp((notification.ExpiresAt - _time.GetUtcNow()).TotalSeconds, 0, MaxLife.TotalSeconds);

    private PushResult Result(PushReply reply)
    {
        if (reply.Failure == EndpointForbiddenException.Reason)
        {
            // Not for ever: it is what the name leads to now, and it may be the names that are in trouble.
            _log.EndpointForbidden("its host has no public address");
            return new PushResult.Refused(reply.Failure);
        }
        if (reply.Failure is { } failure) return new PushResult.TryLater(null, failure, IsProviderWide: false);

        var reason = $"{(int)reply.Status}";
        switch (reply.Status)
        {
            case >= HttpStatusCode.OK and < HttpStatusCode.MultipleChoices:
                return new PushResult.Accepted(null);
            case HttpStatusCode.NotFound or HttpStatusCode.Gone:
                return new PushResult.DeadToken(null, reason);
            case HttpStatusCode.TooManyRequests or >= HttpStatusCode.InternalServerError:
                return new PushResult.TryLater(reply.RetryAfter, reason, IsProviderWide: false);
        }
        if (reply.Status is HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden) _log.CredentialsRefused(Provider, reason);
        else _log.NotificationRefused(Provider, reason);
        return new PushResult.Refused(reason);
    }
}
