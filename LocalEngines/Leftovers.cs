using System.Diagnostics;
using System.Globalization;
using System.Runtime.Versioning;

namespace WhatsAspire.LocalEngines;

/// <summary>Processes that an engine left when its main process was killed. They are of no use, hold locks on its data, and
/// don't always notice: a process of PostgreSQL that waits for a lock which another one took to its grave waits for ever,
/// and the server does not start beside it.</summary>
[SupportedOSPlatform("linux")]
public static class Leftovers
{
    /// <summary>Kills every process that works in an engine's folder; to be called while the engine is known not to run.</summary>
    /// <param name="folder">The folder, which is that engine's alone.</param>
    /// <returns>How many there were.</returns>
    public static int Kill(string folder)
    {
        var killed = 0;
        foreach (var directory in Directory.EnumerateDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(directory), NumberStyles.None, CultureInfo.InvariantCulture, out var id)
                || id == Environment.ProcessId || !WorksIn(directory, folder))
                continue;
            try
            {
                using var process = Process.GetProcessById(id);
                process.Kill();
                killed++;
            }
            catch (Exception gone) when (gone is ArgumentException or InvalidOperationException)
            {
                // It has ended meanwhile.
            }
        }

        return killed;
    }

    private static bool WorksIn(string process, string folder)
    {
        try
        {
            return File.ResolveLinkTarget($"{process}/cwd", returnFinalTarget: false)?.FullName is { } at
                && (at == folder || at.StartsWith(folder + "/", StringComparison.Ordinal));
        }
        catch (Exception unseen) when (unseen is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
