using Microsoft.Extensions.Logging;

namespace WhatsAspire.ServiceDefaults;

/// <summary>Log messages of this project: event ids 7000–7099.</summary>
internal static partial class Log
{
    [LoggerMessage(7000, LogLevel.Warning, "Process {ProcessId}, which this one was started for, is gone: stopping.")]
    public static partial void ParentIsGone(this ILogger logger, int processId);

    [LoggerMessage(7010, LogLevel.Information, "The settings file {Path} was read again")]
    public static partial void SettingsFileRead(this ILogger logger, string path);

    [LoggerMessage(7011, LogLevel.Error, "The settings file {Path} can't be used, and what it said before holds: {Reason}")]
    public static partial void SettingsFileRefused(this ILogger logger, string path, string reason);

    [LoggerMessage(7012, LogLevel.Error, "Changed settings of section {Section} can't be used, and those from before hold: {Reason}")]
    public static partial void SettingsRefused(this ILogger logger, string section, string reason);
}
