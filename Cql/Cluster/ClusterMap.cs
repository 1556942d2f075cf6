using System.Net;

namespace WhatsAspire.Cql.Cluster;

/// <summary>The cluster as it was when it was last read: nodes, ring and keyspaces. Immutable but for what it works out on demand.</summary>
internal sealed class ClusterMap
{
    public static readonly ClusterMap Empty = new([], "", new Dictionary<string, Replication?>(), isRouted: false);

    private readonly long[] _tokens;
    private readonly Node[] _owners;
    private readonly Dictionary<string, Keyspace> _keyspaces;

    /// <param name="nodes">All nodes.</param>
    /// <param name="localDatacenter">Whose nodes are asked first.</param>
    /// <param name="keyspaces">How each keyspace is replicated; null where that is not known.</param>
    /// <param name="isRouted">Whether the cluster's partitioner is the one whose tokens this client can compute.</param>
    public ClusterMap(IReadOnlyList<Node> nodes, string localDatacenter, IReadOnlyDictionary<string, Replication?> keyspaces, bool isRouted)
    {
        Nodes = nodes;
        LocalDatacenter = localDatacenter;
        Local = [.. nodes.Where(node => node.Datacenter == localDatacenter)];
        Remote = [.. nodes.Where(node => node.Datacenter != localDatacenter)];
        (long Token, Node Node)[] ring = isRouted
            ? [.. nodes.SelectMany(node => node.Info.Tokens.Select(token => (token, node))).OrderBy(entry => entry.token)]
            : [];
        _tokens = Array.ConvertAll(ring, entry => entry.Token);
        _owners = Array.ConvertAll(ring, entry => entry.Node);
        _keyspaces = keyspaces.Where(keyspace => keyspace.Value is not null)
            .ToDictionary(keyspace => keyspace.Key, keyspace => new Keyspace(keyspace.Value!, new Node[]?[_tokens.Length]));
    }

    public IReadOnlyList<Node> Nodes { get; }

    public string LocalDatacenter { get; }

    public Node[] Local { get; }

    public Node[] Remote { get; }

    public Node? Find(IPEndPoint endPoint) => Nodes.FirstOrDefault(node => node.EndPoint.Equals(endPoint));

    /// <returns>The replicas of a partition in all data centres, the first one first; empty where that is not known.</returns>
    public Node[] Replicas(string keyspace, long token)
    {
        if (_tokens.Length == 0 || !_keyspaces.TryGetValue(keyspace, out var known))
            return [];
        // A range belongs to the token at its end; beyond the last one the ring begins anew.
        var position = Array.BinarySearch(_tokens, token);
        position = (position < 0 ? ~position : position) % _tokens.Length;
        // Two threads may work it out at once, and come to the same.
        return known.Replicas[position] ??= known.Replication.Pick(_owners, position);
    }

    private sealed record Keyspace(Replication Replication, Node[]?[] Replicas);
}
