using Npgsql;
using WhatsAspire.Engines.Tests.Directory;
using WhatsAspire.LocalEngines;
using WhatsAspire.MessageApi.Directory.Postgres;
using Xunit;

[assembly: AssemblyFixture(typeof(PostgresServer))]

namespace WhatsAspire.Engines.Tests.Directory;

/// <summary>One PostgreSQL server for all tests, started by the first that asks for it; each gets databases of its own.</summary>
public sealed class PostgresServer : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);
    private readonly List<NpgsqlDataSource> _sources = [];
    private EngineFolder? _folder;
    private PostgresEngine? _engine;
    private RunningEngine? _running;

    internal PostgresEngine Engine => _engine ?? throw new InvalidOperationException("The server was not asked for.");

    internal RunningEngine Running => _running ?? throw new InvalidOperationException("The server was not asked for.");

    /// <summary>The server, running; the test is skipped or failed where there is none to be had.</summary>
    internal async Task StartAsync()
    {
        if (_running is not null) return;
        _engine = Tests.Engine.Need(Tests.Engine.Postgres, () =>
        {
            _folder = new EngineFolder();
            return new PostgresEngine(_folder.Of("postgres"), FreePorts.Take(1)[0], "correct horse 'battery' staple");
        });
        var running = new RunningEngine(_engine);
        await running.StartAsync(Patience, TestContext.Current.CancellationToken);
        _running = running;
    }

    /// <summary>Starts it again after it was killed.</summary>
    internal Task StartAgainAsync() => Running.StartAgainAsync(Patience, TestContext.Current.CancellationToken);

    /// <summary>The connection string of a new database.</summary>
    internal async Task<string> NewDatabaseAsync()
    {
        await StartAsync();
        var name = $"test_{Guid.NewGuid():N}";
        await using var admin = NpgsqlDataSource.Create(Engine.ConnectionString);
        await using var command = admin.CreateCommand($"CREATE DATABASE {name}");
        await command.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);
        return new NpgsqlConnectionStringBuilder(Engine.ConnectionString) { Database = name }.ConnectionString;
    }

    /// <summary>A directory on a database.</summary>
    internal PostgresDirectory Open(string connection, PostgresDirectoryOptions? options = null)
    {
        options ??= new();
        var builder = new NpgsqlDataSourceBuilder(connection);
        options.Complete(builder.ConnectionStringBuilder);
        var source = builder.Build();
        _sources.Add(source);
        return new(source, options, TimeProvider.System);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (var source in _sources) await source.DisposeAsync();
        if (_running is not null) await _running.DisposeAsync();
        _folder?.Dispose();
    }
}
