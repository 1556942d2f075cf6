namespace WhatsAspire.ChatEdge;

internal static partial class Log
{
    [LoggerMessage(1000, LogLevel.Debug, "A handshake was given up: {Reason}")]
    public static partial void HandshakeAbandoned(this ILogger logger, string reason);

    [LoggerMessage(1001, LogLevel.Warning, "A hello could not be answered: {Reason}")]
    public static partial void HelloFailed(this ILogger logger, string reason);

    [LoggerMessage(1002, LogLevel.Warning, "A session could not be registered; the next renewal of the lease tries again")]
    public static partial void SessionNotRegistered(this ILogger logger, Exception exception);

    [LoggerMessage(1003, LogLevel.Warning, "A session could not be removed")]
    public static partial void SessionNotRemoved(this ILogger logger, Exception exception);

    [LoggerMessage(1004, LogLevel.Warning, "A pull could not be answered: {Reason}")]
    public static partial void PullFailed(this ILogger logger, string reason);

    [LoggerMessage(1005, LogLevel.Warning, "A slow connection waits for the message service to catch up: {Reason}")]
    public static partial void CatchUpDelayed(this ILogger logger, string reason);

    [LoggerMessage(1006, LogLevel.Error, "A slow connection could not be caught up, and was ended")]
    public static partial void CatchUpFailed(this ILogger logger, Exception exception);

    [LoggerMessage(1007, LogLevel.Error, "A live event could not be handed to a connection, which was ended")]
    public static partial void DeliveryFailed(this ILogger logger, Exception exception);

    [LoggerMessage(1010, LogLevel.Information, "The stream to the message service at {Address} stands")]
    public static partial void ApiStreamOpened(this ILogger logger, Uri address);

    [LoggerMessage(1011, LogLevel.Warning, "The stream to the message service at {Address} broke: {Reason}")]
    public static partial void ApiStreamLost(this ILogger logger, Uri address, string reason);

    [LoggerMessage(1012, LogLevel.Error, "An answer of the message service could not be handled")]
    public static partial void CompletionFailed(this ILogger logger, Exception exception);

    [LoggerMessage(1013, LogLevel.Warning, "Where the message service is could not be found out: {Reason}")]
    public static partial void ApiNotResolved(this ILogger logger, string reason);

    [LoggerMessage(1020, LogLevel.Warning, "This edge's lease could not be renewed")]
    public static partial void LeaseNotRenewed(this ILogger logger, Exception exception);

    [LoggerMessage(1021, LogLevel.Warning, "This edge's lease had vanished; all sessions are registered again")]
    public static partial void LeaseLost(this ILogger logger);

    [LoggerMessage(1022, LogLevel.Warning, "The activity check failed and is tried again: {Reason}")]
    public static partial void ActivityCheckFailed(this ILogger logger, string reason);

    [LoggerMessage(1023, LogLevel.Warning, "A redelivery waits: {Reason}")]
    public static partial void RedeliveryDelayed(this ILogger logger, string reason);
}
