using System.Diagnostics;
using System.Diagnostics.Metrics;
using WhatsAspire.MessageApi.Storage;

namespace WhatsAspire.MessageApi;

/// <summary>The names under which the message API is seen in traces and metrics.</summary>
internal static class ApiTelemetry
{
    public const string Name = "WhatsAspire.MessageApi";
    public const string Appends = "whatsaspire.messages.append.duration";
    public const string GroupChanges = "whatsaspire.groups.changes";
    public const string GroupChangesSwept = "whatsaspire.groups.changes.swept";
    public const string GroupSize = "whatsaspire.groups.size";
    public const string Fanouts = "whatsaspire.messages.fanouts";

    public static readonly ActivitySource Source = new(Name);
}

/// <summary>What the message API counts.</summary>
internal sealed class ApiMetrics
{
    private readonly Histogram<double> _appends;
    private readonly Counter<long> _groupChanges;
    private readonly Counter<long> _groupChangesSwept;
    private readonly Histogram<int> _groupSize;

    public ApiMetrics(IMeterFactory meters)
    {
        var meter = meters.Create(ApiTelemetry.Name);
        _appends = meter.CreateHistogram<double>(
            ApiTelemetry.Appends, "s", "From the arrival of a send until it is durable, by outcome");
        _groupChanges = meter.CreateCounter<long>(
            ApiTelemetry.GroupChanges, "{change}", "Changes of groups that were put into their logs, by type");
        _groupChangesSwept = meter.CreateCounter<long>(
            ApiTelemetry.GroupChangesSwept, "{change}", "Of these, those that nobody waited for: whoever made them died or could not reach the store");
        _groupSize = meter.CreateHistogram(
            ApiTelemetry.GroupSize, "{member}", "Members of a group after a change of who is in it",
            advice: new InstrumentAdvice<int> { HistogramBucketBoundaries = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000] });
    }

    public void Appended(AppendStatus status, TimeSpan duration) =>
        _appends.Record(duration.TotalSeconds, new KeyValuePair<string, object?>("outcome", status == AppendStatus.Duplicate ? "duplicate" : "appended"));

    /// <param name="type">One of <see cref="Contracts.Frames.GroupChangeTypes"/>.</param>
    /// <param name="members">How many are in the group now; null where that did not change.</param>
    public void GroupChanged(string type, int? members)
    {
        _groupChanges.Add(1, new KeyValuePair<string, object?>("type", type));
        if (members is { } count) _groupSize.Record(count);
    }

    public void GroupChangesSwept(int changes) => _groupChangesSwept.Add(changes);
}
