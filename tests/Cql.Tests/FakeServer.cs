using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using WhatsAspire.Cql.Protocol;

namespace WhatsAspire.Cql.Tests;

/// <summary>A node of a cluster that exists only in this process. It answers the handshake, the system tables, PREPARE, EXECUTE and
/// BATCH by itself; a test puts its own answers before those.</summary>
internal sealed class FakeServer : IAsyncDisposable
{
    private readonly TcpListener _listener;
    private readonly CancellationTokenSource _stopping = new();
    private readonly ConcurrentDictionary<FakeConnection, Task> _connections = new();
    private readonly Task _accepting;

    public FakeServer(int port = 0)
    {
        _listener = new(IPAddress.Loopback, port);
        _listener.Start();
        EndPoint = (IPEndPoint)_listener.LocalEndpoint;
        Cluster = [this];
        _accepting = AcceptAsync();
    }

    public IPEndPoint EndPoint { get; }

    public Guid HostId { get; } = Guid.NewGuid();

    public string Datacenter { get; set; } = "dc1";

    public string Rack { get; set; } = "rack1";

    public IReadOnlyList<long> Tokens { get; set; } = [0];

    public int Replicas { get; set; } = 1;

    /// <summary>All nodes, this one included.</summary>
    public IReadOnlyList<FakeServer> Cluster { get; set; }

    public int MaxVersion { get; set; } = 5;

    /// <summary>The types of a statement's markers; ints where it isn't said.</summary>
    public Func<string, CqlType[]>? Markers { get; set; }

    /// <summary>Name and password, where they are asked for.</summary>
    public (string Name, string Password)? Login { get; set; }

    /// <summary>Null: without TLS.</summary>
    public X509Certificate2? Certificate { get; set; }

    /// <summary>Keyspaces that USE finds.</summary>
    public ConcurrentBag<string> Keyspaces { get; } = ["ks"];

    public Guid SchemaVersion { get; set; }

    /// <summary>Called first; true where it has answered, or won't.</summary>
    public Func<FakeRequest, Task<bool>>? OnRequest { get; set; }

    public ConcurrentQueue<FakeRequest> Requests { get; } = new();

    public IEnumerable<FakeConnection> Connections => _connections.Keys;

    public int Accepted { get; private set; }

    /// <summary>Texts by their ids; emptied, the node has forgotten them.</summary>
    public ConcurrentDictionary<string, string> Prepared { get; } = new();

    public int Count(Opcode opcode) => Requests.Count(request => request.Opcode == opcode);

    /// <summary>Several nodes that know each other, with tokens at equal distances.</summary>
    public static List<FakeServer> MakeCluster(int nodes, int replicas)
    {
        var servers = Enumerable.Range(0, nodes).Select(_ => new FakeServer()).ToList();
        for (var i = 0; i < nodes; i++)
        {
            servers[i].Cluster = servers;
            servers[i].Tokens = [(long)((Int128)long.MinValue + ((Int128)ulong.MaxValue / nodes * (i + 1)))];
            servers[i].Replicas = replicas;
        }

        return servers;
    }

    public async Task PushAsync(Action<ByteWriter> body)
    {
        foreach (var connection in Connections.Where(connection => connection.IsRegistered))
            await connection.SendAsync(EnvelopeFlags.None, EnvelopeHeader.EventStream, Opcode.Event, body);
    }

    public void CloseConnections()
    {
        foreach (var connection in Connections)
            connection.Dispose();
    }

    public async ValueTask DisposeAsync()
    {
        if (_stopping.IsCancellationRequested)
            return;
        await _stopping.CancelAsync();
        _listener.Stop();
        CloseConnections();
        await _accepting;
        await Task.WhenAll(_connections.Values);
    }

    public Task AnswerAsync(FakeRequest request) => request.Opcode switch
    {
        Opcode.Options => request.AnswerAsync(Opcode.Supported, writer => writer.WriteUInt16(0)),
        Opcode.Startup => request.AnswerAsync(Login is null ? Opcode.Ready : Opcode.Authenticate, writer =>
        {
            if (Login is not null)
                writer.WriteString("PasswordAuthenticator");
        }),
        Opcode.AuthResponse when request.Body.AsSpan(4).SequenceEqual(System.Text.Encoding.UTF8.GetBytes($"\0{Login?.Name}\0{Login?.Password}")) =>
            request.AnswerAsync(Opcode.AuthSuccess, writer => writer.WriteInt32(-1)),
        Opcode.AuthResponse => request.ErrorAsync(0x0100, "Provided username or password is incorrect"),
        Opcode.Register => request.Registered(),
        Opcode.Query => FakeSystemTables.AnswerAsync(this, request),
        Opcode.Prepare => FakeStatements.PrepareAsync(this, request),
        Opcode.Execute => FakeStatements.ExecuteAsync(this, request),
        Opcode.Batch => FakeStatements.BatchAsync(this, request),
        _ => request.ErrorAsync(0x000A, "unexpected"),
    };

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var client = await _listener.AcceptTcpClientAsync(_stopping.Token);
                Accepted++;
                var connection = new FakeConnection(this, client);
                _connections[connection] = Task.CompletedTask;
                _connections[connection] = ServeAsync(connection);
            }
        }
        catch (Exception stopped) when (stopped is OperationCanceledException or SocketException or InvalidOperationException && _stopping.IsCancellationRequested)
        {
            // The last is what a listener says that was stopped just before the call.
        }
    }

    private async Task ServeAsync(FakeConnection connection)
    {
        try
        {
            await Task.Yield();
            if (!await connection.TrySecureAsync())
                return;
            while (await connection.ReadAsync() is { } request)
            {
                Requests.Enqueue(request);
                // Not awaited: requests are independent of each other.
                _ = HandleAsync(request);
            }
        }
        finally
        {
            connection.Dispose();
            _connections.TryRemove(connection, out _);
        }
    }

    private async Task HandleAsync(FakeRequest request)
    {
        try
        {
            if (request.Version > MaxVersion)
                await request.ErrorAsync(0x000A, $"Invalid or unsupported protocol version ({request.Version})", (byte)MaxVersion);
            else if (OnRequest is not { } own || !await own(request))
                await AnswerAsync(request);
        }
        catch (Exception gone) when (gone is IOException or ObjectDisposedException or InvalidOperationException)
        {
        }
    }
}
