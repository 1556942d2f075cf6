using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;

namespace WhatsAspire.ServiceDefaults;

/// <summary>
/// <c>/health/live</c> says whether the process should go on living: only checks tagged <see cref="LiveTag"/> count.
/// <c>/health/ready</c> says whether it should get traffic: every check counts, and the reply says which one is why not.
/// </summary>
public static class Health
{
    /// <summary>The tag of checks whose failure only a new process can cure.</summary>
    public const string LiveTag = "live";

    internal const string Path = "/health";

    internal static void AddHealth(this IHostApplicationBuilder builder) => builder.Services.AddHealthChecks();

    internal static void MapHealth(this WebApplication app)
    {
        app.MapHealthChecks(Path + "/live", new HealthCheckOptions
        {
            Predicate = check => check.Tags.Contains(LiveTag),
            ResponseWriter = WriteReportAsync,
        }).AllowAnonymous();
        app.MapHealthChecks(Path + "/ready", new HealthCheckOptions { ResponseWriter = WriteReportAsync }).AllowAnonymous();
    }

    /// <summary>
    /// <c>{"status":"Unhealthy","checks":[{"name":"store","status":"Unhealthy","description":"…"}]}</c>. Exceptions
    /// stay in the log: the reply may be read by anybody who reaches the port.
    /// </summary>
    private static async Task WriteReportAsync(HttpContext context, HealthReport report)
    {
        context.Response.ContentType = "application/json; charset=utf-8";
        await using var json = new Utf8JsonWriter(context.Response.BodyWriter);
        json.WriteStartObject();
        json.WriteString("status", report.Status.ToString());
        json.WriteStartArray("checks");
        foreach (var (name, entry) in report.Entries)
        {
            json.WriteStartObject();
            json.WriteString("name", name);
            json.WriteString("status", entry.Status.ToString());
            if (entry.Description is not null)
                json.WriteString("description", entry.Description);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
        await json.FlushAsync(context.RequestAborted);
    }
}
