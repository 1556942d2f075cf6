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

    private static readonly string[] KnownEngines = [Embedded, "containers", "local", "external"];

    private static readonly string[] BuiltEngines = [Embedded];

    /// <summary>Reads the options; those that it does not know are Aspire's own.</summary>
    /// <param name="args">The arguments, as <c>--name value</c> or <c>--name=value</c>.</param>
    /// <param name="defaultDataPath">The folder taken where none is named.</param>
    /// <exception cref="BadOptionException">A value is missing or can't be; the message is for the user.</exception>
    public static AppHostOptions Parse(IReadOnlyList<string> args, string defaultDataPath)
    {
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
