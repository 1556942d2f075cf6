using Microsoft.AspNetCore.Http.HttpResults;
using WhatsAspire.Contracts;
using WhatsAspire.MessageApi.Directory;
using WhatsAspire.ServiceDefaults;

namespace WhatsAspire.MessageApi.Users;

/// <summary>A user's own devices.</summary>
internal static class DeviceEndpoints
{
    public static void MapDevices(this IEndpointRouteBuilder routes)
    {
        var group = routes.MapGroup("/devices").RequireAuthorization().WithTags("Devices");
        group.MapGet("", ListAsync).WithSummary("The caller's devices, oldest first.");
        group.MapDelete("/{device_id}", LogOutAsync).WithSummary("Logs a device out, closing its socket.");
    }

    private static async Task<Ok<DevicesResponse>> ListAsync(
        AccessIdentity caller, IDirectory directory, CancellationToken cancellationToken)
    {
        var devices = await directory.ListDevicesAsync(caller.User, cancellationToken);
        return TypedResults.Ok(new DevicesResponse(
            [.. devices.Select(d => new DeviceResponse(d.Id, d.Name, d.Platform, d.CreatedAt, d.LastTokenAt, d.Id == caller.Device))]));
    }

    private static async Task<Results<NoContent, ProblemResult>> LogOutAsync(
        string device_id, AccessIdentity caller, SignIn signIn, CancellationToken cancellationToken)
    {
        if (Check.Id("device_id", device_id, out var id) is { } refusal) return Problems.Problem(refusal);
        return await signIn.LogOutAsync(caller.User, new DeviceId(id), cancellationToken)
            ? TypedResults.NoContent() : Problems.Problem(Error.NotFound("device"));
    }
}
