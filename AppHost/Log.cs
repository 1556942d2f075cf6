using Microsoft.Extensions.Logging;

namespace WhatsAspire.AppHost;

/// <summary>Log messages of this project: event ids 8000–8099.</summary>
internal static partial class Log
{
    [LoggerMessage(8000, LogLevel.Warning, "{Service} ended with exit code {ExitCode}{Why}, and is started again in {DelaySeconds:F1} s.")]
    public static partial void Ended(this ILogger logger, string service, int? exitCode, string why, double delaySeconds);

    [LoggerMessage(8001, LogLevel.Warning, "{Service} was not started again: {Reason}.")]
    public static partial void NotStarted(this ILogger logger, string service, string? reason);

    [LoggerMessage(8002, LogLevel.Information, "{Service} runs again, as process {ProcessId}.")]
    public static partial void RunsAgain(this ILogger logger, string service, int processId);
}
