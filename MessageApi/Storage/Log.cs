namespace WhatsAspire.MessageApi.Storage;

/// <summary>What the message store logs. Event ids 2100 to 2199, never renumbered.</summary>
internal static partial class StoreLog
{
    [LoggerMessage(2100, LogLevel.Information, "The message store has opened {Path}")]
    public static partial void Opened(this ILogger logger, string path);

    [LoggerMessage(2101, LogLevel.Information, "The message store has closed {Path}")]
    public static partial void Closed(this ILogger logger, string path);

    [LoggerMessage(2102, LogLevel.Error, "A commit of {Operations} operations failed; none of them was acknowledged. The folder is opened again")]
    public static partial void CommitFailed(this ILogger logger, int operations, Exception exception);

    [LoggerMessage(2103, LogLevel.Error, "The message store cannot open {Path}; every call fails until it can")]
    public static partial void ReopenFailed(this ILogger logger, string path, Exception exception);

    [LoggerMessage(2104, LogLevel.Information, "The old bytes of {Entries} deleted entries were removed from the files")]
    public static partial void Purged(this ILogger logger, int entries);

    [LoggerMessage(2105, LogLevel.Warning, "The old bytes of deleted entries could not be removed from the files; tried again at the next interval")]
    public static partial void PurgeFailed(this ILogger logger, Exception exception);

    [LoggerMessage(2106, LogLevel.Information, "The schema of the message store was brought up to date by {Script}")]
    public static partial void MigrationApplied(this ILogger logger, string script);
}
