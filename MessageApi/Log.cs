using WhatsAspire.Contracts;

namespace WhatsAspire.MessageApi;

internal static partial class Log
{
    [LoggerMessage(2000, LogLevel.Error, "{Sends} sends could not be stored")]
    public static partial void AppendFailed(this ILogger logger, int sends, Exception exception);

    [LoggerMessage(2001, LogLevel.Error, "An operation of an edge's stream failed")]
    public static partial void OperationFailed(this ILogger logger, Exception exception);

    [LoggerMessage(2002, LogLevel.Warning, "A logged-out device's connections could not be found; they end when their tokens are checked again")]
    public static partial void RevocationNotAnnounced(this ILogger logger, Exception exception);

    [LoggerMessage(2003, LogLevel.Warning, "A group's receipt could not be told; the next one says it too")]
    public static partial void GroupReceiptNotTold(this ILogger logger, Exception exception);

    [LoggerMessage(2010, LogLevel.Warning, "Changes of the group {Group} could not be put into its log, and are tried again")]
    public static partial void GroupNotLogged(this ILogger logger, ConversationId group, Exception exception);

    [LoggerMessage(2011, LogLevel.Warning, "Groups whose logs lack changes could not be looked for")]
    public static partial void GroupsNotSwept(this ILogger logger, Exception exception);

    [LoggerMessage(2012, LogLevel.Information, "{Changes} changes of {Groups} groups were put into their logs late")]
    public static partial void GroupsSwept(this ILogger logger, int changes, int groups);

    [LoggerMessage(2020, LogLevel.Warning, "The queue did not take {Entries} entries of a large group, which go from the sender's edge: {Reason}")]
    public static partial void FanoutFellBack(this ILogger logger, int entries, string reason);

    [LoggerMessage(2021, LogLevel.Information, "The queue is not ready for entries of large groups: {Reason}")]
    public static partial void FanoutNotReady(this ILogger logger, string reason);
}
