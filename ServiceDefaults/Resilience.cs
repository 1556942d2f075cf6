using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Http.Resilience;

namespace WhatsAspire.ServiceDefaults;

/// <summary>Finding other services, and living with their failures.</summary>
public static class Resilience
{
    /// <summary>
    /// Every client made by the client factory resolves service names. Retries and timeouts are not a default: a
    /// handler that cuts requests off after 30 s, or sends them twice, is wrong for gRPC streams and proxied sockets.
    /// </summary>
    internal static void AddServiceDiscoveryDefaults(this IHostApplicationBuilder builder)
    {
        builder.Services.AddServiceDiscovery();
        builder.Services.ConfigureHttpClientDefaults(http => http.AddServiceDiscovery());
    }

    /// <summary>
    /// Retries with backoff, a circuit breaker, and timeouts (10 s a try, 30 s in all) for a client that makes short
    /// REST calls to the outside. Methods that are not safe to repeat are not repeated.
    /// </summary>
    public static IHttpClientBuilder AddRestResilience(this IHttpClientBuilder client)
    {
        client.AddStandardResilienceHandler().Configure(options => options.Retry.DisableForUnsafeHttpMethods());
        return client;
    }
}
