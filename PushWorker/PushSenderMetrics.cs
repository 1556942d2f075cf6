using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace WhatsAspire.PushWorker;

/// <summary>The names under which the senders are seen in traces and metrics.</summary>
internal static class SenderTelemetry
{
    public const string Name = "WhatsAspire.PushWorker";
    public const string Requests = "whatsaspire.push.request.duration";
    public const string Provider = "provider";
    public const string Outcome = "outcome";

    /// <summary>The span of one notification to one device. The HTTP client has none for it: addresses hold tokens.</summary>
    public const string Span = "push send";

    public static readonly ActivitySource Source = new(Name);

    /// <param name="result">Null: cancelled.</param>
    public static string Word(PushResult? result) => result switch
    {
        PushResult.Accepted => "accepted",
        PushResult.DeadToken => "dead_token",
        PushResult.TryLater { IsProviderWide: true } => "provider_later",
        PushResult.TryLater => "device_later",
        PushResult.Refused => "refused",
        _ => "cancelled",
    };
}

/// <summary>What the senders count.</summary>
internal sealed class PushSenderMetrics
{
    private readonly Histogram<double> _requests;

    public PushSenderMetrics(IMeterFactory meters) =>
        _requests = meters.Create(SenderTelemetry.Name)
            .CreateHistogram<double>(SenderTelemetry.Requests, "s", "From a notification to its provider's answer, by provider and outcome");

    /// <param name="provider">A <see cref="PushProviders"/>.</param>
    /// <param name="outcome">accepted, dead_token, device_later, provider_later, refused or cancelled.</param>
    /// <param name="duration">With the wait for credentials.</param>
    public void Sent(string provider, string outcome, TimeSpan duration) =>
        _requests.Record(
            duration.TotalSeconds,
            new KeyValuePair<string, object?>(SenderTelemetry.Provider, provider),
            new KeyValuePair<string, object?>(SenderTelemetry.Outcome, outcome));
}

/// <summary>A sender whose requests are counted and traced.</summary>
internal sealed class MeasuredSender(IPushSender sender, PushSenderMetrics metrics, TimeProvider time) : IPushSender
{
    public string Provider => sender.Provider;

    public async Task<PushResult> SendAsync(PushAddress to, PushNotification notification, CancellationToken cancellationToken)
    {
        using var span = SenderTelemetry.Source.StartActivity(SenderTelemetry.Span, ActivityKind.Client);
        var start = time.GetTimestamp();
        PushResult? result = null;
        try
        {
            return result = await sender.SendAsync(to, notification, cancellationToken);
        }
        finally
        {
            var outcome = SenderTelemetry.Word(result);
            metrics.Sent(Provider, outcome, time.GetElapsedTime(start));
            span?.SetTag(SenderTelemetry.Provider, Provider).SetTag(SenderTelemetry.Outcome, outcome);
            if (result is not PushResult.Accepted) span?.SetStatus(ActivityStatusCode.Error, Reason(result));
        }
    }

    private static string? Reason(PushResult? result) => result switch
    {
        PushResult.DeadToken dead => dead.Reason,
        PushResult.TryLater later => later.Reason,
        PushResult.Refused refused => refused.Reason,
        _ => null,
    };
}
