using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace WhatsAspire.PushGateways.WebPush;

/// <summary>What a browser gives to an app that it is subscribed for.</summary>
/// <param name="Endpoint">Where its push service takes messages.</param>
/// <param name="P256dh">Its public key, base64url.</param>
/// <param name="Auth">Its secret, base64url.</param>
public sealed record WebPushSubscription(Uri Endpoint, string P256dh, string Auth);

/// <summary>Plays a browser's push service (RFC 8030), and the browser behind it: what that could not read is refused, which
/// a real service, having no keys, could not tell.</summary>
internal sealed class WebPushGateway(GatewayCore core, GatewayCredentials credentials, Func<Uri> ownAddress) : IGateway, IDisposable
{
    private const int MaxBody = 4096;
    private const string PathStart = "/push/";
    private static readonly TimeSpan MaxTokenLife = TimeSpan.FromHours(24);
    private static readonly string[] Headers = ["TTL", "Urgency", "Topic"];

    private readonly ConcurrentDictionary<string, Browser> _browsers = new(StringComparer.Ordinal);

    public WebPushSubscription NewSubscription()
    {
        var id = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(24));
        var keys = BrowserKeys.Create();
        _browsers[PathStart + id] = new(keys);
        return new(new Uri(ownAddress(), PathStart + id), keys.P256dh, keys.Auth);
    }

    /// <summary>The browser gave the subscription up.</summary>
    /// <returns>Whether there was one.</returns>
    public bool Unsubscribe(string endpoint)
    {
        if (!Uri.TryCreate(endpoint, UriKind.Absolute, out var uri) || !_browsers.TryGetValue(uri.AbsolutePath, out var browser)) return false;
        browser.IsGone = true;
        return true;
    }

    public async Task HandleAsync(HttpContext context)
    {
        var request = context.Request;
        var path = request.Path.Value ?? "";
        var endpoint = new Uri(ownAddress(), path).AbsoluteUri;
        var body = await GatewayCore.ReadBodyAsync(context, 64 * 1024);
        if (!HttpMethods.IsPost(request.Method))
        {
            await RefuseAsync(context, endpoint, StatusCodes.Status405MethodNotAllowed, "only POST");
            return;
        }
        if (!_browsers.TryGetValue(path, out var browser))
        {
            await RefuseAsync(context, endpoint, StatusCodes.Status404NotFound, "no such subscription");
            return;
        }
        if (browser.IsGone)
        {
            await RefuseAsync(context, endpoint, StatusCodes.Status410Gone, "unsubscribed");
            return;
        }
        if (await FindFaultAsync(request, body) is var (status, why))
        {
            await RefuseAsync(context, endpoint, status, why);
            return;
        }
        if (Read(request, endpoint, browser, body!) is not { } push)
        {
            await RefuseAsync(context, endpoint, StatusCodes.Status400BadRequest, "the browser could not read it");
            return;
        }
        await core.DeliverAsync(
            context, push,
            behaviour =>
            {
                GatewayCore.SetRetryAfter(context, behaviour.RetryAfter);
                return RefuseAsync(context, endpoint, int.Parse(behaviour.Reason!, CultureInfo.InvariantCulture), "as the script says");
            },
            () =>
            {
                core.Note(context, GatewayProviders.WebPush, endpoint, StatusCodes.Status201Created, "");
                context.Response.StatusCode = StatusCodes.Status201Created;
                context.Response.Headers.Location = new Uri(ownAddress(), $"/message/{Guid.NewGuid():N}").AbsoluteUri;
                return context.Response.CompleteAsync();
            });
    }

    public void Dispose()
    {
        foreach (var browser in _browsers.Values) browser.Keys.Dispose();
    }

    private async Task<(int Status, string Why)?> FindFaultAsync(HttpRequest request, byte[]? body)
    {
        var headers = request.Headers;
        if (!long.TryParse(headers["TTL"].ToString(), NumberStyles.None, CultureInfo.InvariantCulture, out _)) return (400, "TTL");
        if (headers["Urgency"].ToString() is not ("" or "very-low" or "low" or "normal" or "high")) return (400, "Urgency");
        if (headers["Topic"].ToString() is { Length: > 0 } topic && (topic.Length > 32 || !topic.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_')))
            return (400, "Topic");
        if (await FindTokenFaultAsync(headers.Authorization.ToString()) is { } fault) return fault;
        if (body is null || body.Length > MaxBody) return (413, "too long");
        return body.Length > 0 && headers.ContentEncoding.ToString() != "aes128gcm" ? (400, "Content-Encoding") : null;
    }

    /// <summary>RFC 8292.</summary>
    private async Task<(int Status, string Why)?> FindTokenFaultAsync(string header)
    {
        if (!header.StartsWith("vapid ", StringComparison.OrdinalIgnoreCase)) return (401, "no VAPID");
        var parts = header["vapid ".Length..].Split(',', StringSplitOptions.TrimEntries)
            .Select(part => part.Split('=', 2)).Where(part => part.Length == 2).ToDictionary(part => part[0], part => part[1]);
        if (!parts.TryGetValue("t", out var text) || !parts.TryGetValue("k", out var key)) return (401, "VAPID without t or k");
        // The subscription was made for one key (section 4).
        if (key != credentials.VapidPublicKey) return (403, "another key than that of the subscription");
        if (SignedToken.Read(text) is not { } token || token.Alg != SecurityAlgorithms.EcdsaSha256) return (403, "not such a token");
        var point = Base64Url.DecodeFromChars(key);
        using var ecdsa = ECDsa.Create(new ECParameters { Curve = ECCurve.NamedCurves.nistP256, Q = new() { X = point[1..33], Y = point[33..] } });
        if (!await SignedToken.IsSignedByAsync(token, new ECDsaSecurityKey(ecdsa), SecurityAlgorithms.EcdsaSha256)) return (403, "signature");
        if (!token.Audiences.SequenceEqual([ownAddress().GetLeftPart(UriPartial.Authority)])) return (403, "aud");
        if (!token.Subject.StartsWith("mailto:", StringComparison.Ordinal) && !token.Subject.StartsWith("https:", StringComparison.Ordinal)) return (403, "sub");
        var now = core.Time.GetUtcNow();
        return SignedToken.Time(token, JwtRegisteredClaimNames.Exp) is { } expires && expires > now && expires <= now + MaxTokenLife ? null : (403, "exp");
    }

    private ReceivedPush? Read(HttpRequest request, string endpoint, Browser browser, byte[] body)
    {
        JsonObject? payload;
        byte[] plain;
        try
        {
            plain = browser.Keys.Decrypt(body);
            payload = JsonNode.Parse(plain) as JsonObject;
        }
        catch (Exception e) when (e is CryptographicException or JsonException)
        {
            return null;
        }
        if (payload is null) return null;
        var life = long.Parse(request.Headers["TTL"].ToString(), CultureInfo.InvariantCulture);
        return new()
        {
            Provider = GatewayProviders.WebPush,
            Token = endpoint,
            Title = payload["title"]?.ToString(),
            Body = payload["body"]?.ToString(),
            Badge = payload["badge"].AsNumber(),
            IsSilent = payload["silent"] is JsonValue silent && silent.TryGetValue<bool>(out var isSilent) && isSilent,
            CollapseKey = request.Headers["Topic"].ToString() is { Length: > 0 } topic ? topic : null,
            ExpiresAt = life > 0 ? core.Time.GetUtcNow() + TimeSpan.FromSeconds(life) : null,
            ConversationId = payload["conversation_id"]?.ToString(),
            MessageId = payload["message_id"]?.ToString(),
            Seq = payload["seq"].AsNumber(),
            IsUrgent = request.Headers["Urgency"] == "high",
            Payload = Encoding.UTF8.GetString(plain),
            Headers = Headers.Where(request.Headers.ContainsKey).ToDictionary(name => name.ToLowerInvariant(), name => request.Headers[name].ToString()),
            Bytes = body.Length,
        };
    }

    private async Task RefuseAsync(HttpContext context, string endpoint, int status, string why)
    {
        core.Note(context, GatewayProviders.WebPush, endpoint, status, why);
        await GatewayCore.WriteAsync(context, status, new JsonObject { ["code"] = status, ["message"] = why });
    }

    private sealed class Browser(BrowserKeys keys)
    {
        private volatile bool _isGone;

        public BrowserKeys Keys => keys;

        public bool IsGone
        {
            get => _isGone;
            set => _isGone = value;
        }
    }
}
