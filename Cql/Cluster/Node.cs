using System.Net;

namespace WhatsAspire.Cql.Cluster;

/// <summary>What the system tables say of one node.</summary>
/// <param name="HostId">Its identity; its address may change.</param>
/// <param name="EndPoint">Where clients reach it.</param>
/// <param name="HostName">What its certificate must say, unless the settings say it.</param>
/// <param name="Datacenter">Its data centre.</param>
/// <param name="Rack">Its rack within that; empty where it has none.</param>
/// <param name="Tokens">Where its ranges of the ring end.</param>
internal sealed record NodeInfo(Guid HostId, IPEndPoint EndPoint, string HostName, string Datacenter, string Rack, IReadOnlyList<long> Tokens);

/// <summary>A node of the cluster, as long as it is one.</summary>
internal sealed class Node(NodeInfo info)
{
    /// <summary>Read anew with each refresh.</summary>
    public NodeInfo Info { get; set; } = info;

    public Guid HostId => Info.HostId;

    public IPEndPoint EndPoint => Info.EndPoint;

    public string Datacenter => Info.Datacenter;

    /// <summary>Null where the session doesn't talk to it, as it is in another data centre.</summary>
    public NodePool? Pool { get; set; }

    public bool IsUp => Pool?.IsUp == true;

    public override string ToString() => EndPoint.ToString();
}
