using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace WhatsAspire.MessageApi.Storage;

/// <summary>What the message store measures, in the meter <see cref="Name"/>.</summary>
internal sealed class StoreMetrics
{
    /// <summary>The name of the meter and of the activity source.</summary>
    public const string Name = "WhatsAspire.MessageApi";

    public const string CommitsName = "whatsaspire.store.commits";
    public const string CommitEntriesName = "whatsaspire.store.commit.entries";
    public const string CommitDurationName = "whatsaspire.store.commit.duration";

    public static readonly ActivitySource Activities = new(Name);

    private readonly Counter<long> _commits;
    private readonly Histogram<long> _entries;
    private readonly Histogram<double> _duration;

    public StoreMetrics(IMeterFactory meters)
    {
        var meter = meters.Create(Name);
        _commits = meter.CreateCounter<long>(CommitsName, "{commit}", "Commits of the message store, with error.type when one failed.");
        _entries = meter.CreateHistogram(CommitEntriesName, "{entry}", "Entries that one commit appended to logs.",
            tags: null, new InstrumentAdvice<long> { HistogramBucketBoundaries = [0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024] });
        _duration = meter.CreateHistogram(CommitDurationName, "s", "Time to prepare one commit and sync it to disk.",
            tags: null, new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5] });
    }

    public void Committed(int entries, TimeSpan duration)
    {
        _commits.Add(1);
        _entries.Record(entries);
        _duration.Record(duration.TotalSeconds);
    }

    public void CommitFailed(Exception error) =>
        _commits.Add(1, new KeyValuePair<string, object?>("error.type", error.GetType().FullName));
}
