using Microsoft.Extensions.DependencyInjection.Extensions;

namespace WhatsAspire.MessageApi.Storage.Rocks;

/// <summary>Registers the RocksDB store.</summary>
public static class RocksStoreRegistration
{
    /// <summary>Adds <see cref="IMessageStore"/> on RocksDB with the settings of the section
    /// <see cref="RocksStoreOptions.SectionName"/>, its health check <c>store</c> (tag <c>ready</c>), and the service
    /// that removes the bytes of deleted messages. The folder is opened when the host starts: one that is in use or
    /// cannot be opened stops the start.</summary>
    public static IHostApplicationBuilder AddRocksMessageStore(this IHostApplicationBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.AddOptions<RocksStoreOptions>()
            .BindConfiguration(RocksStoreOptions.SectionName)
            .ValidateDataAnnotations()
            .ValidateOnStart();
        builder.Services.AddMetrics();
        builder.Services.TryAddSingleton(TimeProvider.System);
        builder.Services.AddSingleton<RocksMessageStore>();
        builder.Services.AddSingleton<IMessageStore>(services => services.GetRequiredService<RocksMessageStore>());
        builder.Services.AddHostedService<PurgeService>();
        builder.Services.AddHealthChecks().AddCheck<RocksStoreHealthCheck>("store", tags: ["ready"]);
        return builder;
    }
}
