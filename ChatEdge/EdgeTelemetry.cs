using System.Diagnostics;
using System.Diagnostics.Metrics;
using WhatsAspire.ChatEdge.Connections;
using WhatsAspire.Contracts;

namespace WhatsAspire.ChatEdge;

/// <summary>The names under which the edge is seen in traces and metrics.</summary>
internal static class EdgeTelemetry
{
    public const string Name = "WhatsAspire.ChatEdge";
    public const string Connections = "whatsaspire.edge.connections";
    public const string Closed = "whatsaspire.edge.connections.closed";
    public const string Sends = "whatsaspire.edge.send.duration";
    public const string Refused = "whatsaspire.edge.refused";
    public const string CatchUps = "whatsaspire.edge.catch_ups";
    public const string Repairs = "whatsaspire.edge.deliveries.repaired";
    public const string GroupRounds = "whatsaspire.edge.group_positions";
    public const string Redeliveries = "whatsaspire.edge.redeliveries";

    public static readonly ActivitySource Source = new(Name);
}

/// <summary>What the edge counts.</summary>
internal sealed class EdgeMetrics
{
    private readonly UpDownCounter<long> _connections;
    private readonly Counter<long> _closed;
    private readonly Histogram<double> _sends;
    private readonly Counter<long> _refused;
    private readonly Counter<long> _catchUps;
    private readonly Counter<long> _repairs;
    private readonly Histogram<long> _groupRounds;
    private readonly Counter<long> _redeliveries;

    public EdgeMetrics(IMeterFactory meters)
    {
        var meter = meters.Create(EdgeTelemetry.Name);
        _connections = meter.CreateUpDownCounter<long>(EdgeTelemetry.Connections, "{connection}", "Open client connections");
        _closed = meter.CreateCounter<long>(EdgeTelemetry.Closed, "{connection}", "Client connections that ended, by close code");
        _sends = meter.CreateHistogram<double>(EdgeTelemetry.Sends, "s", "From the send frame to its answer");
        _refused = meter.CreateCounter<long>(EdgeTelemetry.Refused, "{frame}", "Frames that were refused, by error code");
        _catchUps = meter.CreateCounter<long>(EdgeTelemetry.CatchUps, "{event}", "Live events that a slow connection had to be given later");
        _repairs = meter.CreateCounter<long>(EdgeTelemetry.Repairs, "{user}", "Users whose lost live deliveries the activity check found");
        _groupRounds = meter.CreateHistogram<long>(EdgeTelemetry.GroupRounds, "{position}", "Members' positions in a group that were raised by one operation");
        _redeliveries = meter.CreateCounter<long>(EdgeTelemetry.Redeliveries, "{event}", "Failed live deliveries from the queue, by outcome");
    }

    public void ConnectionOpened() => _connections.Add(1);

    public void ConnectionClosed(CloseCode code)
    {
        _connections.Add(-1);
        _closed.Add(1, new KeyValuePair<string, object?>("close_code", (int)code));
    }

    public void Sent(TimeSpan duration) => _sends.Record(duration.TotalSeconds);

    public void Refused(ErrorCode code) => _refused.Add(1, new KeyValuePair<string, object?>("error.type", code.Word()));

    public void CatchUp() => _catchUps.Add(1);

    public void GroupRound(int positions) => _groupRounds.Record(positions);

    public void DeliveryRepaired() => _repairs.Add(1);

    /// <param name="outcome">delivered, offline, retried, expired or unreadable.</param>
    public void Redelivered(string outcome) => _redeliveries.Add(1, new KeyValuePair<string, object?>("outcome", outcome));
}
