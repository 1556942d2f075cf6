using Microsoft.Extensions.DependencyInjection.Extensions;
using WhatsAspire.ServiceDefaults;

namespace WhatsAspire.MessageApi.Fanout;

/// <summary>Fan-out to large groups as a part of the application. Needs the message store, the groups and the queue.</summary>
internal static class FanoutFeature
{
    public static IHostApplicationBuilder AddFanout(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddOptions<FanoutOptions>().BindConfiguration(FanoutOptions.SectionName).ValidateDataAnnotations().ValidateOnStart();
        services.TryAddSingleton(typeof(LiveOptions<>));
        services.AddSingleton<FanoutMetrics>();
        services.AddSingleton<GroupFanout>();
        services.AddHostedService<FanoutPreparation>();
        services.AddGrpc();
        return builder;
    }

    public static WebApplication MapFanout(this WebApplication app)
    {
        app.MapGrpcService<FanoutGrpcService>();
        return app;
    }
}
