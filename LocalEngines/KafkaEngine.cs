using System.Buffers.Binary;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace WhatsAspire.LocalEngines;

/// <summary>One Kafka server on 127.0.0.1, broker and controller in one process (KRaft), without a password. What it
/// acknowledges survives a kill of the process; a power cut may cost what the system had not written yet, as on every
/// single broker.</summary>
public sealed class KafkaEngine : ILocalEngine
{
    private const string HomeVariable = "KAFKA_HOME";
    private const string Server = "kafka-server-start.sh";
    private const string Storage = "kafka-storage.sh";
    private const string Java = "java";

    private readonly string _home;
    private readonly int _controllerPort;

    /// <param name="folder">Its folder; made if it is not there.</param>
    /// <param name="port">The TCP port for clients on 127.0.0.1.</param>
    /// <param name="controllerPort">A second one, which the server keeps for itself.</param>
    /// <exception cref="MissingEngineException"><c>KAFKA_HOME</c> names no Kafka, or there is no Java.</exception>
    public KafkaEngine(string folder, int port, int controllerPort)
    {
        _home = Find();
        (Folder, Port, _controllerPort) = (Path.GetFullPath(folder), port, controllerPort);
    }

    public string Name => "kafka";

    public string Folder { get; }

    /// <summary>Where it listens for clients.</summary>
    public int Port { get; }

    /// <summary>The bootstrap servers, as Kafka's clients have it.</summary>
    public string ConnectionString => $"127.0.0.1:{Port}";

    public EngineProcess Process => new()
    {
        FileName = Program(Server),
        Arguments = [SettingsFile],
        Environment = Variables,
        WorkingDirectory = Folder,
    };

    private string SettingsFile => Path.Combine(Folder, "server.properties");

    private string DataFolder => Path.Combine(Folder, "data");

    // A broker of a few topics. The released scripts would write their logs into KAFKA_HOME.
    private Dictionary<string, string> Variables => new()
    {
        ["KAFKA_HEAP_OPTS"] = "-Xms128m -Xmx384m",
        ["LOG_DIR"] = Path.Combine(Folder, "logs"),
    };

    public async Task PrepareAsync(CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(DataFolder);
        await File.WriteAllTextAsync(SettingsFile, $"""
            process.roles=broker,controller
            node.id=1
            controller.quorum.bootstrap.servers=127.0.0.1:{_controllerPort}
            listeners=PLAINTEXT://127.0.0.1:{Port},CONTROLLER://127.0.0.1:{_controllerPort}
            advertised.listeners=PLAINTEXT://127.0.0.1:{Port}
            controller.listener.names=CONTROLLER
            listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
            log.dirs={DataFolder.Replace("\\", "\\\\", StringComparison.Ordinal)}
            num.network.threads=2
            num.io.threads=4
            offsets.topic.num.partitions=4
            offsets.topic.replication.factor=1
            transaction.state.log.num.partitions=4
            transaction.state.log.replication.factor=1
            transaction.state.log.min.isr=1
            share.coordinator.state.topic.num.partitions=4
            share.coordinator.state.topic.replication.factor=1
            share.coordinator.state.topic.min.isr=1
            # Who subscribes gets partitions at once; a member that died is waited for as long as it asked for.
            group.initial.rebalance.delay.ms=0
            group.min.session.timeout.ms=1000
            auto.create.topics.enable=false
            # By default 128 MiB of the heap.
            log.cleaner.dedupe.buffer.size=8388608

            """, cancellationToken);
        if (!File.Exists(Path.Combine(DataFolder, "meta.properties"))) await FormatAsync(cancellationToken);
    }

    public async Task<bool> IsReadyAsync(CancellationToken cancellationToken)
    {
        try
        {
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            await socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, Port), cancellationToken);
            await using var stream = new NetworkStream(socket);
            // ApiVersions (18) version 0, correlation id 1, no client id: kafka.apache.org/protocol.
            await stream.WriteAsync(new byte[] { 0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xff }, cancellationToken);
            var answer = new byte[10];
            await stream.ReadExactlyAsync(answer, cancellationToken);
            return BinaryPrimitives.ReadInt32BigEndian(answer.AsSpan(4)) == 1 && BinaryPrimitives.ReadInt16BigEndian(answer.AsSpan(8)) == 0;
        }
        catch (Exception e) when (e is SocketException or IOException)
        {
            return false;
        }
    }

    /// <summary>Gives an empty folder a cluster id. Not at each start: the id must stay with the data.</summary>
    private async Task FormatAsync(CancellationToken cancellationToken)
    {
        var id = Convert.ToBase64String(Guid.NewGuid().ToByteArray()).TrimEnd('=').Replace('+', '-').Replace('/', '_');
        // The tool takes a leading dash for an option.
        if (id[0] == '-') id = "_" + id[1..];
        var start = new ProcessStartInfo(Program(Storage), ["format", "--standalone", "-t", id, "-c", SettingsFile])
        {
            WorkingDirectory = Folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (name, value) in Variables) start.Environment[name] = value;
        using var format = System.Diagnostics.Process.Start(start) ?? throw new InvalidOperationException($"{start.FileName} did not start.");
        var errors = format.StandardError.ReadToEndAsync(cancellationToken);
        var output = await format.StandardOutput.ReadToEndAsync(cancellationToken);
        await format.WaitForExitAsync(cancellationToken);
        if (format.ExitCode != 0) throw new InvalidOperationException($"Kafka's folder '{DataFolder}' can't be formatted: {output}{await errors}");
    }

    private string Program(string name) => Path.Combine(_home, "bin", name);

    private static string Find()
    {
        const string how = $"Get Apache Kafka from https://kafka.apache.org/downloads, unpack it, and set {HomeVariable} to its folder.";
        var home = Environment.GetEnvironmentVariable(HomeVariable);
        if (string.IsNullOrEmpty(home)) throw new MissingEngineException($"Kafka is missing: {HomeVariable} is not set. {how}");
        if (!File.Exists(Path.Combine(home, "bin", Server)))
            throw new MissingEngineException($"Kafka is missing: {HomeVariable} is '{home}', and there is no bin/{Server}. {how}");
        var places = Environment.GetEnvironmentVariable("JAVA_HOME") is { Length: > 0 } java
            ? [Path.Combine(java, "bin")]
            : (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator);
        return places.Any(place => File.Exists(Path.Combine(place, Java)))
            ? Path.GetFullPath(home)
            : throw new MissingEngineException("Kafka needs Java 17: there is none in JAVA_HOME or PATH. On Debian: apt-get install openjdk-17-jre-headless.");
    }
}
