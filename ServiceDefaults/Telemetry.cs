using System.Diagnostics.Metrics;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;

namespace WhatsAspire.ServiceDefaults;

/// <summary>Logs, metrics and traces over OTLP, when the environment names a collector.</summary>
internal static class Telemetry
{
    /// <summary>All meters and activity sources of the system start with this.</summary>
    private const string OwnSources = "WhatsAspire.*";

    /// <summary>The standard variable with the collector's address; without it nothing is exported or collected.</summary>
    private const string CollectorVariable = "OTEL_EXPORTER_OTLP_ENDPOINT";

    /// <summary>Seconds.</summary>
    private static readonly double[] DurationBoundaries =
        [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300];

    /// <summary>Traces that one process begins in a second; the setting <c>Telemetry:TracesPerSecond</c>.</summary>
    private const double TracesPerSecond = 20;

    public static void AddTelemetry(this IHostApplicationBuilder builder)
    {
        if (string.IsNullOrWhiteSpace(builder.Configuration[CollectorVariable]))
            return;

        builder.Logging.AddOpenTelemetry(logging =>
        {
            logging.IncludeFormattedMessage = true;
            logging.IncludeScopes = true;
        });
        builder.Services.AddOpenTelemetry()
            .WithMetrics(metrics => metrics
                .AddAspNetCoreInstrumentation()
                .AddHttpClientInstrumentation()
                .AddRuntimeInstrumentation()
                .AddMeter(OwnSources)
                .AddView(BucketsOf))
            .WithTracing(tracing => tracing
                .SetSampler(services => new ParentBasedSampler(new RateLimitedSampler(
                    services.GetRequiredService<IConfiguration>().GetValue("Telemetry:TracesPerSecond", TracesPerSecond),
                    services.GetRequiredService<TimeProvider>())))
                .AddSource(OwnSources)
                .AddAspNetCoreInstrumentation(options => options.Filter = IsWorthTracing)
                .AddHttpClientInstrumentation(options =>
                    options.FilterHttpRequestMessage = request => !IsStream(request.RequestUri?.AbsolutePath)))
            .UseOtlpExporter();
    }

    /// <summary>What is measured in seconds and says nothing of buckets takes milliseconds here, mostly: the exporter's own begin at
    /// 5.</summary>
    private static ExplicitBucketHistogramConfiguration? BucketsOf(Instrument instrument) =>
        instrument is Histogram<double> { Unit: "s", Advice: null } ? new() { Boundaries = DurationBoundaries } : null;

    /// <summary>Probes come every few seconds for ever, and would drown the traces that somebody looks for.</summary>
    private static bool IsWorthTracing(HttpContext context) =>
        !context.Request.Path.StartsWithSegments(Health.Path) && !IsStream(context.Request.Path.Value);

    /// <summary>The streams between the services live as long as the processes; what they carry is traced by itself.</summary>
    private static bool IsStream(string? path) =>
        path is not null && (path.EndsWith("/Exchange", StringComparison.Ordinal) || path.EndsWith("/Deliver", StringComparison.Ordinal));
}
