using Microsoft.AspNetCore.Http.HttpResults;
using WhatsAspire.Contracts;
using WhatsAspire.MessageApi.Directory;
using WhatsAspire.ServiceDefaults;

namespace WhatsAspire.MessageApi.Users;

/// <summary>Blocking people.</summary>
internal static class BlockEndpoints
{
    public static void MapBlocks(this IEndpointRouteBuilder routes)
    {
        var group = routes.MapGroup("/blocks").RequireAuthorization().WithTags("Blocks").WithBodyLimit(Limits.FrameBytes);
        group.MapGet("", ListAsync).WithSummary("Whom the caller blocks, oldest block first.");
        group.MapPut("/{user_id}", BlockAsync).WithSummary("Blocks a user.");
        group.MapDelete("/{user_id}", UnblockAsync).WithSummary("Ends a block.");
    }

    private static async Task<Ok<BlocksResponse>> ListAsync(
        AccessIdentity caller, IDirectory directory, CancellationToken cancellationToken) =>
        TypedResults.Ok(new BlocksResponse(await directory.ListBlocksAsync(caller.User, cancellationToken)));

    private static async Task<Results<NoContent, ProblemResult>> BlockAsync(
        string user_id, AccessIdentity caller, IDirectory directory, TimeProvider time, CancellationToken cancellationToken)
    {
        if (Check.Id("user_id", user_id, out var id) is { } refusal) return Problems.Problem(refusal);
        var blocked = new UserId(id);
        if (blocked == caller.User) return Problems.Problem(Error.Invalid("one can't block oneself"));
        if (await directory.FindAccountAsync(blocked, cancellationToken) is null) return Problems.Problem(Error.NotFound("user"));
        await directory.AddBlockAsync(caller.User, blocked, time.GetUtcNow(), cancellationToken);
        return TypedResults.NoContent();
    }

    private static async Task<Results<NoContent, ProblemResult>> UnblockAsync(
        string user_id, AccessIdentity caller, IDirectory directory, CancellationToken cancellationToken)
    {
        if (Check.Id("user_id", user_id, out var id) is { } refusal) return Problems.Problem(refusal);
        await directory.RemoveBlockAsync(caller.User, new UserId(id), cancellationToken);
        return TypedResults.NoContent();
    }
}
