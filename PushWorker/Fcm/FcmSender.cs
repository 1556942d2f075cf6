using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Options;

namespace WhatsAspire.PushWorker.Fcm;

/// <summary>Sends by Firebase Cloud Messaging's HTTP v1 interface. Safe for concurrent use.</summary>
internal sealed class FcmSender : IPushSender, IDisposable
{
    /// <summary>More than FCM's tokens have, which leaves room for the texts.</summary>
    private const int MaxTokenLength = 1024;

    private readonly Uri _send;
    private readonly FcmAccessToken _token;
    private readonly PushChannel _channel;
    private readonly TimeProvider _time;
    private readonly ILogger<FcmSender> _log;

    public FcmSender(IOptions<FcmOptions> options, IOptions<SenderOptions> common, TimeProvider time, ILogger<FcmSender> log)
    {
        var account = options.Value.LoadAccount();
        var tokenAddress = options.Value.TokenAddress ?? account.TokenAddress;
        _send = new(options.Value.Address, $"/v1/projects/{Uri.EscapeDataString(options.Value.ProjectId ?? account.ProjectId)}/messages:send");
        _token = new(account, tokenAddress, PushChannel.To(tokenAddress, common.Value, time), time, log);
        _channel = PushChannel.To(options.Value.Address, common.Value, time);
        _time = time;
        _log = log;
        _log.SenderReady(Provider, options.Value.Address);
    }

    public string Provider => PushProviders.Fcm;

    public async Task<PushResult> SendAsync(PushAddress to, PushNotification notification, CancellationToken cancellationToken)
    {
        if (to.Token.Length is 0 or > MaxTokenLength) return new PushResult.DeadToken(null, "INVALID_ARGUMENT");

        var payload = FcmMessage.Write(to.Token, notification, _time.GetUtcNow());
        string? rejected = null;
        while (true)
        {
            var credentials = await _token.GetAsync(rejected, cancellationToken);
            if (credentials.Failure is { } none) return none;

            var reply = await SendAsync(payload, credentials.Token!, cancellationToken);
            if (reply.Failure is { } failure) return new PushResult.TryLater(null, failure, IsProviderWide: true);
            if (reply.Status == HttpStatusCode.OK) return new PushResult.Accepted(Name(reply.Body));

            var error = FcmErrors.Read(reply.Body);
            if (reply.Status == HttpStatusCode.Unauthorized && error.Code != FcmErrors.ThirdPartyAuth)
            {
                if (rejected is null)
                {
                    rejected = credentials.Token;
                    continue;
                }
                _log.CredentialsRefused(Provider, error.Code ?? "401");
            }
            var result = FcmErrors.Result(reply.Status, error, reply.RetryAfter);
            if (result is PushResult.Refused refused) _log.NotificationRefused(Provider, refused.Reason);
            return result;
        }
    }

    public void Dispose()
    {
        _channel.Dispose();
        _token.Dispose();
    }

    private async Task<PushReply> SendAsync(byte[] payload, string accessToken, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, _send)
        {
            Version = HttpVersion.Version20,
            Content = new ByteArrayContent(payload),
        };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json") { CharSet = "utf-8" };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", accessToken);
        return await _channel.SendAsync(request, cancellationToken);
    }

    /// <summary>The message's name, <c>projects/…/messages/…</c>.</summary>
    private static string? Name(ReadOnlyMemory<byte> body)
    {
        try
        {
            return (JsonNode.Parse(body.Span) as JsonObject)?["name"]?.GetValue<string>();
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException)
        {
            return null;
        }
    }
}
