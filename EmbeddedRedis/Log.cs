using Microsoft.Extensions.Logging;

namespace WhatsAspire.EmbeddedRedis;

/// <summary>Log messages of this project: event ids 9000–9099.</summary>
internal static partial class Log
{
    [LoggerMessage(9000, LogLevel.Information, "Embedded Redis listens on 127.0.0.1:{Port} and keeps its data in {Path}.")]
    public static partial void Listening(this ILogger logger, int port, string path);
}
