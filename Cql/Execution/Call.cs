using System.Net;
using WhatsAspire.Cql.Cluster;
using WhatsAspire.Cql.Connections;

namespace WhatsAspire.Cql.Execution;

/// <summary>One call on its way: which nodes to ask in which order, and what came of it. Several tries may share it.</summary>
/// <param name="map">The cluster at its beginning.</param>
/// <param name="replicas">Of its partition; empty where it is not known.</param>
/// <param name="start">Where to begin among equals.</param>
/// <param name="keepsOrder">Whether all clients should begin with the same replica: rivals in a conditional write meet there.</param>
/// <param name="useRemote">Whether other data centres come after the local one.</param>
internal sealed class Call(ClusterMap map, Node[] replicas, uint start, bool keepsOrder, bool useRemote)
{
    private readonly Lock _gate = new();
    private readonly uint _firstReplica = FirstReplica(map, replicas, start, keepsOrder);
    private readonly int _end = replicas.Length + map.Local.Length + (useRemote ? map.Remote.Length : 0);
    private Dictionary<string, Exception>? _errors;
    private int _next;
    private bool _hasBegunAgain;

    /// <summary>Some try may have written.</summary>
    public bool MayHaveBeenApplied { get; set; }

    /// <summary>Whom the last try asked.</summary>
    public Node? LastNode { get; private set; }

    /// <returns>The next node that can be asked; false after the last one.</returns>
    public bool TryNext(out Node node, out CqlConnection connection)
    {
        lock (_gate)
        {
            while (_next < _end)
            {
                var candidate = At(_next++, out var isRepeated);
                if (isRepeated || candidate.Pool?.Pick() is not { } picked)
                    continue;
                (node, connection) = (candidate, picked);
                LastNode = candidate;
                return true;
            }
        }

        (node, connection) = (null!, null!);
        return false;
    }

    /// <summary>Starts with the first node again, once.</summary>
    public bool TryBeginAgain()
    {
        lock (_gate)
        {
            if (_hasBegunAgain)
                return false;
            (_hasBegunAgain, _next) = (true, 0);
            return true;
        }
    }

    public void Failed(Node node, CqlException error)
    {
        lock (_gate)
        {
            (_errors ??= [])[node.ToString()] = error;
            MayHaveBeenApplied |= error.MayHaveBeenApplied;
        }
    }

    /// <summary>No node is left.</summary>
    /// <param name="unreachable">Why nodes that were not tried can't be reached.</param>
    public CqlNoHostException NoHost(IReadOnlyDictionary<string, Exception> unreachable)
    {
        var all = new Dictionary<string, Exception>(unreachable);
        lock (_gate)
        {
            foreach (var (node, error) in _errors ?? [])
                all[node] = error;
        }

        var why = all.Count == 0 ? "no connection yet" : string.Join("; ", all.Select(error => $"{error.Key}: {error.Value.Message}"));
        return new($"No node could serve the request: {why}", all) { Node = LastNode?.EndPoint };
    }

    public EndPoint? LastEndPoint => LastNode?.EndPoint;

    /// <summary>The replicas of the local data centre, the other local nodes, the remote ones.</summary>
    private Node At(int position, out bool isRepeated)
    {
        isRepeated = false;
        if (position < replicas.Length)
        {
            var replica = replicas[(int)((_firstReplica + (uint)position) % (uint)replicas.Length)];
            isRepeated = replica.Datacenter != map.LocalDatacenter;
            return replica;
        }

        position -= replicas.Length;
        var nodes = position < map.Local.Length ? map.Local : map.Remote;
        var offset = (uint)(position < map.Local.Length ? position : position - map.Local.Length);
        var node = nodes[(int)((start + offset) % (uint)nodes.Length)];
        isRepeated = nodes == map.Local && Array.IndexOf(replicas, node) >= 0;
        return node;
    }

    /// <summary>Of two replicas the one with less to do.</summary>
    private static uint FirstReplica(ClusterMap map, Node[] replicas, uint start, bool keepsOrder)
    {
        if (keepsOrder || replicas.Length < 2)
            return 0;
        var (one, other) = (start % (uint)replicas.Length, (start + 1) % (uint)replicas.Length);
        return Load(map, replicas[one]) <= Load(map, replicas[other]) ? one : other;
    }

    private static int Load(ClusterMap map, Node node) =>
        node.IsUp && node.Datacenter == map.LocalDatacenter ? node.Pool!.InFlight : int.MaxValue;
}
