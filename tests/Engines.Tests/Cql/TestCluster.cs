using System.Net;
using WhatsAspire.Cql;
using WhatsAspire.LocalEngines;
using Xunit;

namespace WhatsAspire.Engines.Tests.Cql;

/// <summary>A cluster of its own for one class of tests: it starts with the first test that needs it, and is killed, with its
/// folder, after the last one.</summary>
public sealed class TestCluster : IAsyncDisposable
{
    private static readonly TimeSpan StartPatience = TimeSpan.FromSeconds(120);

    private readonly SemaphoreSlim _starting = new(1, 1);
    private readonly string _folder = System.IO.Directory.CreateTempSubdirectory("cassandra-test-").FullName;
    private readonly List<CassandraEngine> _engines = [];
    private readonly List<RunningEngine> _running = [];

    public IReadOnlyList<RunningEngine> Nodes => _running;

    public IPEndPoint EndPoint(int node) => _engines[node].EndPoint;

    /// <summary>Starts the nodes one after the other, once; skips the test where there is no Cassandra.</summary>
    public async Task StartAsync(int nodes, bool requiresPassword = false)
    {
        var stop = TestContext.Current.CancellationToken;
        await _starting.WaitAsync(stop);
        try
        {
            if (_running.Count > 0)
                return;
            var ports = FreePorts.Take(2 + nodes);
            for (var i = 0; i < nodes; i++)
            {
                var address = new IPAddress([127, 0, 0, (byte)(i + 1)]);
                var engine = Engine.Need(Engine.Cassandra, () => new CassandraEngine(Path.Combine(_folder, $"node{i}"))
                {
                    Address = address,
                    NativePort = ports[0],
                    StoragePort = ports[1],
                    JmxPort = ports[2 + _engines.Count],
                    Seed = IPAddress.Loopback,
                    RequiresPassword = requiresPassword,
                });
                System.IO.Directory.CreateDirectory(engine.Folder);
                var running = new RunningEngine(engine);
                _engines.Add(engine);
                _running.Add(running);
                await running.StartAsync(StartPatience, stop);
            }
        }
        finally
        {
            _starting.Release();
        }
    }

    /// <summary>Restarts a node that was killed.</summary>
    public Task RestartAsync(int node) => _running[node].StartAsync(StartPatience, TestContext.Current.CancellationToken);

    public CqlOptions Options(Action<CqlOptions>? configure = null)
    {
        var options = new CqlOptions { RequestTimeout = TimeSpan.FromSeconds(20) };
        foreach (var engine in _engines)
            options.ContactPoints.Add(engine.EndPoint.ToString());
        configure?.Invoke(options);
        return options;
    }

    public Task<CqlSession> ConnectAsync(Action<CqlOptions>? configure = null) =>
        CqlSession.ConnectAsync(Options(configure), cancellationToken: TestContext.Current.CancellationToken);

    /// <summary>Makes a keyspace of its own for one test, and a session in it.</summary>
    public async Task<CqlSession> ConnectToNewKeyspaceAsync(int replicas = 1, Action<CqlOptions>? configure = null)
    {
        var keyspace = $"test_{Guid.NewGuid():N}";
        await using (var admin = await ConnectAsync(configure))
            await admin.ExecuteAsync($"CREATE KEYSPACE {keyspace} WITH replication = {{'class': 'NetworkTopologyStrategy', 'datacenter1': {replicas}}}");
        return await ConnectAsync(options =>
        {
            configure?.Invoke(options);
            options.Keyspace = keyspace;
        });
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var running in _running)
            await running.DisposeAsync();
        _starting.Dispose();
        System.IO.Directory.Delete(_folder, recursive: true);
    }
}

internal static class TestSession
{
    /// <summary>Runs a statement that is used once.</summary>
    public static Task<CqlResult> ExecuteAsync(this ICqlSession session, string text, params ReadOnlySpan<CqlValue> values) =>
        session.ExecuteAsync(new CqlStatement(text).Bind(values), TestContext.Current.CancellationToken);
}
