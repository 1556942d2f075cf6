using Microsoft.AspNetCore.Http.HttpResults;
using WhatsAspire.Contracts;
using WhatsAspire.MessageApi.Directory;
using WhatsAspire.ServiceDefaults;

namespace WhatsAspire.MessageApi.Users;

/// <summary>Looking people up.</summary>
internal static class ProfileEndpoints
{
    public static void MapProfiles(this IEndpointRouteBuilder routes)
    {
        var group = routes.MapGroup("/users").RequireAuthorization().WithTags("Users");
        group.MapGet("", FindAsync).WithSummary("The user of a user name.");
        group.MapGet("/{user_id}", GetAsync).WithSummary("A user.");
    }

    private static async Task<Results<Ok<UserResponse>, ProblemResult>> FindAsync(
        string? username, IDirectory directory, CancellationToken cancellationToken) =>
        Check.Username(username) is { } refusal
            ? Problems.Problem(refusal) : Answer(await directory.FindAccountAsync(username!, cancellationToken));

    private static async Task<Results<Ok<UserResponse>, ProblemResult>> GetAsync(
        string user_id, IDirectory directory, CancellationToken cancellationToken) =>
        Check.Id("user_id", user_id, out var id) is { } refusal
            ? Problems.Problem(refusal) : Answer(await directory.FindAccountAsync(new UserId(id), cancellationToken));

    private static Results<Ok<UserResponse>, ProblemResult> Answer(Account? account) => account is null
        ? Problems.Problem(Error.NotFound("user"))
        : TypedResults.Ok(new UserResponse(account.Id, account.Username, account.DisplayName, account.About));
}
