using System.Collections.Concurrent;
using System.Collections.Frozen;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace WhatsAspire.PushGateways.Apns;

/// <summary>Plays Apple's push service, one of its two environments.</summary>
internal sealed class ApnsGateway(GatewayCore core, GatewayCredentials credentials) : IGateway, IDisposable
{
    private const int MaxPayload = 4096;
    private const int MaxCollapseId = 64;
    private const string PathStart = "/3/device/";
    private static readonly TimeSpan MaxAge = TimeSpan.FromHours(1);
    private static readonly TimeSpan MinRenewal = TimeSpan.FromMinutes(20);
    private static readonly TimeSpan ClockTolerance = TimeSpan.FromMinutes(5);

    private static readonly FrozenSet<string> PushTypes =
        new[] { "alert", "background", "controls", "location", "voip", "complication", "fileprovider", "mdm", "liveactivity", "pushtotalk", "widgets" }
            .ToFrozenSet(StringComparer.Ordinal);

    private static readonly string[] Headers = ["apns-id", "apns-topic", "apns-push-type", "apns-priority", "apns-expiration", "apns-collapse-id"];

    /// <summary>The status that belongs to each of Apple's words.</summary>
    internal static readonly FrozenDictionary<string, int> Statuses = new Dictionary<int, string[]>
    {
        [400] =
        [
            "BadCollapseId", "BadDeviceToken", "BadExpirationDate", "BadMessageId", "BadPriority", "BadTopic", "DeviceTokenNotForTopic",
            "DuplicateHeaders", "IdleTimeout", "InvalidPushType", "MissingDeviceToken", "MissingTopic", "PayloadEmpty", "TopicDisallowed",
        ],
        [403] =
        [
            "BadCertificate", "BadCertificateEnvironment", "BadEnvironmentKeyIdInToken", "ExpiredProviderToken", "Forbidden", "InvalidProviderToken",
            "MissingProviderToken", "UnrelatedKeyIdInToken",
        ],
        [404] = ["BadPath"],
        [405] = ["MethodNotAllowed"],
        [410] = ["ExpiredToken", "Unregistered"],
        [413] = ["PayloadTooLarge"],
        [429] = ["TooManyProviderTokenUpdates", "TooManyRequests"],
        [500] = ["InternalServerError"],
        [503] = ["ServiceUnavailable", "Shutdown"],
    }.SelectMany(entry => entry.Value.Select(reason => (reason, entry.Key))).ToFrozenDictionary(pair => pair.reason, pair => pair.Key, StringComparer.Ordinal);

    /// <summary>The devices: the topic of their app, and since when it is gone.</summary>
    private readonly ConcurrentDictionary<string, (string Topic, DateTimeOffset? GoneAt)> _devices = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>Verifying is not safe for concurrent use of one key.</summary>
    private readonly SemaphoreSlim _verifying = new(1);

