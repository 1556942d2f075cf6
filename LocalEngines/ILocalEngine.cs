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
}
