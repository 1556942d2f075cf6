using Microsoft.Extensions.Diagnostics.HealthChecks;
using WhatsAspire.Backplane.EdgeTransport;
using WhatsAspire.ChatEdge.Connections;
using WhatsAspire.ChatEdge.Routing;
using WhatsAspire.ServiceDefaults;
using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.Health;

namespace WhatsAspire.ChatEdge;

/// <summary>The parts of the edge.</summary>
internal static class EdgeRegistration
{
    private const string ApiRest = "http://_http.message-api";

    public static IHostApplicationBuilder AddConnections(this WebApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddOptions<EdgeOptions>().BindConfiguration(EdgeOptions.SectionName).ValidateDataAnnotations().ValidateOnStart();
        services.AddGrpc();
        services.AddSingleton<ISigningKeySource>(provider => new SigningKeySource(
            async cancel => (await provider.GetRequiredService<MessageApiLink>().Client.GetSigningKeysAsync(new(), cancellationToken: cancel)).JsonWebKeySet,
            provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<ILogger<SigningKeySource>>()));
        services.AddSingleton<AccessTokenValidator>();
        services.AddSingleton<EdgeMetrics>();
        services.AddSingleton<MessageApiAddresses>();
        services.AddSingleton<MessageApiLink>();
        services.AddSingleton<AckBatcher>();
        services.AddSingleton<GroupPositions>();
        services.AddSingleton<GapPatience>();
        services.AddSingleton<ConnectionServices>();
        services.AddSingleton<EdgeConnections>();
        services.AddSingleton<ILocalDelivery>(provider => provider.GetRequiredService<EdgeConnections>());
        services.AddSingleton<WebSocketDoor>();
        services.AddHostedService(provider => provider.GetRequiredService<MessageApiLink>());
        services.AddHostedService(provider => provider.GetRequiredService<AckBatcher>());
        services.AddHostedService(provider => provider.GetRequiredService<GapPatience>());
        services.AddHostedService(provider => provider.GetRequiredService<EdgeConnections>());
        services.AddHostedService<LeaseKeeper>();
        services.AddSingleton<ActivityCheck>();
        services.AddHostedService(provider => provider.GetRequiredService<ActivityCheck>());
        services.AddSingleton<Redelivery>();
        services.AddHostedService<RedeliveryConsumer>();
        services.AddHealthChecks().AddCheck<MessageApiHealthCheck>("message-api");
        builder.WebHost.ConfigureKestrel((context, kestrel) =>
        {
            kestrel.AddServerHeader = false;
            // What a client may have in flight that is not yet looked at: a frame and the start of the next.
            kestrel.Limits.MaxRequestBufferSize = 128 * 1024;
            kestrel.Configure(context.Configuration.GetSection("Kestrel")).Endpoint("http", endpoint =>
                endpoint.ListenOptions.Use(kestrel.ApplicationServices.GetRequiredService<WebSocketDoor>().Wrap));
        });
        return builder;
    }

    public static WebApplication MapConnections(this WebApplication app)
    {
        app.Map(UpgradeRequest.Path, app.Services.GetRequiredService<WebSocketDoor>().OnRequestAsync);
        app.MapGrpcService<EdgeTransportService>();
        return app;
    }

    public static IHostApplicationBuilder AddRestProxy(this IHostApplicationBuilder builder)
    {
        builder.Services.AddReverseProxy()
            .LoadFromMemory(
                [new RouteConfig { RouteId = "rest", ClusterId = "message-api", Match = new() { Path = "{**path}" }, Order = int.MaxValue }],
                [new ClusterConfig
                {
                    ClusterId = "message-api",
                    Destinations = new Dictionary<string, DestinationConfig> { ["message-api"] = new() { Address = ApiRest } },
                    HttpRequest = new() { ActivityTimeout = TimeSpan.FromSeconds(60) },
                    HealthCheck = new()
                    {
                        // A replica that hangs refuses nothing: it is asked. Where none seems well all are tried.
                        AvailableDestinationsPolicy = HealthCheckConstants.AvailableDestinations.HealthyOrPanic,
                        Active = new()
                        {
                            Enabled = true,
                            Path = "/health/live",
                            Interval = TimeSpan.FromSeconds(2),
                            Timeout = TimeSpan.FromSeconds(2),
                            Policy = HealthCheckConstants.ActivePolicy.ConsecutiveFailures,
                        },
                    },
                }])
            .AddServiceDiscoveryDestinationResolver();
        return builder;
    }

    public static WebApplication MapRestProxy(this WebApplication app)
    {
        app.MapReverseProxy(proxy => proxy.Use(async (context, next) =>
        {
            if (ProxyFailures.RefuseTooLarge(context) is { } refused)
            {
                await refused;
                return;
            }

            await next();
            await ProxyFailures.DescribeAsync(context);
        }));
        return app;
    }
}

/// <summary>Ready while the stream of operations stands.</summary>
internal sealed class MessageApiHealthCheck(MessageApiLink link) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(link.IsConnected
            ? HealthCheckResult.Healthy("the stream to the message service stands")
            : HealthCheckResult.Degraded("no stream to the message service: sends wait"));
}
