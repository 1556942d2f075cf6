namespace WhatsAspire.MessageApi;

internal static partial class Log
{
    [LoggerMessage(2000, LogLevel.Error, "{Sends} sends could not be stored")]
    public static partial void AppendFailed(this ILogger logger, int sends, Exception exception);

    [LoggerMessage(2001, LogLevel.Error, "An operation of an edge's stream failed")]
    public static partial void OperationFailed(this ILogger logger, Exception exception);

    [LoggerMessage(2002, LogLevel.Warning, "A logged-out device's connections could not be found; they end when their tokens are checked again")]
    public static partial void RevocationNotAnnounced(this ILogger logger, Exception exception);
}
