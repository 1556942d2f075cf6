using System.Globalization;
using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using WhatsAspire.Cql;

namespace WhatsAspire.MessageApi.Storage.Cassandra;

/// <summary>Brings the keyspace up to date with numbered scripts that are embedded in this assembly.
///
/// <para>Cassandra has no transactions over schema changes. So one process at a time works, under a lease that it takes
/// with a light-weight transaction and renews before every statement; each statement of a script says what it does if it
/// was done before (<c>IF NOT EXISTS</c>), or, since not every server has that for columns, is left out if the first column that
/// it adds is there; and a script is noted only after its last one. Who dies in the middle leaves the
/// lease to expire and the script to be run again from its start. Scripts of a newer version that are there already are
/// left alone: two versions run side by side while a deployment rolls.</para></summary>
internal sealed partial class CassandraMigrations
{
    private const string Folder = "storage/cassandra/";
    private const int LeaseSeconds = 60;

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(250);

    private readonly ICqlSession _session;
    private readonly CassandraStoreOptions _options;
    private readonly TimeProvider _time;
    private readonly Guid _owner = Guid.NewGuid();
    private readonly CqlStatement _take;
    private readonly CqlStatement _renew;
    private readonly CqlStatement _release;
    private readonly CqlStatement _applied;
    private readonly CqlStatement _note;
    private readonly CqlStatement _column;

    public CassandraMigrations(ICqlSession session, CassandraStoreOptions options, TimeProvider time)
    {
        (_session, _options, _time) = (session, options, time);
        var locks = $"{options.Keyspace}.schema_lock";
        var migrations = $"{options.Keyspace}.schema_migrations";
        _take = Statement($"INSERT INTO {locks} (name, owner) VALUES ('schema', ?) IF NOT EXISTS USING TTL {LeaseSeconds}");
        _renew = Statement($"UPDATE {locks} USING TTL {LeaseSeconds} SET owner = ? WHERE name = 'schema' IF owner = ?");
        _release = Statement($"DELETE FROM {locks} WHERE name = 'schema' IF owner = ?");
        _applied = Statement($"SELECT name, sha256 FROM {migrations}");
        _note = Statement($"INSERT INTO {migrations} (name, sha256, applied_at) VALUES (?, ?, ?)");
        _column = Statement("SELECT column_name FROM system_schema.columns WHERE keyspace_name = ? AND table_name = ? AND column_name = ?");
    }

    /// <summary>Applies what is missing; waits for the cluster, and for another process that is at it.</summary>
    /// <returns>The names of the scripts applied now.</returns>
    /// <exception cref="InvalidOperationException">A script was changed after it had been applied.</exception>
    /// <exception cref="StoreUnavailableException">The cluster did not answer, or another process held the lease, until the
    /// time was up.</exception>
    public async Task<IReadOnlyList<string>> ApplyAsync(CancellationToken cancellationToken)
    {
        var started = _time.GetTimestamp();
        while (true)
        {
            string why;
            try
            {
                await DefineAsync(
                    $"CREATE KEYSPACE IF NOT EXISTS {_options.Keyspace} WITH replication = {_options.Replication}", cancellationToken);
                await DefineAsync(
                    $"CREATE TABLE IF NOT EXISTS {_options.Keyspace}.schema_lock (name text PRIMARY KEY, owner uuid) WITH id = {TableId("schema_lock")}",
                    cancellationToken);
                await DefineAsync(
                    $"CREATE TABLE IF NOT EXISTS {_options.Keyspace}.schema_migrations (name text PRIMARY KEY, sha256 text, applied_at timestamp) WITH id = {TableId("schema_migrations")}",
                    cancellationToken);
                var missing = await MissingAsync(cancellationToken);
                if (missing.Count == 0) return [];
                if ((await _session.ExecuteAsync(_take.Bind(_owner), cancellationToken)).IsApplied)
                    return await ApplyUnderLeaseAsync(cancellationToken);
                why = "another process is bringing the schema up to date";
            }
            catch (CqlException e) when (e is not CqlInvalidQueryException and not CqlSyntaxException)
            {
                why = e.Message;
            }

            if (_time.GetElapsedTime(started) > _options.MigrationTimeout)
                throw new StoreUnavailableException($"the schema of Cassandra could not be brought up to date: {why}");
            await Task.Delay(Pause, _time, cancellationToken);
        }
    }

