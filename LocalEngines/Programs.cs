namespace WhatsAspire.LocalEngines;

/// <summary>Finds the programs of engines.</summary>
internal static class Programs
{
    /// <summary>The folders of <c>PATH</c>, and those that packages install into though a service's <c>PATH</c> may lack them.</summary>
    public static IReadOnlyList<string> SearchPath =>
    [
        .. (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries),
        "/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin",
    ];

    /// <summary>The first folder that has all of these programs.</summary>
    public static string? FolderWith(IEnumerable<string> folders, params string[] programs) =>
        folders.FirstOrDefault(folder => programs.All(program => File.Exists(Path.Combine(folder, program))));
}
