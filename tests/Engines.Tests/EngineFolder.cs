using WhatsAspire.LocalEngines;

namespace WhatsAspire.Engines.Tests;

/// <summary>A folder for engines, which goes away with everything in it. Others may pass through it: an engine that
/// root starts may run as another user.</summary>
internal sealed class EngineFolder : IDisposable
{
    private readonly DirectoryInfo _folder = System.IO.Directory.CreateTempSubdirectory("whatsaspire-engines-");

    public EngineFolder() =>
        File.SetUnixFileMode(_folder.FullName, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.OtherExecute);

    public string Of(string engine) => Path.Combine(_folder.FullName, engine);

    public void Dispose() => _folder.Delete(recursive: true);
}

/// <summary>What a server that was killed needs to be started again.</summary>
internal static class EngineRestart
{
    /// <summary>Starts an engine again. What a killed one left, child processes that have yet to notice among it, may
    /// refuse the first tries.</summary>
    public static async Task StartAgainAsync(this RunningEngine engine, TimeSpan patience, CancellationToken cancellationToken)
    {
        var started = System.Diagnostics.Stopwatch.GetTimestamp();
        while (true)
        {
            try
            {
                await engine.StartAsync(patience, cancellationToken);
                return;
            }
            catch (InvalidOperationException) when (System.Diagnostics.Stopwatch.GetElapsedTime(started) < patience)
            {
                // Tried again at once: a start that fails takes its time.
            }
        }
    }
}
