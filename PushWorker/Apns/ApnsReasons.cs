using System.Collections.Frozen;
using System.Net;
using System.Text.Json;

namespace WhatsAspire.PushWorker.Apns;

/// <summary>What Apple's answers mean: its article 'Handling notification responses from APNs'.</summary>
internal static class ApnsReasons
{
    public const string BadDeviceToken = "BadDeviceToken";
    public const string BadTopic = "BadTopic";
    public const string ExpiredProviderToken = "ExpiredProviderToken";

    private enum Meaning
    {
        /// <summary>The token is dead, or never was one.</summary>
        Dead,

        /// <summary>This device gets too much.</summary>
        DeviceLater,

        /// <summary>The service, or our standing with it, is in trouble.</summary>
        ProviderLater,

        /// <summary>The notification or a setting is wrong.</summary>
        Refused,

        /// <summary>Our key or team is wrong: nothing will be taken.</summary>
        BadCredentials,
    }

    private static readonly FrozenDictionary<string, Meaning> Meanings = new Dictionary<string, Meaning>
    {
        // 400
        ["BadCollapseId"] = Meaning.Refused,
        [BadDeviceToken] = Meaning.Dead,
        ["BadExpirationDate"] = Meaning.Refused,
        ["BadMessageId"] = Meaning.Refused,
        ["BadPriority"] = Meaning.Refused,
        [BadTopic] = Meaning.Refused,
        ["DeviceTokenNotForTopic"] = Meaning.Dead,
        ["DuplicateHeaders"] = Meaning.Refused,
        ["IdleTimeout"] = Meaning.ProviderLater,
        ["InvalidPushType"] = Meaning.Refused,
        ["MissingDeviceToken"] = Meaning.Refused,
        ["MissingTopic"] = Meaning.Refused,
        ["PayloadEmpty"] = Meaning.Refused,
        ["TopicDisallowed"] = Meaning.Refused,
        // 403
        ["BadCertificate"] = Meaning.BadCredentials,
        ["BadCertificateEnvironment"] = Meaning.BadCredentials,
        ["BadEnvironmentKeyIdInToken"] = Meaning.BadCredentials,
        [ExpiredProviderToken] = Meaning.ProviderLater,
        ["Forbidden"] = Meaning.Refused,
        ["InvalidProviderToken"] = Meaning.BadCredentials,
        ["MissingProviderToken"] = Meaning.BadCredentials,
        ["UnrelatedKeyIdInToken"] = Meaning.BadCredentials,
        // 404, 405
        ["BadPath"] = Meaning.Refused,
        ["MethodNotAllowed"] = Meaning.Refused,
        // 410
        ["ExpiredToken"] = Meaning.Dead,
        ["Unregistered"] = Meaning.Dead,
        // 413
        ["PayloadTooLarge"] = Meaning.Refused,
        // 429
        ["TooManyProviderTokenUpdates"] = Meaning.ProviderLater,
        ["TooManyRequests"] = Meaning.DeviceLater,
        // 500, 503
        ["InternalServerError"] = Meaning.ProviderLater,
        ["ServiceUnavailable"] = Meaning.ProviderLater,
        ["Shutdown"] = Meaning.ProviderLater,
    }.ToFrozenDictionary();

    /// <summary>All that the table knows.</summary>
    internal static IReadOnlyCollection<string> Known => Meanings.Keys;

    /// <summary>Apple's word in an answer that is not 200, and since when a token is dead.</summary>
    public static (string? Reason, DateTimeOffset? Since) Read(ReadOnlyMemory<byte> body)
    {
        try
        {
            using var json = JsonDocument.Parse(body);
            if (json.RootElement.ValueKind != JsonValueKind.Object) return default;
            string? reason = null;
            DateTimeOffset? since = null;
            if (json.RootElement.TryGetProperty("reason", out var word) && word.ValueKind == JsonValueKind.String) reason = word.GetString();
            if (json.RootElement.TryGetProperty("timestamp", out var at) && at.ValueKind == JsonValueKind.Number && at.TryGetInt64(out var ms)
                && ms > 0 && ms <= DateTimeOffset.MaxValue.ToUnixTimeMilliseconds())
                since = DateTimeOffset.FromUnixTimeMilliseconds(ms);
            return (reason, since);
        }
        catch (JsonException)
        {
            return default;
        }
    }

    public static PushResult Result(HttpStatusCode status, string? reason, DateTimeOffset? since, TimeSpan? retryAfter, out bool badCredentials)
    {
        // A word that Apple adds later is understood by its status.
        if (reason is null || !Meanings.TryGetValue(reason, out var meaning)) meaning = ByStatus(status);
        reason ??= $"{(int)status}";
        badCredentials = meaning == Meaning.BadCredentials;
        return meaning switch
        {
            Meaning.Dead => new PushResult.DeadToken(since, reason),
            Meaning.DeviceLater => new PushResult.TryLater(retryAfter, reason, IsProviderWide: false),
            Meaning.ProviderLater => new PushResult.TryLater(retryAfter, reason, IsProviderWide: true),
            _ => new PushResult.Refused(reason),
        };
    }

    private static Meaning ByStatus(HttpStatusCode status) => status switch
    {
        HttpStatusCode.Gone => Meaning.Dead,
        HttpStatusCode.TooManyRequests => Meaning.DeviceLater,
        >= HttpStatusCode.InternalServerError => Meaning.ProviderLater,
        _ => Meaning.Refused,
    };
}
