using Microsoft.Extensions.Logging;

namespace WhatsAspire.Backplane;

internal static partial class Log
{
    [LoggerMessage(5000, LogLevel.Warning, "Could not count the activity of {Users} users; their edges will look for themselves")]
    public static partial void ActivityNotCounted(this ILogger logger, int users, Exception exception);

    [LoggerMessage(5001, LogLevel.Warning, "Could not look up sessions for {Events} live events; only local connections get them now, the others by redelivery")]
    public static partial void LookUpFailed(this ILogger logger, int events, Exception exception);

    [LoggerMessage(5002, LogLevel.Information, "Connected to edge {Edge} at {Address}")]
    public static partial void EdgeLinkOpened(this ILogger logger, string edge, Uri address);

    [LoggerMessage(5003, LogLevel.Warning, "Lost edge {Edge} at {Address}: {Reason}")]
    public static partial void EdgeLinkLost(this ILogger logger, string edge, Uri address, string reason);

    [LoggerMessage(5004, LogLevel.Warning, "{Deliveries} deliveries to edge {Edge} did not get through")]
    public static partial void DeliveriesDropped(this ILogger logger, int deliveries, string edge);

    [LoggerMessage(5020, LogLevel.Warning, "A handler failed on '{Type}' of {Topic}/{Partition} at {Offset}, attempt {Attempt}; it is tried again")]
    public static partial void HandlerFailed(
        this ILogger logger, string type, string topic, int partition, long offset, int attempt, Exception exception);

    [LoggerMessage(5021, LogLevel.Error, "'{Type}' of {Topic}/{Partition} at {Offset} went to the dead letters of group {Group}: {Reason}")]
    public static partial void EventDied(
        this ILogger logger, string type, string topic, int partition, long offset, string group, string reason);

    [LoggerMessage(5022, LogLevel.Warning, "{Topic}/{Partition} at {Offset} could not be written to the dead letters, and waits")]
    public static partial void DeadLetterDelayed(this ILogger logger, string topic, int partition, long offset, Exception exception);

    [LoggerMessage(5023, LogLevel.Warning, "Work on {Topic}/{Partition} for group {Group} was left under way: another owner will do it again")]
    public static partial void WorkAbandoned(this ILogger logger, string topic, string group, int partition);

    [LoggerMessage(5024, LogLevel.Critical, "The work on {Topic}/{Partition} for group {Group} ended by a fault")]
    public static partial void WorkerFailed(this ILogger logger, string topic, string group, int partition, Exception exception);

    [LoggerMessage(5030, LogLevel.Error, "A commit of {Writes} writes to the queue's file '{File}' failed (SQLite {Code})")]
    public static partial void QueueWriteFailed(this ILogger logger, string file, int writes, int code, Exception exception);

    [LoggerMessage(5031, LogLevel.Warning, "The subscription to {Topic} of group {Group} has to wait: {Reason}")]
    public static partial void SubscriptionDelayed(this ILogger logger, string topic, string group, string reason);

    [LoggerMessage(5032, LogLevel.Error, "{Events} events of {Topic}/{Partition} were too old to be kept before group {Group} consumed them")]
    public static partial void EventsExpired(this ILogger logger, long events, string topic, int partition, string group);

    [LoggerMessage(5033, LogLevel.Warning, "{Topic}/{Partition} of group {Group} went to another owner without being released")]
    public static partial void PartitionLost(this ILogger logger, string topic, int partition, string group);

    [LoggerMessage(5034, LogLevel.Warning, "The queue could not be trimmed, and is tried again: {Reason}")]
    public static partial void TrimFailed(this ILogger logger, string reason);

    [LoggerMessage(5040, LogLevel.Warning, "Kafka's {Client} reports {Code}: {Reason}")]
    public static partial void KafkaError(this ILogger logger, string client, string code, string reason);

    [LoggerMessage(5041, LogLevel.Debug, "{Client} {Facility}: {Message}")]
    public static partial void KafkaLog(this ILogger logger, string client, string facility, string message);

    [LoggerMessage(5042, LogLevel.Information, "An offset of {Topic}/{Partition} could not be stored for group {Group}: {Reason}")]
    public static partial void OffsetNotStored(this ILogger logger, string topic, int partition, string group, string reason);

    [LoggerMessage(5043, LogLevel.Error, "The subscription to {Topic} of group {Group} failed, and begins anew")]
    public static partial void SubscriptionFailed(this ILogger logger, string topic, string group, Exception exception);

    [LoggerMessage(5050, LogLevel.Warning, "The redeliveries of {Conversations} conversations wait for the queue: {Reason}")]
    public static partial void RedeliveryDelayed(this ILogger logger, int conversations, string reason);

    [LoggerMessage(5051, LogLevel.Error, "A redelivery could not be put on the queue, and is left to the activity check")]
    public static partial void RedeliveryRefused(this ILogger logger, Exception exception);

    [LoggerMessage(5060, LogLevel.Warning, "{Events} events for push wait for the queue: {Reason}")]
    public static partial void PushDelayed(this ILogger logger, int events, string reason);

    [LoggerMessage(5061, LogLevel.Error, "An event for push could not be put on the queue, and is dropped")]
    public static partial void PushRefused(this ILogger logger, Exception exception);

    [LoggerMessage(5062, LogLevel.Information, "Whether {Reads} reads concern something that was pushed is not known, and all go on the queue: {Reason}")]
    public static partial void PushedNotKnown(this ILogger logger, int reads, string reason);
}
