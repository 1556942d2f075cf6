using WhatsAspire.Cql.Protocol;

namespace WhatsAspire.Cql.Connections;

/// <summary>What the client asks on its own account.</summary>
internal static class ConnectionQueries
{
    /// <summary>Runs a statement without values, at consistency ONE, all rows in one page.</summary>
    public static async Task<CqlResult> QueryAsync(this CqlConnection connection, string text, CancellationToken cancellationToken)
    {
        var request = new QueryRequest(text)
        {
            Operation = "SELECT",
            IsRead = true,
            IsConditional = false,
            IsIdempotent = true,
            Parameters = new(CqlConsistency.One),
        };
        var response = await connection.SendAsync(request, cancellationToken);
        ThrowIfError(connection, response);
        return ResultReader.Read(response, connection.Version, prepared: null, out _, out _);
    }

    public static async Task<PreparedStatement> PrepareAsync(this CqlConnection connection, string text, CancellationToken cancellationToken)
    {
        var response = await connection.SendAsync(new PrepareRequest(text), cancellationToken);
        ThrowIfError(connection, response);
        return ResultReader.ReadPrepared(response, connection.Version);
    }

    public static async Task RegisterAsync(this CqlConnection connection, CancellationToken cancellationToken)
    {
        var response = await connection.SendAsync(new RegisterRequest(ServerEvent.Topology, ServerEvent.Status, ServerEvent.Schema), cancellationToken);
        ThrowIfError(connection, response);
    }

    /// <summary>Sets the keyspace for names without one, once. A keyspace that doesn't exist yet is no error: the next request tries again.</summary>
    public static async ValueTask UseKeyspaceAsync(this CqlConnection connection, string? keyspace, CancellationToken cancellationToken)
    {
        if (keyspace is null || connection.Keyspace is not null)
            return;
        try
        {
            await connection.QueryAsync($"USE \"{keyspace.Replace("\"", "\"\"", StringComparison.Ordinal)}\"", cancellationToken);
            connection.Keyspace = keyspace;
        }
        catch (CqlInvalidQueryException)
        {
            // The statement itself tells whether it can do without.
        }
    }

    private static void ThrowIfError(CqlConnection connection, Response response)
    {
        if (response.Opcode == Opcode.Error)
            throw ErrorReader.Read(response, connection.Version, connection.Node, isRead: true, isConditional: false);
        if (response.Opcode is not (Opcode.Result or Opcode.Ready))
            throw new CqlProtocolException($"{connection.Node}: {response.Opcode} where a result was expected.") { Node = connection.Node };
    }
}
