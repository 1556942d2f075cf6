using System.Globalization;
using System.Net;
using WhatsAspire.Cql.Connections;

namespace WhatsAspire.Cql.Cluster;

/// <summary>What one node says of the cluster.</summary>
internal sealed record ClusterDescription(string Name, string LocalDatacenter, bool IsMurmur3, IReadOnlyList<NodeInfo> Nodes,
    IReadOnlyDictionary<string, Replication?> Keyspaces);

/// <summary>Reads the system tables.</summary>
internal static class ClusterReader
{
    public static async Task<ClusterDescription> ReadAsync(CqlConnection connection, string hostName, int defaultPort, CancellationToken cancellationToken)
    {
        var local = await connection.QueryAsync("SELECT * FROM system.local WHERE key='local'", cancellationToken);
        if (local.Count == 0)
            throw new CqlProtocolException($"{connection.Node}: system.local is empty.");
        var self = local[0];
        var nodes = new List<NodeInfo> { Describe(self, connection.Node, hostName) };
        foreach (var peer in await ReadPeersAsync(connection, cancellationToken))
        {
            if (PeerEndPoint(peer, defaultPort) is { } endPoint && !peer.IsNull("host_id") && !peer.IsNull("data_center"))
                nodes.Add(Describe(peer, endPoint, endPoint.Address.ToString()));
        }

        return new(self.GetString("cluster_name"), self.GetString("data_center"),
            self.GetString("partitioner").EndsWith("Murmur3Partitioner", StringComparison.Ordinal),
            nodes, await ReadKeyspacesAsync(connection, cancellationToken));
    }

    /// <summary>The schema's version of each node that the given one knows, itself included; null where one is not known.</summary>
    public static async Task<IReadOnlyList<(IPEndPoint? Node, Guid? Version)>> ReadSchemaVersionsAsync(CqlConnection connection, int defaultPort,
        CancellationToken cancellationToken)
    {
        var versions = new List<(IPEndPoint?, Guid?)>();
        var local = await connection.QueryAsync("SELECT schema_version FROM system.local WHERE key='local'", cancellationToken);
        foreach (var row in local)
            versions.Add((connection.Node, Version(row)));
        foreach (var row in await ReadPeersAsync(connection, cancellationToken))
            versions.Add((PeerEndPoint(row, defaultPort), Version(row)));
        return versions;

        static Guid? Version(CqlRow row) => row.IsNull("schema_version") ? null : row.GetGuid("schema_version");
    }

    /// <summary>peers_v2 knows ports; servers before version 4 have only peers.</summary>
    private static async Task<CqlResult> ReadPeersAsync(CqlConnection connection, CancellationToken cancellationToken)
    {
        try
        {
            return await connection.QueryAsync("SELECT * FROM system.peers_v2", cancellationToken);
        }
        catch (CqlInvalidQueryException)
        {
            return await connection.QueryAsync("SELECT * FROM system.peers", cancellationToken);
        }
    }

    private static async Task<Dictionary<string, Replication?>> ReadKeyspacesAsync(CqlConnection connection, CancellationToken cancellationToken)
    {
        var keyspaces = new Dictionary<string, Replication?>(StringComparer.Ordinal);
        foreach (var row in await connection.QueryAsync("SELECT keyspace_name, replication FROM system_schema.keyspaces", cancellationToken))
            keyspaces[row.GetString(0)] = Replication.Parse(row.GetMap<string, string>(1));
        return keyspaces;
    }

    private static NodeInfo Describe(CqlRow row, IPEndPoint endPoint, string hostName) =>
        new(row.GetGuid("host_id"), endPoint, hostName, row.GetString("data_center"), row.IsNull("rack") ? "" : row.GetString("rack"),
            [.. row.GetList<string>("tokens").Select(token => long.TryParse(token, CultureInfo.InvariantCulture, out var number) ? number : 0)]);

    /// <summary>Where clients reach a peer; null while it has not said so.</summary>
    private static IPEndPoint? PeerEndPoint(CqlRow row, int defaultPort)
    {
        var names = row.ColumnNames;
        var addressColumn = names.Contains("native_address") ? "native_address" : "rpc_address";
        if (row.IsNull(addressColumn))
            return null;
        var address = row.GetInet(addressColumn);
        // It listens everywhere, and says nothing of where: the others reach it at its peer address.
        if (address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any))
            address = row.GetInet("peer");
        var port = names.Contains("native_port") && !row.IsNull("native_port") ? row.GetInt32("native_port") : defaultPort;
        return new(address, port);
    }
}
