namespace WhatsAspire.PushWorker;

internal static partial class Log
{
    [LoggerMessage(4000, LogLevel.Warning, "A push has to wait: {Reason}")]
    public static partial void PushWaits(this ILogger logger, string reason);

    [LoggerMessage(4001, LogLevel.Information, "That something was pushed could not be noted in Redis; when it is read elsewhere it stays shown: {Reason}")]
    public static partial void MarkNotKept(this ILogger logger, string reason);

    [LoggerMessage(4002, LogLevel.Warning, "A device is registered with {Provider}, which is not set up here; nothing is sent to it")]
    public static partial void ProviderNotConfigured(this ILogger logger, string provider);

    [LoggerMessage(4003, LogLevel.Warning, "{Provider} is left in peace for a while: {Reason}")]
    public static partial void ProviderLeftInPeace(this ILogger logger, string provider, string reason);
}
