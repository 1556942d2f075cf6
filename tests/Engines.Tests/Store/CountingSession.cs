using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using WhatsAspire.Cql;

namespace WhatsAspire.Engines.Tests.Store;

/// <summary>A session that notes each request by the table that it goes to.</summary>
internal sealed class CountingSession(ICqlSession inner) : ICqlSession
{
    private readonly ConcurrentQueue<string> _requests = new();

    /// <summary>What was asked since the last look: 'read', 'write' or 'batch', and the table.</summary>
    public IReadOnlyList<string> Take()
    {
        string[] taken = [.. _requests.Order(StringComparer.Ordinal)];
        _requests.Clear();
        return taken;
    }

    public Task<CqlResult> ExecuteAsync(CqlCommand command, CancellationToken cancellationToken = default)
    {
        Note(command);
        return inner.ExecuteAsync(command, cancellationToken);
    }

    public Task<CqlResult> ExecuteAsync(CqlBatch batch, CancellationToken cancellationToken = default)
    {
        _requests.Enqueue($"batch {TableOf(batch.Commands[0])}");
        return inner.ExecuteAsync(batch, cancellationToken);
    }

    public async IAsyncEnumerable<CqlRow> QueryAsync(
        CqlCommand command, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        Note(command);
        await foreach (var row in inner.QueryAsync(command, cancellationToken)) yield return row;
    }

    private void Note(CqlCommand command)
    {
        var isRead = command.Statement.Text.StartsWith("SELECT", StringComparison.Ordinal);
        _requests.Enqueue($"{(isRead ? "read" : "write")} {TableOf(command)}");
    }

    private static string TableOf(CqlCommand command)
    {
        const string Keyspace = "whatsaspire.";
        var text = command.Statement.Text;
        var start = text.IndexOf(Keyspace, StringComparison.Ordinal) + Keyspace.Length;
        var end = start;
        while (end < text.Length && (char.IsLetter(text[end]) || text[end] == '_')) end++;
        return text[start..end];
    }
}
