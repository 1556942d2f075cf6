using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;

namespace WhatsAspire.ServiceDefaults;

/// <summary>What every process of the system has in common.</summary>
public static class ServiceDefaultsExtensions
{
    /// <summary>
    /// Adds the settings file, telemetry, health checks, service discovery, the shutdown rules, and <see cref="TimeProvider"/>.
    /// Call it first in every Program.cs.
    /// </summary>
    public static TBuilder AddServiceDefaults<TBuilder>(this TBuilder builder)
        where TBuilder : IHostApplicationBuilder
    {
        builder.Services.TryAddSingleton(TimeProvider.System);
        builder.AddSettingsFile();
        builder.AddTelemetry();
        builder.AddHealth();
        builder.AddServiceDiscoveryDefaults();
        builder.AddParentWatch();

        // Below the 30 s that orchestrators wait before they kill, so that a service ends by its own rules.
        builder.Services.Configure<HostOptions>(options => options.ShutdownTimeout = TimeSpan.FromSeconds(25));
        return builder;
    }

    /// <summary>Maps <c>/health/live</c> and <c>/health/ready</c>, in every environment.</summary>
    public static WebApplication MapDefaultEndpoints(this WebApplication app)
    {
        app.MapHealth();
        return app;
    }
}
