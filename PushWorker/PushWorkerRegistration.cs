using WhatsAspire.Contracts.Push.V1;

namespace WhatsAspire.PushWorker;

/// <summary>The parts of the worker.</summary>
internal static class PushWorkerRegistration
{
    private const string Api = "http://_grpc.message-api";

    public static IHostApplicationBuilder AddPushWorker(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddOptions<PushOptions>().BindConfiguration(PushOptions.SectionName).ValidateDataAnnotations().ValidateOnStart();
        services.AddGrpcClient<PushState.PushStateClient>(client => client.Address = new(Api));
        services.AddSingleton<PushWorkerMetrics>();
        services.AddSingleton<ProviderCircuits>();
        services.AddSingleton<PushDelivery>();
        services.AddSingleton<PushRetries>();
        services.AddSingleton<PushHandler>();
        services.AddHostedService<PushConsumer>();
        return builder;
    }
}
