using System.Globalization;

namespace WhatsAspire.AppHost;

/// <summary>What the command line asks for.</summary>
/// <param name="Engines">Which engines to run on; see <see cref="BuiltEngines"/>.</param>
/// <param name="Port">The public TCP port on localhost, 1 to 65535.</param>
/// <param name="DataPath">The folder that holds everything durable, as an absolute path.</param>
internal sealed record AppHostOptions(string Engines, int Port, string DataPath)
{
    public const string Embedded = "embedded";

    public const string Usage = """
        Usage: dotnet run --project AppHost [-- OPTIONS]
          --engines embedded   what to run on (default: embedded)
          --port N             the public port on localhost, 1 to 65535 (default: 8080)
          --data DIR           the folder that holds everything durable (default: .data beside the solution)
        """;

    private const string EnginesOption = "--engines";
    private const string PortOption = "--port";
    private const string DataOption = "--data";

    // Of the host and of Aspire, which read them for themselves.
    private static readonly string[] OptionsOfOthers =
        ["--publisher", "--output-path", "--operation", "--step", "--list-steps", "--log-level", "--clear-cache", "--environment",
            "--contentRoot", "--applicationName", "--include-exception-details"];

    private static readonly string[] KnownEngines = [Embedded, "containers", "local", "external"];

    private static readonly string[] BuiltEngines = [Embedded];

    /// <summary>Reads the options. Those of Aspire, and settings (<c>--Section:Name value</c>), are left to others; one that
    /// nobody knows is refused, since who misspells an option must not get the default of another.</summary>
    /// <param name="args">The arguments, as <c>--name value</c> or <c>--name=value</c>.</param>
    /// <param name="defaultDataPath">The folder taken where none is named.</param>
    /// <exception cref="BadOptionException">A value is missing or can't be; the message is for the user.</exception>
    public static AppHostOptions Parse(IReadOnlyList<string> args, string defaultDataPath)
    {
        RefuseUnknown(args);
        var engines = Value(args, EnginesOption) ?? Embedded;
        if (!KnownEngines.Contains(engines))
            throw new BadOptionException($"{EnginesOption} is '{engines}', which there is not. Allowed: {string.Join(", ", BuiltEngines)}.");
        if (!BuiltEngines.Contains(engines))
            throw new BadOptionException($"{EnginesOption} {engines} is not built yet. Allowed: {string.Join(", ", BuiltEngines)}.");

        var port = 8080;
        if (Value(args, PortOption) is { } text
            && (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out port) || port is < 1 or > 65535))
            throw new BadOptionException($"{PortOption} is '{text}', but should be a number from 1 to 65535.");

        return new(engines, port, Path.GetFullPath(Value(args, DataOption) ?? defaultDataPath));
    }

    private static void RefuseUnknown(IReadOnlyList<string> args)
    {
        var isValue = false;
        foreach (var arg in args)
        {
            if (!arg.StartsWith("--", StringComparison.Ordinal))
            {
                if (!isValue) throw new BadOptionException($"'{arg}' is not an option.");
                isValue = false;
                continue;
            }

            var name = arg.Split('=')[0];
            if (name is not (EnginesOption or PortOption or DataOption) && !OptionsOfOthers.Contains(name)
                && !name.Contains(':', StringComparison.Ordinal) && !name.StartsWith("--dcp-", StringComparison.Ordinal))
                throw new BadOptionException($"There is no option {name}.");
            isValue = !arg.Contains('=', StringComparison.Ordinal);
        }
    }

    private static string? Value(IReadOnlyList<string> args, string option)
    {
        string? value = null;
        for (var i = 0; i < args.Count; i++)
        {
            if (args[i] == option)
                value = i + 1 < args.Count && !args[i + 1].StartsWith("--", StringComparison.Ordinal) ? args[i + 1] : "";
            else if (args[i].StartsWith(option + "=", StringComparison.Ordinal))
                value = args[i][(option.Length + 1)..];
        }

        return value is "" ? throw new BadOptionException($"{option} needs a value.") : value;
    }
}

/// <summary>Something that the user asked for can't be; the message says what, for the user.</summary>
internal sealed class BadOptionException(string message, Exception? cause = null) : Exception(message, cause);