    private async Task<IReadOnlyList<string>> ApplyUnderLeaseAsync(CancellationToken cancellationToken)
    {
        List<string> added = [];
        // Again: the one who held the lease before may have applied them.
        foreach (var (name, statements, hash) in await MissingAsync(cancellationToken))
        {
            foreach (var statement in statements)
            {
                if (!(await _session.ExecuteAsync(_renew.Bind(_owner, _owner), cancellationToken)).IsApplied)
                    throw new StoreUnavailableException("the lease to change the schema was lost");
                if (await HasColumnAsync(statement, cancellationToken)) continue;
                await DefineAsync(statement.Replace("{keyspace}", _options.Keyspace, StringComparison.Ordinal), cancellationToken);
            }

            await _session.ExecuteAsync(_note.Bind(name, hash, _time.GetUtcNow()), cancellationToken);
            added.Add(name);
        }

        await _session.ExecuteAsync(_release.Bind(_owner), cancellationToken);
        return added;
    }

    private async Task<IReadOnlyList<(string Name, IReadOnlyList<string> Statements, string Hash)>> MissingAsync(CancellationToken cancellationToken)
    {
        var applied = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var row in await _session.ExecuteAsync(_applied.Bind(), cancellationToken)) applied[row.GetString(0)] = row.GetString(1);
        List<(string, IReadOnlyList<string>, string)> missing = [];
        foreach (var (name, text, hash) in Scripts())
        {
            if (!applied.TryGetValue(name, out var known)) missing.Add((name, Split(text), hash));
            else if (known != hash)
                throw new InvalidOperationException(
                    $"Migration {name} was changed after it had been applied. Restore it, and put the change into a new one.");
        }

        return missing;
    }

    /// <summary>Whether it adds columns that are there. Those of one statement come together.</summary>
    private async Task<bool> HasColumnAsync(string statement, CancellationToken cancellationToken) =>
        Addition().Match(statement) is { Success: true } addition
        && (await _session.ExecuteAsync(
            _column.Bind(_options.Keyspace, addition.Groups["table"].Value, addition.Groups["column"].Value), cancellationToken)).Count > 0;

    [GeneratedRegex(@"^ALTER TABLE \{keyspace\}\.(?<table>\w+) ADD \((?<column>\w+) ")]
    private static partial Regex Addition();

    /// <summary>Processes that start together make these tables before there is a lease: each table has to have the same id
    /// whoever makes it.</summary>
    private Guid TableId(string table) => new(SHA256.HashData(Encoding.UTF8.GetBytes($"{_options.Keyspace}.{table}")).AsSpan(0, 16));

    private Task<CqlResult> DefineAsync(string text, CancellationToken cancellationToken) => _session.ExecuteAsync(
        new CqlStatement(text) { Timeout = _options.StatementTimeout * 4 }.Bind(), cancellationToken);

    private CqlStatement Statement(string text) => new(text)
    {
        Consistency = CqlConsistency.LocalQuorum,
        SerialConsistency = CqlConsistency.LocalSerial,
        Timeout = _options.StatementTimeout * 2,
    };

    private static IEnumerable<(string Name, string Text, string Hash)> Scripts()
    {
        var assembly = Assembly.GetExecutingAssembly();
        var resources = assembly.GetManifestResourceNames().Where(n => n.StartsWith(Folder, StringComparison.Ordinal))
            .Order(StringComparer.Ordinal).ToArray();
        for (var i = 0; i < resources.Length; i++)
        {
            var name = resources[i][Folder.Length..];
            if (!name.StartsWith((i + 1).ToString("0000_", CultureInfo.InvariantCulture), StringComparison.Ordinal))
                throw new InvalidOperationException($"Migration {name} should have number {i + 1:0000}.");
            using var reader = new StreamReader(assembly.GetManifestResourceStream(resources[i])!);
            var text = reader.ReadToEnd().ReplaceLineEndings("\n");
            yield return (name, text, Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text))));
        }
    }

    /// <summary>A script's statements, without its comments. A semicolon ends a statement, wherever it stands.</summary>
    private static IReadOnlyList<string> Split(string script)
    {
        var lines = script.Split('\n').Where(line => !line.TrimStart().StartsWith("--", StringComparison.Ordinal));
        return [.. string.Join('\n', lines).Split(';', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)];
    }
}
