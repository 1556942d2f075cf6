using System.Data.Common;

namespace WhatsAspire.MessageApi.Directory;

/// <summary>The few steps between a statement with named parameters and its rows. Cancellation is looked at before a
/// statement is sent, not while it runs: a statement takes no longer than the connection's own time, and PostgreSQL's
/// client cancels one over a second connection, blocking a thread until the server has answered there.</summary>
internal static class SqlCommands
{
    /// <summary>Runs a statement that returns no rows.</summary>
    /// <param name="connection">Open.</param>
    /// <param name="sql">The statement.</param>
    /// <param name="arguments">Its parameters.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <param name="patience">How long it may take; the connection's own time unless given.</param>
    /// <returns>How many rows it changed.</returns>
    public static async Task<int> ExecuteAsync(
        this DbConnection connection, string sql, (string Name, object? Value)[] arguments, CancellationToken cancellationToken,
        TimeSpan? patience = null)
    {
        await using var command = Command(connection, sql, arguments);
        if (patience is { } time) command.CommandTimeout = (int)time.TotalSeconds;
        cancellationToken.ThrowIfCancellationRequested();
        return await command.ExecuteNonQueryAsync(CancellationToken.None);
    }

    /// <summary>The first row, or null.</summary>
    public static async Task<T?> FirstAsync<T>(
        this DbConnection connection, string sql, (string Name, object? Value)[] arguments, Func<DbDataReader, T> read,
        CancellationToken cancellationToken) where T : class
    {
        await using var command = Command(connection, sql, arguments);
        cancellationToken.ThrowIfCancellationRequested();
        await using var reader = await command.ExecuteReaderAsync(CancellationToken.None);
        return await reader.ReadAsync(CancellationToken.None) ? read(reader) : null;
    }

    /// <summary>All rows.</summary>
    public static async Task<IReadOnlyList<T>> AllAsync<T>(
        this DbConnection connection, string sql, (string Name, object? Value)[] arguments, Func<DbDataReader, T> read,
        CancellationToken cancellationToken)
    {
        await using var command = Command(connection, sql, arguments);
        cancellationToken.ThrowIfCancellationRequested();
        await using var reader = await command.ExecuteReaderAsync(CancellationToken.None);
        List<T> rows = [];
        while (await reader.ReadAsync(CancellationToken.None)) rows.Add(read(reader));
        return rows;
    }

    // A provider whose commands need it gives the connection's open transaction to each command it creates.
    private static DbCommand Command(DbConnection connection, string sql, (string Name, object? Value)[] arguments)
    {
        var command = connection.CreateCommand();
        command.CommandText = sql;
        foreach (var (name, value) in arguments)
        {
            var parameter = command.CreateParameter();
            parameter.ParameterName = name;
            parameter.Value = value ?? DBNull.Value;
            command.Parameters.Add(parameter);
        }
        return command;
    }
}
