using Microsoft.Extensions.Logging;

namespace WhatsAspire.ServiceDefaults;

/// <summary>Log messages of this project: event ids 7000–7099.</summary>
internal static partial class Log
{
    [LoggerMessage(7000, LogLevel.Warning, "Process {ProcessId}, which this one was started for, is gone: stopping.")]
    public static partial void ParentIsGone(this ILogger logger, int processId);
}
