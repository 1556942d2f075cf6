using Microsoft.AspNetCore.Http;
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
                .AddMeter(OwnSources))
            .WithTracing(tracing => tracing
                .AddSource(OwnSources)
                .AddAspNetCoreInstrumentation(options => options.Filter = IsWorthTracing)
                .AddHttpClientInstrumentation())
            .UseOtlpExporter();
    }

    /// <summary>Probes come every few seconds for ever, and would drown the traces that somebody looks for.</summary>
    private static bool IsWorthTracing(HttpContext context) => !context.Request.Path.StartsWithSegments(Health.Path);
}
