using System.Text.Json;

namespace WhatsAspire.PushWorker.Apns;

/// <summary>The body of a request: Apple's <c>aps</c>, and our own fields beside it.</summary>
internal static class ApnsPayload
{
    /// <summary>Apple's limit, bytes.</summary>
    public const int MaxBytes = 4096;

    public static byte[] Write(PushNotification notification, ApnsOptions options) =>
        notification.IsSilent
            ? PushPayload.Write(json => WriteSilent(json, notification))
            : FittingText.Fit(notification.Title, notification.Body, MaxBytes,
                (title, body) => PushPayload.Write(json => WriteAlert(json, notification, title, body, options)));

    private static void WriteAlert(Utf8JsonWriter json, PushNotification notification, string title, string body, ApnsOptions options)
    {
        json.WriteStartObject("aps");
        json.WriteStartObject("alert");
        json.WriteString("title", title);
        json.WriteString("body", body);
        json.WriteEndObject();
        json.WriteNumber("badge", notification.Badge);
        if (options.Sound.Length > 0) json.WriteString("sound", options.Sound);
        json.WriteString("thread-id", notification.Conversation.ToString());
        if (options.IsMutable) json.WriteNumber("mutable-content", 1);
        json.WriteEndObject();
        WriteOwn(json, notification);
    }

    /// <summary>Apple wants nothing but <c>content-available</c> in the <c>aps</c> of a background notification, so the
    /// badge stands among our own fields, and the app sets it.</summary>
    private static void WriteSilent(Utf8JsonWriter json, PushNotification notification)
    {
        json.WriteStartObject("aps");
        json.WriteNumber("content-available", 1);
        json.WriteEndObject();
        WriteOwn(json, notification);
        json.WriteNumber(PushPayload.Badge, notification.Badge);
    }

    private static void WriteOwn(Utf8JsonWriter json, PushNotification notification)
    {
        json.WriteString(PushPayload.ConversationId, notification.Conversation.ToString());
        if (notification.Message is { } message) json.WriteString(PushPayload.MessageId, message.ToString());
        json.WriteNumber(PushPayload.Seq, notification.Seq);
    }
}