    public string NewToken(string? topic)
    {
        var token = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));
        _devices[token] = (topic ?? core.Options.Topic, null);
        return token;
    }

    /// <summary>The app was taken off the device.</summary>
    /// <returns>Whether the token was known.</returns>
    public bool Unregister(string token)
    {
        if (!_devices.TryGetValue(token, out var device)) return false;
        _devices[token] = device with { GoneAt = core.Time.GetUtcNow() };
        return true;
    }

    public async Task HandleAsync(HttpContext context)
    {
        var request = context.Request;
        var id = request.Headers["apns-id"].ToString();
        context.Response.Headers["apns-id"] = Guid.TryParseExact(id, "D", out _) ? id : Guid.NewGuid().ToString("D").ToUpperInvariant();

        var path = request.Path.Value ?? "";
        var token = path.StartsWith(PathStart, StringComparison.Ordinal) ? path[PathStart.Length..] : "";
        var body = await GatewayCore.ReadBodyAsync(context, 64 * 1024);
        var reason = CheckRequest(request, path, token)
            ?? await CheckProviderAsync(context)
            ?? CheckHeaders(request, id, body)
            ?? CheckDevice(token, request);
        if (reason is not null)
        {
            await RefuseAsync(context, token, reason, null, _devices.TryGetValue(token, out var device) ? device.GoneAt : null);
            return;
        }
        await core.DeliverAsync(
            context, Read(request, token, body!),
            behaviour => RefuseAsync(context, token, behaviour.Reason!, behaviour.RetryAfter, behaviour.Since ?? core.Time.GetUtcNow()),
            () =>
            {
                core.Note(context, GatewayProviders.Apns, token, StatusCodes.Status200OK, "");
                return context.Response.CompleteAsync();
            });
    }

    public void Dispose() => _verifying.Dispose();

    private static string? CheckRequest(HttpRequest request, string path, string token)
    {
        if (!HttpMethods.IsPost(request.Method)) return "MethodNotAllowed";
        if (path is "/3/device" or PathStart) return "MissingDeviceToken";
        if (!path.StartsWith(PathStart, StringComparison.Ordinal) || token.Contains('/', StringComparison.Ordinal)) return "BadPath";
        return Headers.Append("authorization").Any(name => request.Headers[name].Count > 1) ? "DuplicateHeaders" : null;
    }

    private async Task<string?> CheckProviderAsync(HttpContext context)
    {
        var header = context.Request.Headers.Authorization.ToString();
        if (!header.StartsWith("bearer ", StringComparison.OrdinalIgnoreCase)) return "MissingProviderToken";
        if (SignedToken.Read(header["bearer ".Length..]) is not { } token
            || token.Alg != SecurityAlgorithms.EcdsaSha256 || token.Kid != credentials.KeyId || token.Issuer != credentials.TeamId
            || SignedToken.Time(token, JwtRegisteredClaimNames.Iat) is not { } issued)
            return "InvalidProviderToken";
        await _verifying.WaitAsync(context.RequestAborted);
        try
        {
            if (!await SignedToken.IsSignedByAsync(token, new ECDsaSecurityKey(credentials.ApnsKey), SecurityAlgorithms.EcdsaSha256))
                return "InvalidProviderToken";
        }
        finally
        {
            _verifying.Release();
        }

        var now = core.Time.GetUtcNow();
        if (issued > now + ClockTolerance) return "InvalidProviderToken";
        if (issued < now - MaxAge) return "ExpiredProviderToken";

        // Within a connection: other processes of the same provider have tokens of their own.
        var items = context.Features.GetRequiredFeature<IConnectionItemsFeature>().Items;
        lock (items)
        {
            if (items.TryGetValue(typeof(ApnsGateway), out var known) && known is DateTimeOffset earlier && issued > earlier && issued - earlier < MinRenewal)
                return "TooManyProviderTokenUpdates";
            items[typeof(ApnsGateway)] = issued;
        }
        return null;
    }

    private string? CheckHeaders(HttpRequest request, string id, byte[]? body)
    {
        var headers = request.Headers;
        if (id.Length > 0 && !Guid.TryParseExact(id, "D", out _)) return "BadMessageId";
        if (headers["apns-expiration"].ToString() is { Length: > 0 } expiration
            && (!long.TryParse(expiration, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) || seconds >= 253402300800))
            return "BadExpirationDate";
        var type = headers["apns-push-type"].ToString();
        if (!PushTypes.Contains(type)) return "InvalidPushType";
        // Without the header it is 10.
        var priority = headers["apns-priority"].ToString() is { Length: > 0 } text ? text : "10";
        if (priority is not ("1" or "5" or "10") || (type == "background" && priority == "10")) return "BadPriority";
        if (Encoding.UTF8.GetByteCount(headers["apns-collapse-id"].ToString()) > MaxCollapseId) return "BadCollapseId";
        if (headers["apns-topic"].ToString() is not { Length: > 0 } topic) return "MissingTopic";
        if (!_devices.IsEmpty && topic != core.Options.Topic && !_devices.Values.Any(device => device.Topic == topic)) return "TopicDisallowed";
        if (body is null || body.Length > MaxPayload) return "PayloadTooLarge";
        return Parse(body)?["aps"] is JsonObject ? null : "PayloadEmpty";
    }

    private string? CheckDevice(string token, HttpRequest request)
    {
        if (!_devices.TryGetValue(token, out var device)) return "BadDeviceToken";
        if (device.Topic != request.Headers["apns-topic"].ToString()) return "DeviceTokenNotForTopic";
        return device.GoneAt is null ? null : "Unregistered";
    }

    private static ReceivedPush Read(HttpRequest request, string token, byte[] body)
    {
        var payload = Parse(body)!;
        var aps = (JsonObject)payload["aps"]!;
        var headers = Headers.Where(request.Headers.ContainsKey).ToDictionary(name => name, name => request.Headers[name].ToString());
        var expiration = headers.TryGetValue("apns-expiration", out var text) ? long.Parse(text, CultureInfo.InvariantCulture) : 0;
        return new()
        {
            Provider = GatewayProviders.Apns,
            Token = token,
            Title = (aps["alert"] as JsonObject)?["title"]?.ToString(),
            Body = (aps["alert"] as JsonObject)?["body"]?.ToString() ?? (aps["alert"] as JsonValue)?.ToString(),
            Badge = (aps["badge"] ?? payload["badge"]).AsNumber(),
            IsSilent = headers["apns-push-type"] == "background",
            CollapseKey = headers.GetValueOrDefault("apns-collapse-id"),
            ExpiresAt = expiration > 0 ? DateTimeOffset.FromUnixTimeSeconds(expiration) : null,
            ConversationId = payload["conversation_id"]?.ToString(),
            MessageId = payload["message_id"]?.ToString(),
            Seq = payload["seq"].AsNumber(),
            IsUrgent = headers.GetValueOrDefault("apns-priority", "10") == "10",
            Payload = Encoding.UTF8.GetString(body),
            Headers = headers,
            Bytes = body.Length,
        };
    }

    private static JsonObject? Parse(byte[] body)
    {
        try
        {
            return JsonNode.Parse(body) as JsonObject;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private async Task RefuseAsync(HttpContext context, string token, string reason, TimeSpan? retryAfter, DateTimeOffset? since)
    {
        var status = Statuses.GetValueOrDefault(reason, StatusCodes.Status400BadRequest);
        core.Note(context, GatewayProviders.Apns, token, status, reason);
        GatewayCore.SetRetryAfter(context, retryAfter);
        var answer = new JsonObject { ["reason"] = reason };
        if (status == StatusCodes.Status410Gone && since is { } at) answer["timestamp"] = at.ToUnixTimeMilliseconds();
        await GatewayCore.WriteAsync(context, status, answer);
    }
}
