using Microsoft.Extensions.Logging;

namespace WhatsAspire.Backplane;

internal static partial class Log
{
    [LoggerMessage(5000, LogLevel.Warning, "Could not count the activity of {Users} users; their edges will look for themselves")]
    public static partial void ActivityNotCounted(this ILogger logger, int users, Exception exception);

    [LoggerMessage(5001, LogLevel.Warning, "Could not look up sessions for {Events} live events; only local connections get them now")]
    public static partial void LookUpFailed(this ILogger logger, int events, Exception exception);

    [LoggerMessage(5002, LogLevel.Information, "Connected to edge {Edge} at {Address}")]
    public static partial void EdgeLinkOpened(this ILogger logger, string edge, Uri address);

    [LoggerMessage(5003, LogLevel.Warning, "Lost edge {Edge} at {Address}: {Reason}")]
    public static partial void EdgeLinkLost(this ILogger logger, string edge, Uri address, string reason);

    [LoggerMessage(5004, LogLevel.Warning, "{Deliveries} deliveries to edge {Edge} did not get through")]
    public static partial void DeliveriesDropped(this ILogger logger, int deliveries, string edge);
}
