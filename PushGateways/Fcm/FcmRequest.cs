using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace WhatsAspire.PushGateways.Fcm;

/// <summary>A request to <c>messages:send</c>, as far as this system uses it. A field that is not here is an error.</summary>
internal sealed record FcmRequest(FcmMessageBody? Message, bool ValidateOnly = false)
{
    private const int MaxData = 4096;
    private const double MaxLifeSeconds = 28 * 24 * 3600;

    /// <summary>Words that FCM keeps for itself among the keys of data.</summary>
    private static readonly string[] OwnKeys = ["from", "message_type", "notification", "collapse_key"];

    private static readonly JsonSerializerOptions Strict = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    };

    /// <summary>Reads a body.</summary>
    /// <param name="body">JSON.</param>
    /// <param name="field">Where the request is wrong; null: nowhere.</param>
    public static FcmRequest? Read(byte[] body, out string? field)
    {
        FcmRequest? request;
        try
        {
            request = JsonSerializer.Deserialize<FcmRequest>(body, Strict);
        }
        catch (JsonException e)
        {
            field = e.Path ?? "";
            return null;
        }
        field = request?.FindFault();
        return field is null ? request : null;
    }

    private string? FindFault()
    {
        if (Message is null) return "message";
        if (string.IsNullOrEmpty(Message.Token)) return "message.token";
        var data = Message.Data ?? [];
        if (data.Any(pair => pair.Value is null || OwnKeys.Contains(pair.Key)
            || pair.Key.StartsWith("google", StringComparison.Ordinal) || pair.Key.StartsWith("gcm", StringComparison.Ordinal)))
            return "message.data";
        var bytes = data.Sum(pair => Bytes(pair.Key) + Bytes(pair.Value)) + Bytes(Message.Notification?.Title) + Bytes(Message.Notification?.Body);
        if (bytes > MaxData) return "message";
        if (Message.Android is not { } android) return null;
        if (android.Priority is not (null or "HIGH" or "NORMAL")) return "message.android.priority";
        if (android.Ttl is not null && Life(android.Ttl) is null) return "message.android.ttl";
        return android.Notification?.NotificationCount < 0 ? "message.android.notification.notification_count" : null;
    }

    /// <summary>A duration as JSON has it: seconds, and an s.</summary>
    public static TimeSpan? Life(string text) =>
        text.EndsWith('s') && double.TryParse(text[..^1], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var seconds)
        && seconds is >= 0 and <= MaxLifeSeconds
            ? TimeSpan.FromSeconds(seconds)
            : null;

    private static int Bytes(string? text) => text is null ? 0 : Encoding.UTF8.GetByteCount(text);
}

internal sealed record FcmMessageBody(string? Token, FcmNotification? Notification, Dictionary<string, string>? Data, FcmAndroid? Android);

internal sealed record FcmNotification(string? Title, string? Body);

internal sealed record FcmAndroid(string? Priority, string? Ttl, string? CollapseKey, FcmAndroidNotification? Notification);

internal sealed record FcmAndroidNotification(string? Tag, int? NotificationCount);
