namespace WhatsAspire.PushWorker;

/// <summary>Log messages of the senders: event ids 4050–4099. Never a token, an endpoint or a text.</summary>
internal static partial class SenderLog
{
    [LoggerMessage(4050, LogLevel.Information, "Notifications are sent by {Provider} to {Address}")]
    public static partial void SenderReady(this ILogger logger, string provider, Uri address);

    [LoggerMessage(4051, LogLevel.Error, "{Provider} does not take this system's credentials: {Reason}")]
    public static partial void CredentialsRefused(this ILogger logger, string provider, string reason);

    [LoggerMessage(4052, LogLevel.Warning, "{Provider} refused a notification: {Reason}")]
    public static partial void NotificationRefused(this ILogger logger, string provider, string reason);

    [LoggerMessage(4053, LogLevel.Warning, "An access token could not be had from {Address}: {Reason}")]
    public static partial void AccessTokenNotFetched(this ILogger logger, Uri address, string reason);

    [LoggerMessage(4054, LogLevel.Debug, "New credentials for {Provider}")]
    public static partial void CredentialsRenewed(this ILogger logger, string provider);

    [LoggerMessage(4055, LogLevel.Warning, "A browser's push endpoint is not one that may be called: {Reason}")]
    public static partial void EndpointForbidden(this ILogger logger, string reason);
}
