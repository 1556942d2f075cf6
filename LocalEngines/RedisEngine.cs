using System.Net;
using System.Net.Sockets;
using System.Text;

namespace WhatsAspire.LocalEngines;

/// <summary>One Redis server on 127.0.0.1, without a password. What it holds is in its append-only file, synced once a
/// second: a kill of the process loses nothing, a power cut the last second.</summary>
public sealed class RedisEngine : ILocalEngine
{
    private const string Program = "redis-server";
    private readonly string _program;

    /// <param name="folder">Its folder; made if it is not there.</param>
    /// <param name="port">The TCP port on 127.0.0.1.</param>
    /// <exception cref="MissingEngineException">There is no <c>redis-server</c>.</exception>
    public RedisEngine(string folder, int port)
    {
        var found = Programs.FolderWith(Programs.SearchPath, Program) ?? throw new MissingEngineException(
            $"Redis is missing: there is no {Program} in PATH. Install it, on Debian with 'apt-get install redis-server'.");
        _program = Path.Combine(found, Program);
        (Folder, Port) = (Path.GetFullPath(folder), port);
    }

    public string Name => "redis";

    public string Folder { get; }

    /// <summary>Where it listens.</summary>
    public int Port { get; }

    /// <summary>For StackExchange.Redis.</summary>
    public string ConnectionString => $"127.0.0.1:{Port}";

    public EngineProcess Process => new() { FileName = _program, Arguments = [SettingsFile], WorkingDirectory = Folder };

    private string SettingsFile => Path.Combine(Folder, "redis.conf");

    private string DataFolder => Path.Combine(Folder, "data");

    public Task PrepareAsync(CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(DataFolder);
        return File.WriteAllTextAsync(SettingsFile, $"""
            bind 127.0.0.1
            port {Port}
            dir {Quoted(DataFolder)}
            daemonize no
            appendonly yes
            appendfsync everysec
            # The append-only file has everything; snapshots would only cost.
            save ""
            # Sessions and marks of a machine's worth of users. Beyond it writes are refused, which everybody lives with.
            maxmemory 1gb
            maxmemory-policy noeviction

            """, cancellationToken);
    }

    public async Task<bool> IsReadyAsync(CancellationToken cancellationToken)
    {
        try
        {
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            await socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, Port), cancellationToken);
            await socket.SendAsync("*1\r\n$4\r\nPING\r\n"u8.ToArray(), cancellationToken);
            var answer = new byte[7];
            await new NetworkStream(socket).ReadExactlyAsync(answer, cancellationToken);
            // While it reads its file it answers '-LOADING …'.
            return answer.AsSpan().SequenceEqual("+PONG\r\n"u8);
        }
        catch (Exception e) when (e is SocketException or IOException)
        {
            return false;
        }
    }

    private static string Quoted(string text) =>
        new StringBuilder("\"").Append(text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)).Append('"').ToString();
}
