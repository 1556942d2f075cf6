using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using WhatsAspire.Backplane.EdgeTransport;
using WhatsAspire.ServiceDefaults;

namespace WhatsAspire.FanoutWorker.Tests;

/// <summary>What leaves a process for its collector.</summary>
[Trait("Requirement", "R52")]
public sealed class TelemetryTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Durations_leave_in_buckets_that_tell_milliseconds_apart()
    {
        var builder = Host.CreateEmptyApplicationBuilder(new());
        // Nobody listens there: what is exported goes to the reader beside it.
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?> { ["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://127.0.0.1:1" });
        builder.AddServiceDefaults();
        builder.Services.AddSingleton<DeliveryMetrics>();
        var exported = new Histograms();
        builder.Services.ConfigureOpenTelemetryMeterProvider(metrics => metrics.AddReader(new BaseExportingMetricReader(exported)));
        using var host = builder.Build();
        await host.StartAsync(Cancel);
        var latency = host.Services.GetRequiredService<DeliveryMetrics>();
        foreach (var milliseconds in new[] { 1.5, 3, 3.5, 40 })
            latency.Completed(FanoutPath.Direct, TimeSpan.FromMilliseconds(milliseconds), 7);

        host.Services.GetRequiredService<MeterProvider>().ForceFlush();
        await host.StopAsync(Cancel);
        Assert.Equal("<0.002: 1, <0.005: 2, <0.05: 1", exported.Of("whatsaspire.fanout.latency"));
    }

    private sealed class Histograms : BaseExporter<Metric>
    {
        private readonly Dictionary<string, string> _last = [];

        public string? Of(string instrument)
        {
            lock (_last) return _last.GetValueOrDefault(instrument);
        }

        public override ExportResult Export(in Batch<Metric> batch)
        {
            foreach (var metric in batch)
            {
                if (metric.MetricType != MetricType.Histogram) continue;
                foreach (ref readonly var point in metric.GetMetricPoints())
                {
                    var filled = new List<string>();
                    foreach (var bucket in point.GetHistogramBuckets())
                        if (bucket.BucketCount > 0) filled.Add(FormattableString.Invariant($"<{bucket.ExplicitBound}: {bucket.BucketCount}"));
                    lock (_last) _last[metric.Name] = string.Join(", ", filled);
                }
            }

            return ExportResult.Success;
        }
    }
}
