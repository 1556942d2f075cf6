using Microsoft.AspNetCore.Http.HttpResults;
using WhatsAspire.Contracts;
using WhatsAspire.MessageApi.Directory;
using WhatsAspire.ServiceDefaults;

namespace WhatsAspire.MessageApi.Push;

/// <summary>How the device that asks is pushed to.</summary>
internal static class PushEndpoints
{
    public static void MapPushRegistration(this IEndpointRouteBuilder routes)
    {
        var group = routes.MapGroup("/devices/current/push").RequireAuthorization().WithTags("Devices").WithBodyLimit(Limits.FrameBytes);
        group.MapPut("", PutAsync).WithSummary("Has the device that asks pushed to while it is not connected.");
        group.MapDelete("", RemoveAsync).WithSummary("Ends pushes to the device that asks.");
    }

    private static async Task<Results<NoContent, ProblemResult>> PutAsync(
        PushRequest request, AccessIdentity caller, IDirectory directory, TimeProvider time, CancellationToken cancellationToken)
    {
        if (PushRules.Validate(request) is { } refusal) return Problems.Problem(refusal);
        var registration = new PushRegistration
        {
            Device = caller.Device,
            User = caller.User,
            Provider = request.Provider!,
            // One token in one form, whatever the app's way of writing hexadecimal.
            Token = request.Provider == PushRules.Apns ? request.Token!.ToLowerInvariant() : request.Token!,
            Topic = request.Topic,
            IsSandbox = request.Sandbox is true,
            P256dh = request.Keys?.P256dh,
            Auth = request.Keys?.Auth,
            HidesContent = request.Content == "hidden",
            RegisteredAt = time.GetUtcNow(),
        };
        // The device may have been logged out since its token was looked at.
        return await directory.PutPushAsync(registration, cancellationToken)
            ? TypedResults.NoContent()
            : Problems.Problem(new(ErrorCode.Unauthenticated, "the device was logged out; sign in again"));
    }

    private static async Task<NoContent> RemoveAsync(AccessIdentity caller, IDirectory directory, CancellationToken cancellationToken)
    {
        await directory.RemovePushAsync(caller.User, caller.Device, cancellationToken);
        return TypedResults.NoContent();
    }
}
