using Microsoft.Extensions.Logging;

namespace WhatsAspire.EngineHost;

/// <summary>Log messages of this project: event ids 9100–9199.</summary>
internal static partial class Log
{
    [LoggerMessage(9100, LogLevel.Information, "{Program} runs as process {ProcessId}.")]
    public static partial void Started(this ILogger logger, string program, int processId);

    [LoggerMessage(9101, LogLevel.Error, "{Program} ended with exit code {ExitCode}, unasked.")]
    public static partial void Ended(this ILogger logger, string program, int exitCode);

    [LoggerMessage(9102, LogLevel.Warning, "{Program}, process {ProcessId}, did not end within {Seconds} s, and was killed.")]
    public static partial void Killed(this ILogger logger, string program, int processId, double seconds);

    [LoggerMessage(9103, LogLevel.Warning, "{Count} processes that an earlier run left in {Folder} were killed.")]
    public static partial void KilledLeftovers(this ILogger logger, int count, string folder);
}
