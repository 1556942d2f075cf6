using WhatsAspire.Contracts.Fanout.V1;

namespace WhatsAspire.FanoutWorker;

/// <summary>The parts of the worker.</summary>
internal static class FanoutWorkerRegistration
{
    private const string Api = "http://_grpc.message-api";

    public static IHostApplicationBuilder AddFanoutWorker(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddOptions<FanoutWorkerOptions>().BindConfiguration(FanoutWorkerOptions.SectionName).ValidateDataAnnotations().ValidateOnStart();
        services.AddGrpcClient<FanoutState.FanoutStateClient>(client => client.Address = new(Api));
        services.AddSingleton<FanoutWorkerMetrics>();
        services.AddSingleton<GroupState>();
        services.AddSingleton<EdgeDelivery>();
        services.AddSingleton<FanoutHandler>();
        services.AddHostedService<FanoutConsumer>();
        return builder;
    }
}
