using System.Net;
using Microsoft.Extensions.Logging;

namespace WhatsAspire.Cql;

internal static partial class Log
{
    [LoggerMessage(6000, LogLevel.Information, "Connected to cluster {Cluster} through {Node}, data centre {Datacenter}, protocol v{Version}")]
    public static partial void ClusterConnected(this ILogger logger, string cluster, EndPoint node, string datacenter, int version);

    [LoggerMessage(6001, LogLevel.Warning, "No node of the cluster can be reached; the next try comes in {Delay}")]
    public static partial void ClusterUnreachable(this ILogger logger, TimeSpan delay, Exception exception);

    [LoggerMessage(6002, LogLevel.Warning, "The control connection to {Node} is lost: {Reason}")]
    public static partial void ControlConnectionLost(this ILogger logger, EndPoint node, string reason);

    [LoggerMessage(6003, LogLevel.Information, "Node {Node} is up")]
    public static partial void NodeUp(this ILogger logger, EndPoint node);

    [LoggerMessage(6004, LogLevel.Warning, "Node {Node} is down: {Reason}")]
    public static partial void NodeDown(this ILogger logger, EndPoint node, string reason);

    [LoggerMessage(6005, LogLevel.Debug, "Node {Node} can't be connected to; the next try comes in {Delay}: {Reason}")]
    public static partial void NodeUnreachable(this ILogger logger, EndPoint node, TimeSpan delay, string reason);

    [LoggerMessage(6006, LogLevel.Information, "A connection to {Node} ended: {Reason}")]
    public static partial void ConnectionEnded(this ILogger logger, EndPoint node, string reason);

    [LoggerMessage(6007, LogLevel.Information, "Node {Node} joined the cluster")]
    public static partial void NodeAdded(this ILogger logger, EndPoint node);

    [LoggerMessage(6008, LogLevel.Information, "Node {Node} left the cluster")]
    public static partial void NodeRemoved(this ILogger logger, EndPoint node);

    [LoggerMessage(6009, LogLevel.Warning, "The nodes did not agree on a schema within {Timeout}")]
    public static partial void SchemaNotAgreed(this ILogger logger, TimeSpan timeout);

    [LoggerMessage(6010, LogLevel.Warning, "The cluster's nodes could not be read anew")]
    public static partial void RefreshFailed(this ILogger logger, Exception exception);

    [LoggerMessage(6011, LogLevel.Debug, "Node {Node} had forgotten a statement; it is prepared again")]
    public static partial void PreparedAgain(this ILogger logger, EndPoint node);

    [LoggerMessage(6012, LogLevel.Debug, "A warning from the server for a {Operation}: {Warning}")]
    public static partial void ServerWarning(this ILogger logger, string operation, string warning);

    [LoggerMessage(6013, LogLevel.Warning, "The configured data centre {Datacenter} has no node; the cluster has {Datacenters}")]
    public static partial void DatacenterUnknown(this ILogger logger, string datacenter, string datacenters);
}
