namespace WhatsAspire.MessageApi.Push;

/// <summary>Pushes as a part of the application: devices register for them, and the PushWorker asks what to send. Needs the
/// message store, the directory and what the users' part puts into the pipeline.</summary>
internal static class PushFeature
{
    public static IHostApplicationBuilder AddPush(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddSingleton<PushService>();
        services.AddGrpc();
        services.ConfigureHttpJsonOptions(json => json.SerializerOptions.TypeInfoResolverChain.Insert(0, PushJson.Default));
        return builder;
    }

    public static WebApplication MapPush(this WebApplication app)
    {
        app.MapPushRegistration();
        app.MapGrpcService<PushGrpcService>();
        return app;
    }
}
