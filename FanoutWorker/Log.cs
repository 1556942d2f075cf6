namespace WhatsAspire.FanoutWorker;

internal static partial class Log
{
    [LoggerMessage(3000, LogLevel.Warning, "The fan-out of an entry has to wait: {Reason}")]
    public static partial void FanoutWaits(this ILogger logger, string reason);

    [LoggerMessage(3001, LogLevel.Warning, "Edge {Edge} does not confirm what is for its connections; it is not waited for, and tried again")]
    public static partial void EdgeSilent(this ILogger logger, string edge);

    [LoggerMessage(3002, LogLevel.Error, "{Members} members of {Conversation} could not be given {Seq}; their edges' activity checks will find it")]
    public static partial void FanoutExpired(this ILogger logger, int members, Contracts.ConversationId conversation, long seq);

    [LoggerMessage(3003, LogLevel.Error, "{Conversation} has no entry {Seq}, which is to be fanned out")]
    public static partial void EntryMissing(this ILogger logger, Contracts.ConversationId conversation, long seq);
}
