using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace WhatsAspire.PushWorker.Fcm;

/// <summary>What FCM's errors mean: 'ErrorCode' of its reference, and its guide to error codes.</summary>
internal static class FcmErrors
{
    public const string ThirdPartyAuth = "THIRD_PARTY_AUTH_ERROR";

    /// <summary>The wait that FCM asks for where it names none.</summary>
    private static readonly TimeSpan QuotaWait = TimeSpan.FromMinutes(1);

    /// <summary>An error as it is in an answer.</summary>
    /// <param name="Code">FCM's own code, or else the general status; null where the answer has neither.</param>
    /// <param name="IsOfToken">It is the device's token that is not valid.</param>
    /// <param name="IsOfDevice">It is one device that gets too much.</param>
    internal readonly record struct Error(string? Code, bool IsOfToken, bool IsOfDevice);

    public static Error Read(ReadOnlyMemory<byte> body)
    {
        JsonObject? error;
        try
        {
            error = (JsonNode.Parse(body.Span) as JsonObject)?["error"] as JsonObject;
        }
        catch (JsonException)
        {
            return default;
        }
        if (error is null) return default;

        string? code = null;
        // An invalid token is told in either of two ways.
        var isOfToken = Text(error["message"])?.Contains("registration token", StringComparison.OrdinalIgnoreCase) ?? false;
        var isOfDevice = false;
        foreach (var detail in (error["details"] as JsonArray ?? []).OfType<JsonObject>())
        {
            switch (Text(detail["@type"]))
            {
                case "type.googleapis.com/google.firebase.fcm.v1.FcmError":
                    code = Text(detail["errorCode"]);
                    break;
                case "type.googleapis.com/google.rpc.BadRequest":
                    isOfToken |= Items(detail["fieldViolations"]).Any(v => Text(v["field"]) == "message.token");
                    break;
                case "type.googleapis.com/google.rpc.QuotaFailure":
                    isOfDevice |= Items(detail["violations"]).Any(v =>
                        $"{Text(v["subject"])} {Text(v["description"])}".Contains("device", StringComparison.OrdinalIgnoreCase));
                    break;
            }
        }
        return new(code ?? Text(error["status"]), isOfToken, isOfDevice);
    }

    public static PushResult Result(HttpStatusCode status, Error error, TimeSpan? retryAfter)
    {
        var code = error.Code ?? $"{(int)status}";
        switch (error.Code)
        {
            case "UNREGISTERED" or "SENDER_ID_MISMATCH":
            case "INVALID_ARGUMENT" when error.IsOfToken:
                return new PushResult.DeadToken(null, code);
            case "QUOTA_EXCEEDED" or "RESOURCE_EXHAUSTED":
                return new PushResult.TryLater(retryAfter ?? QuotaWait, code, !error.IsOfDevice);
            case "UNAVAILABLE" or "INTERNAL":
                return new PushResult.TryLater(retryAfter, code, IsProviderWide: true);
        }
        if (status == HttpStatusCode.TooManyRequests) return new PushResult.TryLater(retryAfter ?? QuotaWait, code, IsProviderWide: true);
        return status >= HttpStatusCode.InternalServerError
            ? new PushResult.TryLater(retryAfter, code, IsProviderWide: true)
            : new PushResult.Refused(code);
    }

    private static string? Text(JsonNode? node) => node is JsonValue value && value.TryGetValue<string>(out var text) ? text : null;

    private static IEnumerable<JsonObject> Items(JsonNode? node) => (node as JsonArray ?? []).OfType<JsonObject>();
}
