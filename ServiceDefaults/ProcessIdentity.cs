using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;

namespace WhatsAspire.ServiceDefaults;

/// <summary>Names one process for good: its id may be given to another process, its id and start time may not.</summary>
/// <param name="ProcessId">The operating system's id.</param>
/// <param name="StartedAt">When it was started.</param>
public sealed record ProcessIdentity(int ProcessId, DateTimeOffset StartedAt)
{
    /// <summary>The environment variable that names the process whose end is the end of this one too.</summary>
    public const string ParentVariable = "WHATSASPIRE_PARENT";

    /// <summary>Each process derives start times from its own reading of the clock and the up-time.</summary>
    private static readonly TimeSpan ClockError = TimeSpan.FromSeconds(2);

    /// <summary>The identity of the process that asks.</summary>
    public static ProcessIdentity Current()
    {
        using var process = Process.GetCurrentProcess();
        return new(process.Id, process.StartTime);
    }

    /// <summary>Reads what <see cref="ToString"/> wrote.</summary>
    /// <exception cref="FormatException">It is something else; the message says what.</exception>
    public static ProcessIdentity Parse(string text)
    {
        var parts = text.Split(':');
        return parts.Length == 2
            && int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out var id)
            && long.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out var milliseconds)
            ? new(id, DateTimeOffset.FromUnixTimeMilliseconds(milliseconds))
            : throw new FormatException(
                $"{ParentVariable} is '{text}', but should be a process id and its start in Unix milliseconds, as in '4711:1700000000000'.");
    }

    /// <summary>Whether the process still runs; false for another process that has got its id since.</summary>
    public bool IsAlive()
    {
        try
        {
            using var process = Process.GetProcessById(ProcessId);
            return (process.StartTime - StartedAt).Duration() < ClockError;
        }
        catch (Exception gone) when (gone is ArgumentException or InvalidOperationException or Win32Exception)
        {
            return false;
        }
    }

    /// <inheritdoc/>
    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{ProcessId}:{StartedAt.ToUnixTimeMilliseconds()}");
}
