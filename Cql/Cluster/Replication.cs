using System.Globalization;

namespace WhatsAspire.Cql.Cluster;

/// <summary>How a keyspace places its replicas on the ring.</summary>
internal abstract record Replication
{
    /// <summary>Walks the ring from a position and picks the replicas, the first one first.</summary>
    public abstract Node[] Pick(Node[] owners, int position);

    /// <param name="options">The column <c>replication</c> of system_schema.keyspaces.</param>
    /// <returns>Null for strategies that this client doesn't know: then nothing is routed by token.</returns>
    public static Replication? Parse(IReadOnlyDictionary<string, string> options)
    {
        var strategy = options.GetValueOrDefault("class", "");
        return strategy[(strategy.LastIndexOf('.') + 1)..] switch
        {
            "SimpleStrategy" when Factor(options.GetValueOrDefault("replication_factor", "")) is { } factor => new SimpleReplication(factor),
            "NetworkTopologyStrategy" => new TopologyReplication(options.Where(option => option.Key != "class" && Factor(option.Value) is not null)
                .ToDictionary(option => option.Key, option => Factor(option.Value)!.Value)),
            _ => null,
        };
    }

    /// <summary><c>3</c>, or <c>3/1</c> where one of three is transient.</summary>
    private static int? Factor(string text) =>
        int.TryParse(text.Split('/')[0], NumberStyles.None, CultureInfo.InvariantCulture, out var factor) ? factor : null;
}

/// <summary>The next nodes of the ring, wherever they are.</summary>
internal sealed record SimpleReplication(int Factor) : Replication
{
    public override Node[] Pick(Node[] owners, int position)
    {
        var replicas = new List<Node>(Factor);
        for (var i = 0; i < owners.Length && replicas.Count < Factor; i++)
        {
            var owner = owners[(position + i) % owners.Length];
            if (!replicas.Contains(owner))
                replicas.Add(owner);
        }

        return [.. replicas];
    }
}

/// <summary>In each data centre the next nodes of the ring, from as many racks as there are.</summary>
internal sealed record TopologyReplication(IReadOnlyDictionary<string, int> Factors) : Replication
{
    public override Node[] Pick(Node[] owners, int position)
    {
        var datacenters = Factors.Where(factor => factor.Value > 0).ToDictionary(factor => factor.Key, factor => new Datacenter(factor.Value, owners, factor.Key));
        var replicas = new List<Node>();
        for (var i = 0; i < owners.Length && datacenters.Values.Any(datacenter => !datacenter.IsDone); i++)
        {
            var owner = owners[(position + i) % owners.Length];
            if (datacenters.TryGetValue(owner.Datacenter, out var datacenter))
                datacenter.Offer(owner, replicas);
        }

        return [.. replicas];
    }

    private sealed class Datacenter(int factor, Node[] owners, string name)
    {
        private readonly int _racks = owners.Where(owner => owner.Datacenter == name).Select(owner => owner.Info.Rack).Distinct().Count();
        private readonly HashSet<string> _seenRacks = [];
        private readonly List<Node> _passedOver = [];
        private readonly HashSet<Node> _chosen = [];

        public bool IsDone => _chosen.Count >= factor;

        /// <summary>A second node of a rack must wait until every rack has given one.</summary>
        public void Offer(Node node, List<Node> replicas)
        {
            if (IsDone || _chosen.Contains(node) || _passedOver.Contains(node))
                return;
            if (_seenRacks.Count < _racks && _seenRacks.Contains(node.Info.Rack))
            {
                _passedOver.Add(node);
                return;
            }

            Choose(node, replicas);
            if (_seenRacks.Add(node.Info.Rack) && _seenRacks.Count == _racks)
            {
                foreach (var passed in _passedOver.TakeWhile(_ => !IsDone))
                    Choose(passed, replicas);
            }
        }

        private void Choose(Node node, List<Node> replicas)
        {
            _chosen.Add(node);
            replicas.Add(node);
        }
    }
}
