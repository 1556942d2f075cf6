using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using WhatsAspire.Cql.Protocol;

namespace WhatsAspire.Cql.Tests;

/// <summary>The system tables as far as the client reads them.</summary>
internal static class FakeSystemTables
{
    private static readonly CqlColumn[] Local =
    [
        new("key", CqlType.Text), new("cluster_name", CqlType.Text), new("data_center", CqlType.Text), new("rack", CqlType.Text),
        new("host_id", CqlType.Uuid), new("partitioner", CqlType.Text), new("tokens", CqlType.Set(CqlType.Text)), new("schema_version", CqlType.Uuid),
    ];

    private static readonly CqlColumn[] Peers =
    [
        new("peer", CqlType.Inet), new("native_address", CqlType.Inet), new("native_port", CqlType.Int), new("data_center", CqlType.Text),
        new("rack", CqlType.Text), new("host_id", CqlType.Uuid), new("tokens", CqlType.Set(CqlType.Text)), new("schema_version", CqlType.Uuid),
    ];

    private static readonly CqlColumn[] KeyspaceColumns = [new("keyspace_name", CqlType.Text), new("replication", CqlType.Map(CqlType.Text, CqlType.Text))];

    public static Task AnswerAsync(FakeServer server, FakeRequest request)
    {
        var text = request.Text;
        if (text.StartsWith("SELECT schema_version FROM system.local", StringComparison.Ordinal))
            return request.RowsAsync([new("schema_version", CqlType.Uuid)], [[server.SchemaVersion]]);
        if (text.Contains("system.local", StringComparison.Ordinal))
        {
            return request.RowsAsync(Local, [["local", "fake", server.Datacenter, server.Rack, server.HostId,
                "org.apache.cassandra.dht.Murmur3Partitioner", Tokens(server), server.SchemaVersion]]);
        }

        if (text.Contains("system.peers_v2", StringComparison.Ordinal))
        {
            return request.RowsAsync(Peers, [.. server.Cluster.Where(peer => peer != server).Select(peer => (IReadOnlyList<CqlValue>)[
                peer.EndPoint.Address, peer.EndPoint.Address, peer.EndPoint.Port, peer.Datacenter, peer.Rack, peer.HostId, Tokens(peer), peer.SchemaVersion])]);
        }

        if (text.Contains("system_schema.keyspaces", StringComparison.Ordinal))
        {
            return request.RowsAsync(KeyspaceColumns, [["ks", CqlValue.Map(("class", "org.apache.cassandra.locator.SimpleStrategy"),
                ("replication_factor", server.Replicas.ToString(CultureInfo.InvariantCulture)))]]);
        }

        if (!text.StartsWith("USE ", StringComparison.Ordinal))
            return request.VoidAsync();
        var keyspace = text[4..].Trim('"');
        return server.Keyspaces.Contains(keyspace)
            ? request.AnswerAsync(Opcode.Result, writer =>
            {
                writer.WriteInt32((int)ResultKind.SetKeyspace);
                writer.WriteString(keyspace);
            })
            : request.ErrorAsync(0x2200, $"Keyspace '{keyspace}' does not exist");
    }

    private static CqlValue Tokens(FakeServer server) =>
        CqlValue.Set([.. server.Tokens.Select(token => (CqlValue)token.ToString(CultureInfo.InvariantCulture))]);
}

/// <summary>Statements of any text: their markers are ints, of which the first is the partition key; a SELECT gives one row with the
/// first value.</summary>
internal static class FakeStatements
{
    public static readonly CqlColumn[] Result = [new("v", CqlType.Int, "ks", "t")];

    private static readonly byte[] MetadataId = [7];

    public static Task PrepareAsync(FakeServer server, FakeRequest request)
    {
        var text = request.Text;
#pragma warning disable CA5351 // Cassandra's ids are MD5 digests of the text.
        var id = MD5.HashData(Encoding.UTF8.GetBytes(text));
#pragma warning restore CA5351
        server.Prepared[Convert.ToHexString(id)] = text;
        var markers = server.Markers?.Invoke(text) ?? [.. Enumerable.Repeat(CqlType.Int, text.Count(c => c == '?'))];
        return request.AnswerAsync(Opcode.Result, writer =>
        {
            writer.WriteInt32((int)ResultKind.Prepared);
            writer.WriteShortBytes(id);
            if (request.Version >= 5)
                writer.WriteShortBytes(MetadataId);
            writer.WriteInt32(1);
            writer.WriteInt32(markers.Length);
            writer.WriteInt32(Math.Min(markers.Length, 1));
            if (markers.Length > 0)
                writer.WriteUInt16(0);
            WriteColumns(writer, [.. markers.Select((type, i) => new CqlColumn($"p{i}", type))]);
            writer.WriteInt32(text.StartsWith("SELECT", StringComparison.Ordinal) ? 1 : 4);
            writer.WriteInt32(text.StartsWith("SELECT", StringComparison.Ordinal) ? Result.Length : 0);
            if (text.StartsWith("SELECT", StringComparison.Ordinal))
                WriteColumns(writer, Result);
        });
    }

    public static Task ExecuteAsync(FakeServer server, FakeRequest request)
    {
        var id = request.Read().ShortBytes();
        if (!server.Prepared.TryGetValue(Convert.ToHexString(id), out var text))
            return UnpreparedAsync(request, id.ToArray());
        return text.StartsWith("SELECT", StringComparison.Ordinal)
            ? request.RowsAsync(Result, [[text.Contains('?', StringComparison.Ordinal) ? request.FirstValue : 1]])
            : request.VoidAsync();
    }

    public static Task BatchAsync(FakeServer server, FakeRequest request)
    {
        var reader = request.Read();
        reader.Byte();
        for (var left = reader.UInt16(); left > 0; left--)
        {
            reader.Byte();
            var id = reader.ShortBytes();
            if (!server.Prepared.ContainsKey(Convert.ToHexString(id)))
                return UnpreparedAsync(request, id.ToArray());
            for (var values = reader.UInt16(); values > 0; values--)
                reader.TryBytes(out _);
        }

        return request.VoidAsync();
    }

    public static void WriteRows(ByteWriter writer, IReadOnlyList<CqlColumn> columns, IReadOnlyList<IReadOnlyList<CqlValue>> rows, byte[]? pagingState)
    {
        writer.WriteInt32((int)ResultKind.Rows);
        writer.WriteInt32(1 | (pagingState is null ? 0 : 2));
        writer.WriteInt32(columns.Count);
        if (pagingState is not null)
            writer.WriteBytes(pagingState);
        WriteColumns(writer, columns);
        writer.WriteInt32(rows.Count);
        foreach (var row in rows)
        {
            for (var i = 0; i < columns.Count; i++)
                ValueWriter.Write(writer, row[i], columns[i].Type, columns[i].Name);
        }
    }

    public static void WriteType(ByteWriter writer, CqlType type)
    {
        writer.WriteUInt16((int)type.Code);
        foreach (var argument in type.Arguments)
            WriteType(writer, argument);
    }

    private static void WriteColumns(ByteWriter writer, IReadOnlyList<CqlColumn> columns)
    {
        writer.WriteString("ks");
        writer.WriteString("t");
        foreach (var column in columns)
        {
            writer.WriteString(column.Name);
            WriteType(writer, column.Type);
        }
    }

    private static Task UnpreparedAsync(FakeRequest request, byte[] id) =>
        request.ErrorAsync(ErrorReader.UnpreparedCode, "Prepared query not found", more: writer => writer.WriteShortBytes(id));
}
