using System.Data.Common;
using System.Globalization;
using System.Reflection;
using System.Security.Cryptography;

namespace WhatsAspire.MessageApi.Directory;

/// <summary>Brings a schema up to date with numbered scripts that are embedded in this assembly.
///
/// <para>All scripts that are missing are applied in one transaction: both databases roll back schema changes like any
/// others, so that a crash leaves the schema as it was, and the transaction's own lock keeps the replicas that start
/// together apart. Scripts of a newer version that are there already are left alone: two versions run side by side
/// while a deployment rolls.</para></summary>
internal static class SqlMigrations
{
    /// <summary>How long one script may take, and another process' migration be waited for: an index over many rows is
    /// built in minutes.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMinutes(10);

    /// <summary>Applies what is missing. The transaction that <paramref name="connection"/> is in must exclude every
    /// other one that migrates.</summary>
    /// <param name="connection">Open, and in a transaction that the caller commits.</param>
    /// <param name="folder">Beginning of the scripts' resource names, up to their numbers.</param>
    /// <param name="now">Noted beside each script.</param>
    /// <param name="cancellationToken">Leaves the schema as it was.</param>
    /// <returns>The names of the scripts applied now.</returns>
    /// <exception cref="InvalidOperationException">A script was changed after it had been applied.</exception>
    public static async Task<IReadOnlyList<string>> ApplyAsync(
        DbConnection connection, string folder, DateTimeOffset now, CancellationToken cancellationToken)
    {
        await connection.ExecuteAsync(
            "CREATE TABLE IF NOT EXISTS schema_migrations (name TEXT NOT NULL PRIMARY KEY, sha256 TEXT NOT NULL, applied_ms BIGINT NOT NULL)",
            [], cancellationToken);
        var rows = await connection.AllAsync(
            "SELECT name, sha256 FROM schema_migrations", [], r => (Name: r.GetString(0), Hash: r.GetString(1)), cancellationToken);
        var applied = rows.ToDictionary(r => r.Name, r => r.Hash, StringComparer.Ordinal);

        List<string> added = [];
        foreach (var (name, sql, hash) in Scripts(folder))
        {
            if (applied.TryGetValue(name, out var known))
            {
                if (known != hash)
                    throw new InvalidOperationException(
                        $"Migration {name} was changed after it had been applied. Restore it, and put the change into a new one.");
                continue;
            }
            await connection.ExecuteAsync(sql, [], cancellationToken, Patience);
            await connection.ExecuteAsync(
                "INSERT INTO schema_migrations (name, sha256, applied_ms) VALUES (@name, @sha256, @applied)",
                [("name", name), ("sha256", hash), ("applied", now.ToUnixTimeMilliseconds())], cancellationToken);
            added.Add(name);
        }
        return added;
    }

    private static IEnumerable<(string Name, string Sql, string Hash)> Scripts(string folder)
    {
        var assembly = Assembly.GetExecutingAssembly();
        var resources = assembly.GetManifestResourceNames().Where(n => n.StartsWith(folder, StringComparison.Ordinal))
            .Order(StringComparer.Ordinal).ToArray();
        for (var i = 0; i < resources.Length; i++)
        {
            var name = resources[i][folder.Length..];
            if (!name.StartsWith((i + 1).ToString("0000_", CultureInfo.InvariantCulture), StringComparison.Ordinal))
                throw new InvalidOperationException($"Migration {name} should have number {i + 1:0000}.");
            using var reader = new StreamReader(assembly.GetManifestResourceStream(resources[i])!);
            var sql = reader.ReadToEnd().ReplaceLineEndings("\n");
            yield return (name, sql, Convert.ToHexStringLower(SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(sql))));
        }
    }
}
