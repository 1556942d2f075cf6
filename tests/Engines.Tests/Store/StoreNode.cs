using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using WhatsAspire.Cql;
using WhatsAspire.MessageApi.Storage;
using WhatsAspire.MessageApi.Storage.Cassandra;
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
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();
    private readonly SemaphoreSlim _starting = new(1);
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
        _starting.Dispose();
        await _services.DisposeAsync();
    }

    private static async Task<Session> StartAsync(CancellationToken cancellationToken)
    {
        var options = new CqlOptions { RequestTimeout = TimeSpan.FromSeconds(10) };
        options.ContactPoints.Add("127.0.0.41");
        var session = new Session(options);
        await new CassandraMigrations(session, new CassandraStoreOptions(), TimeProvider.System).ApplyAsync(cancellationToken);
        return session;
    }
}
