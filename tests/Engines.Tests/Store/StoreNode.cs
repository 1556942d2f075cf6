using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using WhatsAspire.Cql;
using WhatsAspire.LocalEngines;
using WhatsAspire.MessageApi.Storage;
using WhatsAspire.MessageApi.Storage.Cassandra;
using Xunit;
#if CQL_DATASTAX
using Session = WhatsAspire.MessageApi.DataStax.DataStaxSession;
#else
using Session = WhatsAspire.Cql.CqlSession;
#endif

[assembly: AssemblyFixture(typeof(WhatsAspire.Engines.Tests.Store.StoreNode))]

namespace WhatsAspire.Engines.Tests.Store;

/// <summary>A node of Cassandra for the tests of the store, started by the first of them, with a keyspace for all.</summary>
public sealed class StoreNode : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();
    private readonly SemaphoreSlim _starting = new(1);
    private readonly string _folder = System.IO.Directory.CreateTempSubdirectory("cassandra-store-").FullName;
    private RunningEngine? _node;
    private Session? _session;

    /// <summary>A session with the node; ends the test where Cassandra is missing.</summary>
    internal async Task<ICqlSession> SessionAsync(CancellationToken cancellationToken)
    {
        await _starting.WaitAsync(cancellationToken);
        try
        {
            return _session ??= await StartAsync(cancellationToken);
        }
        finally
        {
            _starting.Release();
        }
    }

    /// <summary>The store as another process would open it.</summary>
    internal async Task<CassandraMessageStore> OpenAsync(CancellationToken cancellationToken, Action<CassandraStoreOptions>? configure = null) =>
        Open(await SessionAsync(cancellationToken), configure);

    /// <summary>The store over a session.</summary>
    internal CassandraMessageStore Open(ICqlSession session, Action<CassandraStoreOptions>? configure = null)
    {
        var options = new CassandraStoreOptions();
        configure?.Invoke(options);
        return new(session, options, new StoreMetrics(_services.GetRequiredService<IMeterFactory>()), TimeProvider.System);
    }

    public async ValueTask DisposeAsync()
    {
        if (_session is not null) await _session.DisposeAsync();
        if (_node is not null) await _node.DisposeAsync();
        System.IO.Directory.Delete(_folder, recursive: true);
        _starting.Dispose();
        await _services.DisposeAsync();
    }

    private async Task<Session> StartAsync(CancellationToken cancellationToken)
    {
        var ports = FreePorts.Take(3);
        var engine = Engine.Need(Engine.Cassandra, () => new CassandraEngine(_folder)
        {
            NativePort = ports[0],
            StoragePort = ports[1],
            JmxPort = ports[2],
        });
        _node ??= new(engine);
        await _node.StartAsync(Patience, cancellationToken);
        var options = new CqlOptions();
        options.ContactPoints.Add(engine.EndPoint.ToString());
        var session = new Session(options);
        await new CassandraMigrations(session, new CassandraStoreOptions(), TimeProvider.System).ApplyAsync(cancellationToken);
        return session;
    }
}
