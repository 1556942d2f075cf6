using System.Text.Json.Serialization;

namespace WhatsAspire.MessageApi.Push;

// Classes, as other bodies that hold secrets: a record's ToString would put the token within reach of a log.

/// <summary><c>PUT /devices/current/push</c>.</summary>
internal sealed class PushRequest
{
    /// <summary><c>apns</c>, <c>fcm</c> or <c>webpush</c>.</summary>
    public string? Provider { get; init; }

    /// <summary>The device's token: of <c>apns</c> hexadecimal, of <c>webpush</c> the subscription's endpoint.</summary>
    public string? Token { get; init; }

    /// <summary>Of <c>apns</c>: the app's bundle id; the server's default unless given.</summary>
    public string? Topic { get; init; }

    /// <summary>Of <c>apns</c>: a token of the development environment.</summary>
    public bool? Sandbox { get; init; }

    /// <summary>Of <c>webpush</c>: the subscription's keys.</summary>
    public PushKeysRequest? Keys { get; init; }

    /// <summary><c>shown</c>, or <c>hidden</c>: neither sender nor text in notifications. <c>shown</c> unless given.</summary>
    public string? Content { get; init; }
}

/// <summary>The keys of a browser's push subscription, base64url without padding.</summary>
internal sealed class PushKeysRequest
{
    /// <summary>An uncompressed point of P-256, 65 bytes.</summary>
    public string? P256dh { get; init; }

    /// <summary>16 bytes.</summary>
    public string? Auth { get; init; }
}

/// <summary>Source-generated serialization of these.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(PushRequest))]
internal sealed partial class PushJson : JsonSerializerContext;
