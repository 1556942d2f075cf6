using System.Diagnostics;
using System.Diagnostics.Metrics;
using WhatsAspire.MessageApi.Storage;

namespace WhatsAspire.MessageApi;

/// <summary>The names under which the message API is seen in traces and metrics.</summary>
internal static class ApiTelemetry
{
    public const string Name = "WhatsAspire.MessageApi";
    public const string Appends = "whatsaspire.messages.append.duration";

    public static readonly ActivitySource Source = new(Name);
}

/// <summary>What the message API counts.</summary>
internal sealed class ApiMetrics
{
    private readonly Histogram<double> _appends;

    public ApiMetrics(IMeterFactory meters)
    {
        _appends = meters.Create(ApiTelemetry.Name).CreateHistogram<double>(
            ApiTelemetry.Appends, "s", "From the arrival of a send until it is durable, by outcome");
    }

    public void Appended(AppendStatus status, TimeSpan duration) =>
        _appends.Record(duration.TotalSeconds, new KeyValuePair<string, object?>("outcome", status == AppendStatus.Duplicate ? "duplicate" : "appended"));
}
