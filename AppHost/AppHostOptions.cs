using System.Globalization;

namespace WhatsAspire.AppHost;

/// <summary>What the command line asks for.</summary>
/// <param name="Engines">Which engines to run on, one of <see cref="Topologies.Topology"/>'s; null where the user leaves it to us.</param>
/// <param name="Port">The public TCP port on localhost, 1 to 65535.</param>
/// <param name="DataPath">The folder that holds everything durable, as an absolute path.</param>
/// <param name="Replicas">How many replicas the services have that the user names, by service.</param>
internal sealed record AppHostOptions(string? Engines, int Port, string DataPath, IReadOnlyDictionary<string, int> Replicas)
{
    public const string Usage = """
        Usage: dotnet run --project AppHost [-- OPTIONS]
          --engines NAME       what to run on:
              containers       Redis, Kafka, PostgreSQL and Cassandra as containers; the default where a container runtime answers
              embedded         nothing to install; the default where none answers
              local            the engines that this machine has installed, as processes (Linux)
              external         servers that ConnectionStrings:redis, :kafka, :postgres and :cassandra name
          --replicas LIST      how many of each service, such as chat-edge=3,message-api=2 (default: 2 edges, 1 of the others; 1 to 16)
          --port N             the public port on localhost, 1 to 65535 (default: 8080)
          --data DIR           the folder that holds everything durable (default: .data beside the solution)
        """;

    private const string EnginesOption = "--engines";
    private const string ReplicasOption = "--replicas";
    private const string PortOption = "--port";
    private const string DataOption = "--data";
    private const int MostReplicas = 16;

    // Of the host and of Aspire, which read them for themselves.
    private static readonly string[] OptionsOfOthers =
        ["--publisher", "--output-path", "--operation", "--step", "--list-steps", "--log-level", "--clear-cache", "--environment",
            "--contentRoot", "--applicationName", "--include-exception-details"];

    private static readonly string[] Own = [EnginesOption, ReplicasOption, PortOption, DataOption];

    private static readonly string[] ServicesWithReplicas =
        [ResourceNames.ChatEdge, ResourceNames.MessageApi, ResourceNames.FanoutWorker, ResourceNames.PushWorker];

    /// <summary>How many replicas a service has: two edges always, so that delivery from edge to edge is what everybody
    /// runs every day.</summary>
    public int ReplicasOf(string service) => Replicas.TryGetValue(service, out var count) ? count : service == ResourceNames.ChatEdge ? 2 : 1;

    /// <summary>Reads the options. Those of Aspire, and settings (<c>--Section:Name value</c>), are left to others; one that
    /// nobody knows is refused, since who misspells an option must not get the default of another.</summary>
    /// <param name="args">The arguments, as <c>--name value</c> or <c>--name=value</c>.</param>
    /// <param name="defaultDataPath">The folder taken where none is named.</param>
    /// <exception cref="BadOptionException">A value is missing or can't be; the message is for the user.</exception>
    public static AppHostOptions Parse(IReadOnlyList<string> args, string defaultDataPath)
    {
        RefuseUnknown(args);
        var engines = Value(args, EnginesOption);
        if (engines is not null && !Topologies.Topology.Names.Contains(engines))
            throw new BadOptionException($"{EnginesOption} is '{engines}', which there is not. Allowed: {string.Join(", ", Topologies.Topology.Names)}.");

        var port = 8080;
        if (Value(args, PortOption) is { } text
            && (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out port) || port is < 1 or > 65535))
            throw new BadOptionException($"{PortOption} is '{text}', but should be a number from 1 to 65535.");

        return new(engines, port, Path.GetFullPath(Value(args, DataOption) ?? defaultDataPath), ReadReplicas(Value(args, ReplicasOption)));
    }

    private static Dictionary<string, int> ReadReplicas(string? list)
    {
        var replicas = new Dictionary<string, int>();
        foreach (var entry in list?.Split(',') ?? [])
        {
            var parts = entry.Split('=');
            if (parts.Length != 2)
                throw new BadOptionException($"{ReplicasOption} has '{entry}', but should be like {ResourceNames.ChatEdge}=3,{ResourceNames.MessageApi}=2.");
            if (!ServicesWithReplicas.Contains(parts[0]))
                throw new BadOptionException($"{ReplicasOption} names '{parts[0]}', which is none of {string.Join(", ", ServicesWithReplicas)}.");
            if (!int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out var count) || count is < 1 or > MostReplicas)
                throw new BadOptionException($"{ReplicasOption} has '{entry}', but a service has 1 to {MostReplicas} replicas.");
            if (!replicas.TryAdd(parts[0], count))
                throw new BadOptionException($"{ReplicasOption} names {parts[0]} twice.");
        }

        return replicas;
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
            if (!Own.Contains(name) && !OptionsOfOthers.Contains(name)
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
internal sealed class BadOptionException(string message, Exception? cause = null) : Exception(message, cause)
{
    /// <summary>Whether the options themselves are wrong, and who reads the message needs to see them.</summary>
    public bool NeedsUsage { get; init; } = true;
}
