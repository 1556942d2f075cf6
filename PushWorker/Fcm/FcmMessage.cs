using System.Globalization;
using System.Text.Json;

namespace WhatsAspire.PushWorker.Fcm;

/// <summary>The body of a request to <c>messages:send</c>.</summary>
internal static class FcmMessage
{
    /// <summary>The limit for what a message carries, kept for the whole body, bytes.</summary>
    public const int MaxBytes = 4096;

    /// <summary>The longest that a message waits for its device.</summary>
    private static readonly TimeSpan MaxLife = TimeSpan.FromDays(28);

    public static byte[] Write(string token, PushNotification notification, DateTimeOffset now) =>
        FittingText.Fit(notification.Title, notification.Body, MaxBytes,
            (title, body) => PushPayload.Write(json => Write(json, token, notification, title, body, now)));

    private static void Write(Utf8JsonWriter json, string token, PushNotification notification, string title, string body, DateTimeOffset now)
    {
        var conversation = notification.Conversation.ToString();
        json.WriteStartObject("message");
        json.WriteString("token", token);
        if (!notification.IsSilent)
        {
            json.WriteStartObject("notification");
            json.WriteString("title", title);
            json.WriteString("body", body);
            json.WriteEndObject();
        }

        // Values of data are strings.
        json.WriteStartObject("data");
        json.WriteString(PushPayload.ConversationId, conversation);
        if (notification.Message is { } message) json.WriteString(PushPayload.MessageId, message.ToString());
        json.WriteString(PushPayload.Seq, notification.Seq.ToString(CultureInfo.InvariantCulture));
        json.WriteString(PushPayload.Badge, notification.Badge.ToString(CultureInfo.InvariantCulture));
        if (notification.IsSilent) json.WriteString(PushPayload.Silent, "true");
        json.WriteEndObject();

        json.WriteStartObject("android");
        json.WriteString("priority", notification.IsSilent ? "NORMAL" : "HIGH");
        json.WriteString("ttl", string.Create(CultureInfo.InvariantCulture, $"{Life(notification, now)}s"));
        json.WriteString("collapse_key", conversation);
        if (!notification.IsSilent)
        {
            json.WriteStartObject("notification");
            json.WriteString("tag", conversation);
            json.WriteNumber("notification_count", (int)Math.Min(notification.Badge, int.MaxValue));
            json.WriteEndObject();
        }
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static long Life(PushNotification notification, DateTimeOffset now) =>
        (long)Math.Clamp((notification.ExpiresAt - now).TotalSeconds, 0, MaxLife.TotalSeconds);
}
