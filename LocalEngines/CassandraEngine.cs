using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;

namespace WhatsAspire.LocalEngines;

/// <summary>One node of Apache Cassandra, from an installation that <c>CASSANDRA_HOME</c> names. Its settings are those of the
/// installation but for addresses and ports.</summary>
public sealed partial class CassandraEngine : ILocalEngine
{
    private const string HomeVariable = "CASSANDRA_HOME";

    /// <summary>OPTIONS in version 4 of the native protocol, and the opcode of its answer, SUPPORTED.</summary>
    private static readonly byte[] Options = [0x04, 0, 0, 0, 0x05, 0, 0, 0, 0];
    private const byte Supported = 0x06;
    private const int HeaderBytes = 9;
    private const int OpcodeAt = 4;

    private readonly string _home;

    /// <param name="folder">For this node alone.</param>
    /// <exception cref="MissingEngineException"><c>CASSANDRA_HOME</c> is not set, or not Cassandra.</exception>
    public CassandraEngine(string folder)
    {
        Folder = folder;
        _home = Environment.GetEnvironmentVariable(HomeVariable) is { Length: > 0 } home
            ? Path.GetFullPath(home)
            : throw new MissingEngineException($"Cassandra is not there: set {HomeVariable} to an installation of Apache Cassandra 5, https://cassandra.apache.org/download/ (it needs Java 17).");
        if (!File.Exists(Program))
            throw new MissingEngineException($"Cassandra is not there: {HomeVariable} is {_home}, which has no bin/cassandra.");
    }

    public string Name => $"cassandra-{Address}";

    public string Folder { get; }

    /// <summary>Where it listens, for clients and for other nodes. An address of 127.0.0.0/8.</summary>
    public IPAddress Address { get; init; } = IPAddress.Loopback;

    /// <summary>For clients.</summary>
    public required int NativePort { get; init; }

    /// <summary>For the other nodes: the same on all of a cluster.</summary>
    public required int StoragePort { get; init; }

    /// <summary>Of its management, on 127.0.0.1: different on each node of a machine.</summary>
    public required int JmxPort { get; init; }

    /// <summary>The node that a new one asks for the others. Null: itself, a cluster of its own.</summary>
    public IPAddress? Seed { get; init; }

    /// <summary>Of the Java heap; the process takes about 400 MiB more.</summary>
    public int HeapMebibytes { get; init; } = 512;

    /// <summary>Whether clients must give a name and a password; the first ones are <c>cassandra</c> and <c>cassandra</c>.</summary>
    public bool RequiresPassword { get; init; }

    public IPEndPoint EndPoint => new(Address, NativePort);

    public EngineProcess Process => new()
    {
        FileName = Program,
        // Nodes of one machine hear of each other at once: they need not wait as long as across data centres.
        Arguments = ["-f", "-R", $"-Dcassandra.storagedir={Data}", "-Dcassandra.ring_delay_ms=3000", "-Dcassandra.skip_wait_for_gossip_to_settle=2"],
        Environment = new Dictionary<string, string>
        {
            ["CASSANDRA_CONF"] = Settings,
            ["CASSANDRA_DATA"] = Data,
            ["CASSANDRA_LOG_DIR"] = Path.Combine(Data, "logs"),
            ["MAX_HEAP_SIZE"] = $"{HeapMebibytes}M",
            ["HEAP_NEWSIZE"] = $"{HeapMebibytes / 4}M",
        },
        WorkingDirectory = Folder,
    };

    private string Program => Path.Combine(_home, "bin", "cassandra");

    private string Settings => Path.Combine(Folder, "conf");

    private string Data => Path.Combine(Folder, "data");

    public async Task PrepareAsync(CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(Settings);
        Directory.CreateDirectory(Data);
        foreach (var file in Directory.EnumerateFiles(Path.Combine(_home, "conf")))
            File.Copy(file, Path.Combine(Settings, Path.GetFileName(file)), overwrite: true);

        var yaml = await File.ReadAllTextAsync(Path.Combine(Settings, "cassandra.yaml"), cancellationToken);
        yaml = Set(yaml, "listen_address", Address.ToString());
        yaml = Set(yaml, "rpc_address", Address.ToString());
        yaml = Set(yaml, "storage_port", $"{StoragePort}");
        yaml = Set(yaml, "native_transport_port", $"{NativePort}");
        if (RequiresPassword)
        {
            yaml = Set(yaml, "authenticator", "PasswordAuthenticator");
            yaml = Set(yaml, "authorizer", "CassandraAuthorizer");
        }

        yaml = Seeds().Replace(yaml, $"$1\"{Seed ?? Address}:{StoragePort}\"");
        await File.WriteAllTextAsync(Path.Combine(Settings, "cassandra.yaml"), yaml, cancellationToken);

        var options = Path.Combine(Settings, "jvm-server.options");
        var java = await File.ReadAllTextAsync(options, cancellationToken);
        await File.WriteAllTextAsync(options, JmxPortOption().Replace(java, $"-Dcassandra.jmx.local.port={JmxPort}"), cancellationToken);
    }

    public async Task<bool> IsReadyAsync(CancellationToken cancellationToken)
    {
        using var client = new TcpClient(Address.AddressFamily);
        try
        {
            await client.ConnectAsync(EndPoint, cancellationToken);
            var stream = client.GetStream();
            await stream.WriteAsync(Options, cancellationToken);
            var header = new byte[HeaderBytes];
            await stream.ReadExactlyAsync(header, cancellationToken);
            return header[OpcodeAt] == Supported;
        }
        catch (Exception notYet) when (notYet is SocketException or IOException)
        {
            return false;
        }
    }

    private static string Set(string yaml, string key, string value)
    {
        var line = new Regex($"^{key}:.*$", RegexOptions.Multiline);
        return line.IsMatch(yaml) ? line.Replace(yaml, $"{key}: {value}") : $"{yaml}\n{key}: {value}\n";
    }

    [GeneratedRegex("(- seeds: *)\"[^\"]*\"")]
    private static partial Regex Seeds();

    [GeneratedRegex("-Dcassandra.jmx.local.port=[0-9]+")]
    private static partial Regex JmxPortOption();
}
