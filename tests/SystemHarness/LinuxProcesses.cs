using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;

namespace WhatsAspire.SystemHarness;

/// <summary>One process of a system under test.</summary>
/// <param name="ProcessId">The operating system's id.</param>
/// <param name="Name">The resource that it is a replica of, or the file name of its program where it is none of ours.</param>
/// <param name="Environment">The variables that it was started with.</param>
public sealed record SystemProcess(int ProcessId, string Name, IReadOnlyDictionary<string, string> Environment)
{
    /// <summary>Whether it is a replica of one of our services, rather than the AppHost, the orchestrator or the dashboard.</summary>
    public bool IsService => Environment.ContainsKey("WHATSASPIRE_PARENT");

    /// <summary>Where a replica itself answers REST, sockets and probes, without the proxy in front of all replicas.</summary>
    public Uri? Address => Environment.TryGetValue("Kestrel__Endpoints__http__Url", out var url) ? new Uri(url) : null;

    /// <summary>When it was started, to about 10 ms.</summary>
    public DateTimeOffset StartedAt()
    {
        using var process = Process.GetProcessById(ProcessId);
        return process.StartTime;
    }
}

/// <summary>Finds the processes of one system by a variable that all of them inherit, or by the folder that they work in, and
/// sends them signals.</summary>
internal static partial class LinuxProcesses
{
    public const int SigInt = 2;
    public const int SigKill = 9;
    public const int SigTerm = 15;
    public const int SigContinue = 18;
    public const int SigStop = 19;

    private const int NoSuchProcess = 3;

    /// <summary>Whether this process, and so every child of it, was started with SIGINT ignored.</summary>
    public static bool IgnoresInterrupts()
    {
        var ignored = File.ReadLines("/proc/self/status").First(line => line.StartsWith("SigIgn:", StringComparison.Ordinal));
        return (Convert.ToUInt64(ignored["SigIgn:".Length..].Trim(), 16) & (1UL << (SigInt - 1))) != 0;
    }

    /// <summary>The process that started another one; 0 when that has ended.</summary>
    public static int ParentOf(int processId)
    {
        try
        {
            // The name, in brackets, may hold anything.
            var fields = File.ReadAllText($"/proc/{processId}/stat").Split(')')[^1].Split(' ', StringSplitOptions.RemoveEmptyEntries);
            return int.Parse(fields[1], CultureInfo.InvariantCulture);
        }
        catch (IOException)
        {
            return 0;
        }
    }

    /// <summary>The processes that one has started and that still run.</summary>
    public static IReadOnlyList<int> ChildrenOf(int processId) =>
    [
        .. Directory.EnumerateDirectories("/proc").Select(Path.GetFileName)
            .Select(name => int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out var id) ? id : 0)
            .Where(id => id != 0 && ParentOf(id) == processId),
    ];

    /// <summary>The living processes whose environment has the variable with this value, and those without it that work in the
    /// folder: an engine writes over its environment to show what it is doing. Another value is another system, on the same folder.</summary>
    public static IReadOnlyList<SystemProcess> With(string variable, string value, string folder)
    {
        var found = new List<SystemProcess>();
        foreach (var directory in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(directory), NumberStyles.None, CultureInfo.InvariantCulture, out var id)
                && ReadEnvironment(directory) is { } environment
                && (environment.TryGetValue(variable, out var held) ? held == value : WorksIn(directory, folder)))
                found.Add(new(id, NameOf(directory, environment), environment));
        }

        return found;
    }

    /// <summary>Sends a signal; a process that is gone already is left in peace.</summary>
    public static void Signal(int processId, int signal)
    {
        if (Kill(processId, signal) != 0 && Marshal.GetLastPInvokeError() is var error && error != NoSuchProcess)
            throw new InvalidOperationException($"Signal {signal} to process {processId} failed with error {error}.");
    }

    private static bool WorksIn(string directory, string folder)
    {
        try
        {
            return File.ResolveLinkTarget($"{directory}/cwd", returnFinalTarget: false)?.FullName is { } at
                && (at == folder || at.StartsWith(folder + "/", StringComparison.Ordinal));
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>Null for a process that has ended meanwhile, is a zombie, or belongs to somebody else.</summary>
    private static Dictionary<string, string>? ReadEnvironment(string directory)
    {
        try
        {
            var variables = new Dictionary<string, string>();
            foreach (var entry in File.ReadAllText($"{directory}/environ").Split('\0', StringSplitOptions.RemoveEmptyEntries))
            {
                var separator = entry.IndexOf('=', StringComparison.Ordinal);
                if (separator > 0)
                    variables[entry[..separator]] = entry[(separator + 1)..];
            }

            return variables;
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static string NameOf(string directory, Dictionary<string, string> environment)
    {
        if (environment.ContainsKey("WHATSASPIRE_PARENT") && environment.TryGetValue("OTEL_SERVICE_NAME", out var service))
            return service;
        try
        {
            return File.ReadAllText($"{directory}/comm").Trim();
        }
        catch (IOException)
        {
            return "ended meanwhile";
        }
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int processId, int signal);
}
