using Microsoft.Extensions.Options;
using WhatsAspire.LocalEngines;

namespace WhatsAspire.EngineHost;

/// <summary>The program that this process runs, and ends with itself.</summary>
internal sealed class EngineHostOptions
{
    /// <summary>The section of the configuration: <c>EngineHost__Program</c>, <c>EngineHost__Arguments__0</c> …</summary>
    public const string SectionName = "EngineHost";

    /// <summary>The program's full path.</summary>
    public string Program { get; set; } = "";

    public IList<string> Arguments { get; } = [];

    /// <summary>The folder that it starts in.</summary>
    public string WorkingDirectory { get; set; } = "";

    /// <summary>The numbers of the user and his group to run it as, as in <c>101:104</c>; empty for this process' own.</summary>
    public string RunAs { get; set; } = "";

    /// <summary>The signal that asks it to end, 1 to 31.</summary>
    public int StopSignal { get; set; } = ProcessSignals.Terminate;

    /// <summary>How long it may take to end before it is killed. 1 to 24 s: a host that is asked to end has 25.</summary>
    public TimeSpan StopTimeout { get; set; } = TimeSpan.FromSeconds(20);

    /// <summary>The command line that this means.</summary>
    public EngineProcess ToProcess() => new()
    {
        FileName = Program,
        Arguments = [.. Arguments],
        WorkingDirectory = WorkingDirectory,
        RunAs = UnixUser.TryParse(RunAs),
        StopSignal = StopSignal,
    };
}

/// <inheritdoc/>
internal sealed class EngineHostOptionsValidator : IValidateOptions<EngineHostOptions>
{
    public ValidateOptionsResult Validate(string? name, EngineHostOptions options)
    {
        var result = new ValidateOptionsResultBuilder();
        if (!File.Exists(options.Program))
            result.AddError($"is '{options.Program}', but should be the path of a program.", Key(nameof(options.Program)));
        if (!Directory.Exists(options.WorkingDirectory))
            result.AddError($"is '{options.WorkingDirectory}', but should be a folder.", Key(nameof(options.WorkingDirectory)));
        if (options.RunAs.Length > 0 && UnixUser.TryParse(options.RunAs) is null)
            result.AddError($"is '{options.RunAs}', but should be a user's and a group's number, as in 101:104.", Key(nameof(options.RunAs)));
        if (options.StopSignal is < 1 or > 31)
            result.AddError($"is {options.StopSignal}, but should be 1 to 31.", Key(nameof(options.StopSignal)));
        if (options.StopTimeout < TimeSpan.FromSeconds(1) || options.StopTimeout > TimeSpan.FromSeconds(24))
            result.AddError($"is {options.StopTimeout}, but should be 1 to 24 s.", Key(nameof(options.StopTimeout)));
        return result.Build();
    }

    private static string Key(string property) => $"{EngineHostOptions.SectionName}:{property}";
}
