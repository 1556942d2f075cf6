using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using WhatsAspire.Backplane.Activity;
using WhatsAspire.Backplane.EdgeTransport;
using WhatsAspire.Backplane.Push;
using WhatsAspire.Backplane.Redelivery;
using WhatsAspire.Backplane.Sessions;

namespace WhatsAspire.Backplane;

public static class BackplaneExtensions
{
    /// <summary>Adds sessions, activity marks and live routing over the Redis of the connection string <c>redis</c>. A
    /// process that holds connections registers its <see cref="ILocalDelivery"/> before. Where there is a queue too, live
    /// deliveries that fail are put on it, and who has to be pushed to.</summary>
    public static IHostApplicationBuilder AddBackplane(this IHostApplicationBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.AddOptions<BackplaneOptions>()
            .BindConfiguration(BackplaneOptions.SectionName)
            .ValidateDataAnnotations()
            .Validate(o => o.LeaseRenewal * 3 <= o.LeaseTime, "Backplane:LeaseRenewal must be at most a third of Backplane:LeaseTime")
            .ValidateOnStart();
        // Redis makes delivery fast, and nothing more: a process starts and works without it, and never waits long for it.
        // Its commands are no spans: they come in batches that belong to no one message, and would drown those that do.
        builder.AddRedisClient("redis", settings => settings.DisableTracing = true, redis =>
        {
            redis.AbortOnConnectFail = false;
            redis.BacklogPolicy = StackExchange.Redis.BacklogPolicy.FailFast;
            // By default it waits 5 s and more, for a Redis that is back after one.
            redis.ReconnectRetryPolicy = new StackExchange.Redis.LinearRetry(250);
            redis.AsyncTimeout = 1000;
        });
        builder.Services.TryAddSingleton(TimeProvider.System);
        builder.Services.TryAddSingleton<ILocalDelivery, NoLocalDelivery>();
        builder.Services.AddSingleton<EdgeIdentity>();
        builder.Services.AddSingleton<SessionRegistry>();
        builder.Services.AddSingleton<EdgeLinks>();
        builder.Services.AddSingleton<LiveEvents>();
        builder.Services.AddSingleton<DeliveryMetrics>();
        builder.Services.AddSingleton<ActivityMarks>();
        builder.Services.AddSingleton<RedeliveryMetrics>();
        builder.Services.AddSingleton<RedeliveryOutbox>();
        builder.Services.AddSingleton<PushMetrics>();
        builder.Services.AddSingleton<PushedMarks>();
        builder.Services.AddSingleton<PushOutbox>();
        // Before the router: what fails while that ends must still get on the queue.
        builder.Services.AddHostedService(s => s.GetRequiredService<RedeliveryOutbox>());
        builder.Services.AddHostedService(s => s.GetRequiredService<PushOutbox>());
        builder.Services.AddHostedService<LiveRouter>();
        builder.Services.AddHostedService(s => s.GetRequiredService<ActivityMarks>());
        return builder;
    }
}
