using System.Data.Common;
using Microsoft.Data.Sqlite;

namespace WhatsAspire.MessageApi.Directory.Sqlite;

/// <summary>The directory in one SQLite file, which several processes on one machine may share. Write-ahead log, synced
/// to disk at each commit; readers never wait for writers.</summary>
public sealed class SqliteDirectory : SqlDirectory, IDisposable
{
    private readonly SqliteFile _file;
    private readonly TimeSpan _writeTimeout;

    // SQLite has one writer at a time. Those of this process queue up here, where waiting costs no thread; only
    // another process' writer is waited for inside SQLite.
    private readonly SemaphoreSlim _writer = new(1);

    /// <param name="file">Path of the database file, made if it is missing.</param>
    /// <param name="writeTimeout">How long a write waits for those before it.</param>
    public SqliteDirectory(string file, TimeSpan writeTimeout) : this(new SqliteFile(file, writeTimeout), writeTimeout)
    {
    }

    private SqliteDirectory(SqliteFile file, TimeSpan writeTimeout) : base(file) => (_file, _writeTimeout) = (file, writeTimeout);

    protected override string ForUpdate => "";
    protected override string? SigningKeysLock => null;
    protected override string? PushTokenLock => null;

    public override async Task<IReadOnlyList<string>> MigrateAsync(DateTimeOffset now, CancellationToken cancellationToken)
    {
        _file.Prepare();
        await using (var connection = await _file.OpenConnectionAsync(cancellationToken))
            await connection.ExecuteAsync("PRAGMA journal_mode = WAL", [], cancellationToken);
        return await WriteAsync(
            (connection, cancel) => SqlMigrations.ApplyAsync(connection, "directory/sqlite/", now, cancel), cancellationToken);
    }

    /// <summary>Journal mode, synchronous and foreign_keys of a connection as it is handed out: for tests.</summary>
    internal async Task<string> SettingsAsync(CancellationToken cancellationToken)
    {
        await using var connection = await _file.OpenConnectionAsync(cancellationToken);
        var rows = await connection.AllAsync(
            "SELECT (SELECT journal_mode FROM pragma_journal_mode), (SELECT synchronous FROM pragma_synchronous), (SELECT foreign_keys FROM pragma_foreign_keys)",
            [], r => $"{r.GetString(0)} {r.GetInt64(1)} {r.GetInt64(2)}", cancellationToken);
        return rows[0];
    }

    protected override async Task<T> WriteAsync<T>(
        Func<DbConnection, CancellationToken, Task<T>> work, CancellationToken cancellationToken, bool isRepeatable = true)
    {
        if (!await _writer.WaitAsync(_writeTimeout, cancellationToken))
            throw new TimeoutException($"no turn to write to the directory within {_writeTimeout.TotalSeconds} s");
        try
        {
            // The provider begins with BEGIN IMMEDIATE: the write lock is held from the first statement on.
            return await base.WriteAsync(work, cancellationToken, isRepeatable);
        }
        finally
        {
            _writer.Release();
        }
    }

    public void Dispose()
    {
        _file.Dispose();
        _writer.Dispose();
    }

    /// <summary>Connections to the file, each with the settings that SQLite forgets between connections.</summary>
    private sealed class SqliteFile(string path, TimeSpan timeout) : DbDataSource
    {
        private readonly string _settings =
            $"PRAGMA busy_timeout = {(int)timeout.TotalMilliseconds}; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;";

        public override string ConnectionString { get; } = new SqliteConnectionStringBuilder
        {
            DataSource = path,
            Mode = SqliteOpenMode.ReadWrite,
            Pooling = true,
            DefaultTimeout = Math.Max(1, (int)timeout.TotalSeconds),
        }.ToString();

        /// <summary>Makes folder and file where they are missing, for their owner's eyes alone: the file holds keys.
        /// SQLite gives the log beside it the same mode.</summary>
        public void Prepare()
        {
            var folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
            if (OperatingSystem.IsWindows())
            {
                System.IO.Directory.CreateDirectory(folder);
                using (new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.ReadWrite)) { }
                return;
            }
            const UnixFileMode owner = UnixFileMode.UserRead | UnixFileMode.UserWrite;
            System.IO.Directory.CreateDirectory(folder, owner | UnixFileMode.UserExecute);
            using (new FileStream(path, new FileStreamOptions
            {
                Mode = FileMode.OpenOrCreate,
                Access = FileAccess.ReadWrite,
                Share = FileShare.ReadWrite,
                UnixCreateMode = owner,
            }))
            {
                File.SetUnixFileMode(path, owner);
            }
        }

        protected override DbConnection CreateDbConnection() => new SqliteConnection(ConnectionString);

        protected override DbConnection OpenDbConnection()
        {
            var connection = CreateDbConnection();
            try
            {
                connection.Open();
                using var command = connection.CreateCommand();
                command.CommandText = _settings;
                command.ExecuteNonQuery();
                return connection;
            }
            catch
            {
                connection.Dispose();
                throw;
            }
        }

        // The provider does the same synchronously behind its asynchronous methods.
        protected override ValueTask<DbConnection> OpenDbConnectionAsync(CancellationToken cancellationToken = default)
        {
            cancellationToken.ThrowIfCancellationRequested();
            return new(OpenDbConnection());
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                using var connection = new SqliteConnection(ConnectionString);
                SqliteConnection.ClearPool(connection);
            }
            base.Dispose(disposing);
        }
    }
}
