using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace WhatsAspire.Backplane.EdgeTransport;

/// <summary>What is counted of the ways on which entries of groups come to their members.</summary>
public sealed class DeliveryMetrics
{
    private readonly Histogram<double> _latency;
    private readonly Counter<long> _deliveries;
    private readonly Histogram<long> _edgeCalls;

    /// <param name="meters">Makes the meter.</param>
    public DeliveryMetrics(IMeterFactory meters)
    {
        ArgumentNullException.ThrowIfNull(meters);
        var meter = meters.Create(BackplaneTelemetry.Name);
        _latency = meter.CreateHistogram<double>(
            BackplaneTelemetry.FanoutLatency, "s", "From the append of a group's entry until all edges have it, by path and size of the group");
        _deliveries = meter.CreateCounter<long>(
            BackplaneTelemetry.FanoutDeliveries, "{delivery}", "Members for whom an edge has a group's entry, by path");
        _edgeCalls = meter.CreateHistogram<long>(
            BackplaneTelemetry.FanoutEdgeCalls, "{call}", "Calls to other processes for one entry of a group, by path");
    }

    /// <summary>All edges have it.</summary>
    /// <param name="path">See <see cref="FanoutPath"/>.</param>
    /// <param name="sinceAppend">By the clocks of two processes.</param>
    /// <param name="members">How many are in the group.</param>
    public void Completed(string path, TimeSpan sinceAppend, int members) =>
        _latency.Record(sinceAppend.TotalSeconds, new TagList { { BackplaneTelemetry.FanoutPath, path }, { BackplaneTelemetry.GroupSize, SizeOf(members) } });

    /// <summary>An edge has it for so many.</summary>
    public void Delivered(string path, int members) => _deliveries.Add(members, new KeyValuePair<string, object?>(BackplaneTelemetry.FanoutPath, path));

    /// <summary>So many edges are being told.</summary>
    public void Called(string path, int edges) => _edgeCalls.Record(edges, new KeyValuePair<string, object?>(BackplaneTelemetry.FanoutPath, path));

    private static string SizeOf(int members) => members switch
    {
        <= 10 => "1-10",
        <= 100 => "11-100",
        <= 500 => "101-500",
        _ => "501-",
    };
}

/// <summary>The ways of a group's entry.</summary>
public static class FanoutPath
{
    /// <summary>From the process that the sender is connected to.</summary>
    public const string Direct = "direct";

    /// <summary>Over the queue.</summary>
    public const string Queue = "queue";

    /// <summary>Over the queue, to members on an edge that had not confirmed it.</summary>
    public const string Retry = "retry";
}
