using Microsoft.AspNetCore.HttpOverrides;
using WhatsAspire.Contracts;
using WhatsAspire.MessageApi.Conversations;
using WhatsAspire.MessageApi.Exchange;
using WhatsAspire.MessageApi.Fanout;
using WhatsAspire.MessageApi.Groups;
using WhatsAspire.MessageApi.Messages;
using WhatsAspire.MessageApi.Push;
using WhatsAspire.MessageApi.Receipts;
using WhatsAspire.MessageApi.Users;

namespace WhatsAspire.MessageApi;

/// <summary>Conversations, groups, messages, receipts and pushes as a part of the application.</summary>
internal static class MessagingRegistration
{
    public static IHostApplicationBuilder AddMessaging(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddSingleton<MessageIdGenerator>();
        services.AddSingleton<ApiMetrics>();
        services.AddSingleton<ConversationAccess>();
        services.AddSingleton<Summaries>();
        services.AddSingleton<SendQueue>();
        services.AddSingleton<MessageService>();
        services.AddSingleton<GroupReceipts>();
        services.AddSingleton<ReceiptService>();
        services.AddSingleton<ReceiptDelivery>();
        services.AddSingleton<ConversationService>();
        services.AddSingleton<IDeviceRevocations, DeviceRevocations>();
        // The edges are the only ones who reach this process, and each names its client.
        services.Configure<ForwardedHeadersOptions>(forwarded =>
        {
            forwarded.ForwardedHeaders = ForwardedHeaders.XForwardedFor;
            forwarded.ForwardLimit = 1;
            forwarded.KnownIPNetworks.Clear();
            forwarded.KnownProxies.Clear();
        });
        services.AddGrpc(grpc => grpc.MaxReceiveMessageSize = null);
        services.ConfigureHttpJsonOptions(json => json.SerializerOptions.TypeInfoResolverChain.Insert(0, MessagingJson.Default));
        builder.AddGroups();
        builder.AddFanout();
        builder.AddPush();
        return builder;
    }

    public static WebApplication MapMessaging(this WebApplication app)
    {
        app.MapMessages();
        app.MapConversations();
        app.MapGroupEndpoints();
        app.MapGrpcService<MessagingGrpcService>();
        app.MapFanout();
        app.MapPush();
        return app;
    }
}
