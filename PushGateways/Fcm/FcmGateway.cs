using System.Collections.Concurrent;
using System.Collections.Frozen;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;

namespace WhatsAspire.PushGateways.Fcm;

/// <summary>Plays Firebase Cloud Messaging, and beside it the endpoint for its access tokens.</summary>
internal sealed class FcmGateway(GatewayCore core, FcmTokens tokens) : IGateway
{
    /// <summary>The status, and the general word, of each of FCM's own words.</summary>
    internal static readonly FrozenDictionary<string, (int Status, string General)> Codes = new Dictionary<string, (int, string)>
    {
        ["INVALID_ARGUMENT"] = (400, "INVALID_ARGUMENT"),
        ["THIRD_PARTY_AUTH_ERROR"] = (401, "UNAUTHENTICATED"),
        ["SENDER_ID_MISMATCH"] = (403, "PERMISSION_DENIED"),
        ["UNREGISTERED"] = (404, "NOT_FOUND"),
        ["QUOTA_EXCEEDED"] = (429, "RESOURCE_EXHAUSTED"),
        ["INTERNAL"] = (500, "INTERNAL"),
        ["UNAVAILABLE"] = (503, "UNAVAILABLE"),
    }.ToFrozenDictionary(StringComparer.Ordinal);

    /// <summary>Words that Google's services have in common, and come without one of FCM's own.</summary>
    private static readonly FrozenDictionary<string, int> General = new Dictionary<string, int>
    {
        ["UNAUTHENTICATED"] = 401,
        ["PERMISSION_DENIED"] = 403,
        ["NOT_FOUND"] = 404,
    }.ToFrozenDictionary(StringComparer.Ordinal);

    private readonly ConcurrentDictionary<string, bool> _devices = new(StringComparer.Ordinal);

    public string NewToken()
    {
        var token = $"{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(11))}:APA91b{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(64))}";
        _devices[token] = true;
        return token;
    }

    /// <summary>The app was taken off the device.</summary>
    /// <returns>Whether the token was known.</returns>
    public bool Unregister(string token) => _devices.TryUpdate(token, false, true);

    public Task HandleAsync(HttpContext context) =>
        context.Request.Path == FcmTokens.Path ? tokens.HandleAsync(context) : SendAsync(context);

    private async Task SendAsync(HttpContext context)
    {
        var body = await GatewayCore.ReadBodyAsync(context, 64 * 1024);
        if (!HttpMethods.IsPost(context.Request.Method) || context.Request.Path != $"/v1/projects/{core.Options.ProjectId}/messages:send")
        {
            await RefuseAsync(context, "", 404, "NOT_FOUND", "Requested entity was not found.", []);
            return;
        }
        var header = context.Request.Headers.Authorization.ToString();
        if (!header.StartsWith("Bearer ", StringComparison.Ordinal) || !tokens.IsGood(header["Bearer ".Length..]))
        {
            await RefuseAsync(context, "", 401, "UNAUTHENTICATED",
                "Request had invalid authentication credentials. Expected OAuth 2 access token.", []);
            return;
        }
        if (!context.Request.HasJsonContentType() || body is null)
        {
            await RefuseAsync(context, "", 400, "INVALID_ARGUMENT", "Invalid JSON payload received.", []);
            return;
        }
        if (FcmRequest.Read(body, out var field) is not { Message: { Token: { } token } message })
        {
            await RefuseAsync(context, "", 400, "INVALID_ARGUMENT", "Request contains an invalid argument.", [Violation(field ?? "message")]);
            return;
        }
        if (!_devices.TryGetValue(token, out var isThere))
        {
            await RefuseAsync(context, token, 400, "INVALID_ARGUMENT",
                "The registration token is not a valid FCM registration token", [Detail("INVALID_ARGUMENT"), Violation("message.token")]);
            return;
        }
        if (!isThere)
        {
            await RefuseAsync(context, token, 404, "NOT_FOUND", "Requested entity was not found.", [Detail("UNREGISTERED")]);
            return;
        }
        await core.DeliverAsync(
            context, Received(message, body),
            behaviour =>
            {
                var word = behaviour.Reason!;
                GatewayCore.SetRetryAfter(context, behaviour.RetryAfter);
                return Codes.TryGetValue(word, out var code)
                    ? RefuseAsync(context, token, code.Status, code.General, "As the script says.", [Detail(word)])
                    : RefuseAsync(context, token, General.GetValueOrDefault(word, StatusCodes.Status400BadRequest), word, "As the script says.", []);
            },
            () =>
            {
                core.Note(context, GatewayProviders.Fcm, token, StatusCodes.Status200OK, "");
                return GatewayCore.WriteAsync(context, StatusCodes.Status200OK, new JsonObject
                {
                    ["name"] = $"projects/{core.Options.ProjectId}/messages/{Guid.NewGuid():N}",
                });
            });
    }

    private ReceivedPush Received(FcmMessageBody message, byte[] body)
    {
        var data = message.Data ?? [];
        return new()
        {
            Provider = GatewayProviders.Fcm,
            Token = message.Token!,
            Title = message.Notification?.Title,
            Body = message.Notification?.Body,
            Badge = message.Android?.Notification?.NotificationCount ?? JsonValue.Create(data.GetValueOrDefault("badge")).AsNumber(),
            IsSilent = message.Notification is null,
            CollapseKey = message.Android?.CollapseKey,
            ExpiresAt = message.Android?.Ttl is { } ttl && FcmRequest.Life(ttl) is { } life && life > TimeSpan.Zero ? core.Time.GetUtcNow() + life : null,
            ConversationId = data.GetValueOrDefault("conversation_id"),
            MessageId = data.GetValueOrDefault("message_id"),
            Seq = JsonValue.Create(data.GetValueOrDefault("seq")).AsNumber(),
            IsUrgent = message.Android?.Priority == "HIGH",
            Payload = Encoding.UTF8.GetString(body),
            Bytes = body.Length,
        };
    }

    private static JsonObject Detail(string code) => new()
    {
        ["@type"] = "type.googleapis.com/google.firebase.fcm.v1.FcmError",
        ["errorCode"] = code,
    };

    private static JsonObject Violation(string field) => new()
    {
        ["@type"] = "type.googleapis.com/google.rpc.BadRequest",
        ["fieldViolations"] = new JsonArray(new JsonObject { ["field"] = field, ["description"] = $"Invalid value at '{field}'" }),
    };

    private async Task RefuseAsync(HttpContext context, string token, int status, string general, string message, JsonObject[] details)
    {
        core.Note(context, GatewayProviders.Fcm, token, status, details.Select(detail => detail["errorCode"]?.ToString()).FirstOrDefault(code => code is not null) ?? general);
        await GatewayCore.WriteAsync(context, status, new JsonObject
        {
            ["error"] = new JsonObject
            {
                ["code"] = status,
                ["message"] = message,
                ["status"] = general,
                ["details"] = new JsonArray([.. details]),
            },
        });
    }
}
