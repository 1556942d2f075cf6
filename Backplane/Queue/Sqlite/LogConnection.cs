using Microsoft.Data.Sqlite;

namespace WhatsAspire.Backplane.Queue.Sqlite;

/// <summary>One connection to the log's file, with its statements prepared once. Not safe for concurrent use.</summary>
internal sealed class LogConnection : IDisposable
{
    private const int SchemaVersion = 1;

    private const string Schema =
        """
        CREATE TABLE topics (
            topic_id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, partitions INTEGER NOT NULL);
        CREATE TABLE partitions (
            topic_id INTEGER NOT NULL, partition INTEGER NOT NULL, first_offset INTEGER NOT NULL, next_offset INTEGER NOT NULL,
            PRIMARY KEY (topic_id, partition)) WITHOUT ROWID;
        CREATE TABLE events (
            topic_id INTEGER NOT NULL, partition INTEGER NOT NULL, event_offset INTEGER NOT NULL, key TEXT NOT NULL,
            type TEXT NOT NULL, payload BLOB NOT NULL, headers TEXT, published_ms INTEGER NOT NULL,
            PRIMARY KEY (topic_id, partition, event_offset)) WITHOUT ROWID;
        CREATE TABLE groups (
            group_id INTEGER PRIMARY KEY, topic_id INTEGER NOT NULL, name TEXT NOT NULL, generation INTEGER NOT NULL,
            UNIQUE (topic_id, name));
        CREATE TABLE members (
            group_id INTEGER NOT NULL, member TEXT NOT NULL, expires_ms INTEGER NOT NULL,
            PRIMARY KEY (group_id, member)) WITHOUT ROWID;
        CREATE TABLE cursors (
            group_id INTEGER NOT NULL, partition INTEGER NOT NULL, committed INTEGER NOT NULL, owner TEXT,
            epoch INTEGER NOT NULL, expires_ms INTEGER NOT NULL,
            PRIMARY KEY (group_id, partition)) WITHOUT ROWID;
        """;

    private readonly SqliteConnection _connection;
    private readonly Dictionary<string, SqliteCommand> _commands = new(StringComparer.Ordinal);

    private LogConnection(SqliteConnection connection) => _connection = connection;

    /// <summary>Opens the file, and makes it where it is missing.</summary>
    /// <exception cref="QueueUnavailableException">It can't be opened, or is of another version.</exception>
    public static LogConnection Open(string file, TimeSpan timeout)
    {
        SqliteConnection? connection = null;
        try
        {
            MakeFile(file);
            connection = new(new SqliteConnectionStringBuilder
            {
                DataSource = file,
                Mode = SqliteOpenMode.ReadWrite,
                Pooling = false,
                DefaultTimeout = Math.Max(1, (int)timeout.TotalSeconds),
            }.ToString());
            connection.Open();
            var log = new LogConnection(connection);
            // FULL: a commit is on disk when it returns. What readers see of the log they never have to wait for.
            log.Execute($"PRAGMA busy_timeout = {(int)timeout.TotalMilliseconds}");
            log.Execute("PRAGMA journal_mode = WAL");
            log.Execute("PRAGMA synchronous = FULL");
            log.Migrate(file);
            return log;
        }
        catch (Exception e) when (e is SqliteException or IOException or UnauthorizedAccessException)
        {
            connection?.Dispose();
            throw new QueueUnavailableException($"the queue's file '{file}' can't be opened: {e.Message}", e);
        }
        catch
        {
            connection?.Dispose();
            throw;
        }
    }

    /// <summary>Changes whenever another connection, of whatever process, has committed.</summary>
    public long DataVersion() => Scalar("PRAGMA data_version");

    public void Begin() => Execute("BEGIN IMMEDIATE");

    public void Commit() => Execute("COMMIT");

    /// <summary>Runs a statement with the parameters <c>@0</c>, <c>@1</c>…</summary>
    /// <returns>The rows changed.</returns>
    public int Execute(string sql, params ReadOnlySpan<object?> arguments) => Bind(sql, arguments).ExecuteNonQuery();

    /// <summary>The first column of the first row; null where there is none.</summary>
    public long? Number(string sql, params ReadOnlySpan<object?> arguments) => Bind(sql, arguments).ExecuteScalar() as long?;

    public long Scalar(string sql, params ReadOnlySpan<object?> arguments) =>
        Number(sql, arguments) ?? throw new InvalidOperationException($"no row: {sql}");

    /// <summary>All rows.</summary>
    public List<T> All<T>(string sql, Func<SqliteDataReader, T> read, params ReadOnlySpan<object?> arguments)
    {
        using var reader = Bind(sql, arguments).ExecuteReader();
        var rows = new List<T>();
        while (reader.Read()) rows.Add(read(reader));
        return rows;
    }

    public void Dispose()
    {
        foreach (var command in _commands.Values) command.Dispose();
        _connection.Dispose();
    }

    private SqliteCommand Bind(string sql, ReadOnlySpan<object?> arguments)
    {
        if (!_commands.TryGetValue(sql, out var command))
        {
            command = _connection.CreateCommand();
            command.CommandText = sql;
            for (var i = 0; i < arguments.Length; i++) command.Parameters.Add(new SqliteParameter { ParameterName = $"@{i}" });
            _commands[sql] = command;
        }

        for (var i = 0; i < arguments.Length; i++) command.Parameters[i].Value = arguments[i] ?? DBNull.Value;
        return command;
    }

    private void Migrate(string file)
    {
        if (Scalar("PRAGMA user_version") == SchemaVersion) return;
        Begin();
        var found = Scalar("PRAGMA user_version");
        if (found is not (0 or SchemaVersion))
            throw new QueueUnavailableException($"the queue's file '{file}' has version {found}; this program knows version {SchemaVersion}");
        if (found == 0)
        {
            Execute(Schema);
            Execute($"PRAGMA user_version = {SchemaVersion}");
        }

        Commit();
    }

    /// <summary>For its owner's eyes alone: events name who talks to whom. SQLite gives the files beside it the same
    /// mode.</summary>
    private static void MakeFile(string file)
    {
        var folder = Path.GetDirectoryName(Path.GetFullPath(file))!;
        if (OperatingSystem.IsWindows()) Directory.CreateDirectory(folder);
        else Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        // A file that is there is not opened here: closing a handle of it would drop the locks that SQLite holds (POSIX).
        if (File.Exists(file)) return;
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.ReadWrite, Share = FileShare.ReadWrite };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        try
        {
            using var made = new FileStream(file, options);
        }
        catch (IOException) when (File.Exists(file))
        {
            // Another one was first.
        }
    }
}
