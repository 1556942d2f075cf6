using System.Diagnostics;

namespace WhatsAspire.LocalEngines;

/// <summary>One server of a real engine, run as a plain process with a folder of its own.</summary>
public interface ILocalEngine
{
    /// <summary>What its process and its log are called.</summary>
    string Name { get; }

    /// <summary>The folder that holds its settings and its data, and nothing else.</summary>
    string Folder { get; }

    /// <summary>How to start it, once <see cref="PrepareAsync"/> has run.</summary>
    EngineProcess Process { get; }

    /// <summary>Makes the folder ready: the settings are written anew, data that are there stay.</summary>
    Task PrepareAsync(CancellationToken cancellationToken);

    /// <summary>Asks the running engine once whether it serves its clients; false while it starts or after it died.</summary>
    Task<bool> IsReadyAsync(CancellationToken cancellationToken);
}

/// <summary>A command line.</summary>
public sealed record EngineProcess
{
    /// <summary>The program's full path.</summary>
    public required string FileName { get; init; }

    public IReadOnlyList<string> Arguments { get; init; } = [];

    /// <summary>Set on top of what the starting process has.</summary>
    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>();

    public required string WorkingDirectory { get; init; }

    /// <summary>The user to run as; null for the one that starts it.</summary>
    public UnixUser? RunAs { get; init; }

    /// <summary>The signal that asks it to end, after which it needs no recovery at its next start.</summary>
    public int StopSignal { get; init; } = 15;

    /// <summary>What <see cref="Process.Start(ProcessStartInfo)"/> takes.</summary>
    /// <param name="endWithParent">Whether the kernel kills it when the thread that started it ends, and so at the latest
    /// with that thread's process, however that ends.</param>
    public ProcessStartInfo ToStartInfo(bool endWithParent = false)
    {
        // Of util-linux, which every Linux but the smallest has: .NET can do neither between fork and exec.
        List<string> prefix = [];
        if (RunAs is { } user) prefix.AddRange(["--reuid", $"{user.Id}", "--regid", $"{user.Group}", "--clear-groups"]);
        if (endWithParent) prefix.AddRange(["--pdeathsig", "KILL"]);
        var start = prefix.Count == 0
            ? new ProcessStartInfo(FileName, Arguments)
            : new ProcessStartInfo("setpriv", [.. prefix, "--", FileName, .. Arguments]);
        start.WorkingDirectory = WorkingDirectory;
        foreach (var (name, value) in Environment) start.Environment[name] = value;
        return start;
    }
}
