using Microsoft.AspNetCore.Http.HttpResults;

namespace WhatsAspire.PushGateways.Page;

/// <summary>What a request for a new device asks for.</summary>
/// <param name="Provider">apns, fcm or webpush.</param>
internal sealed record NewDevice(string Provider);

/// <summary>A new device, as an app registers it.</summary>
internal sealed record Device(string Provider, string Token)
{
    public string? P256dh { get; init; }
    public string? Auth { get; init; }
}

/// <summary>A notification as the page shows it.</summary>
internal sealed record Shown(
    long Number, string Provider, string Token, string? Title, string? Body, long? Badge, bool IsSilent, string? CollapseKey, DateTimeOffset At,
    DateTimeOffset? ExpiresAt, string? ConversationId, long? Seq);

/// <summary>The page that shows what would have arrived on which phone, and what it needs.</summary>
internal static class PageEndpoints
{
    private const string ContentPolicy =
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'; form-action 'none'";

    public static void MapPage(this WebApplication app)
    {
        app.MapGet("/", GetPageAsync);
        app.MapGet("/received", GetReceived);
        app.MapPost("/devices", AddDevice);
    }

    private static async Task GetPageAsync(HttpContext context)
    {
        context.Response.ContentType = "text/html; charset=utf-8";
        context.Response.Headers.ContentSecurityPolicy = ContentPolicy;
        await using var page = typeof(PageEndpoints).Assembly.GetManifestResourceStream("page.html")!;
        await page.CopyToAsync(context.Response.Body, context.RequestAborted);
    }

    /// <summary>Newest first.</summary>
    private static Ok<Shown[]> GetReceived(GatewayService gateways, long after = 0) => TypedResults.Ok(
        gateways.Server.Received
            .Where(push => push.Number > after)
            .Reverse()
            .Select(push => new Shown(
                push.Number, push.Provider, push.Token, push.Title, push.Body, push.Badge, push.IsSilent, push.CollapseKey, push.At, push.ExpiresAt,
                push.ConversationId, push.Seq))
            .ToArray());

    private static Results<Ok<Device>, ProblemHttpResult> AddDevice(NewDevice device, GatewayService gateways)
    {
        switch (device.Provider)
        {
            case GatewayProviders.Apns:
                return TypedResults.Ok(new Device(device.Provider, gateways.Server.NewApnsToken()));
            case GatewayProviders.Fcm:
                return TypedResults.Ok(new Device(device.Provider, gateways.Server.NewFcmToken()));
            case GatewayProviders.WebPush:
                var subscription = gateways.Server.NewWebPushSubscription();
                return TypedResults.Ok(new Device(device.Provider, subscription.Endpoint.AbsoluteUri) { P256dh = subscription.P256dh, Auth = subscription.Auth });
            default:
                return TypedResults.Problem("provider must be apns, fcm or webpush", statusCode: StatusCodes.Status400BadRequest);
        }
    }
}
