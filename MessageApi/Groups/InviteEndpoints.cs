using Microsoft.AspNetCore.Http.HttpResults;
using WhatsAspire.Contracts;
using WhatsAspire.MessageApi.Directory;
using WhatsAspire.MessageApi.Users;
using WhatsAspire.ServiceDefaults;

namespace WhatsAspire.MessageApi.Groups;

/// <summary>Ways into groups.</summary>
internal static class InviteEndpoints
{
    private const int LongestSeconds = 365 * 24 * 60 * 60;
    private const int MostUses = 100_000;

    public static void MapInvites(this IEndpointRouteBuilder routes)
    {
        var group = routes.MapGroup("/groups/{group_id}/invites").RequireAuthorization().WithTags("Groups").WithBodyLimit(Limits.FrameBytes);
        group.MapPost("", AddAsync).WithSummary("Makes an invite; its code is shown this once. Admins.");
        group.MapGet("", ListAsync).WithSummary("The invites that are good, oldest first, without their codes. Admins.");
        group.MapDelete("/{invite_id}", RevokeAsync).WithSummary("Ends an invite. Admins.");

        var invites = routes.MapGroup("/invites").RequireAuthorization().WithTags("Groups").WithBodyLimit(Limits.FrameBytes);
        invites.MapGet("/{code}", PreviewAsync).WithSummary("The group that a code is of.");
        invites.MapPost("/{code}", JoinAsync).WithSummary("Joins the group that a code is of.");
    }

    private static async Task<Results<Created<InviteResponse>, ProblemResult>> AddAsync(
        string group_id, InviteRequest? request, AccessIdentity caller, InviteService invites, CancellationToken cancellationToken)
    {
        if (Check.Id("group_id", group_id, out var id) is { } refusal) return Problems.Problem(refusal);
        if (request?.ExpiresIn is < 1 or > LongestSeconds)
            return Problems.Problem(Error.Invalid($"expires_in must be 1 to {LongestSeconds} seconds; absent: the invite does not expire"));
        if (request?.MaxUses is < 1 or > MostUses)
            return Problems.Problem(Error.Invalid($"max_uses must be 1 to {MostUses}; absent: there is no limit"));
        TimeSpan? lifetime = request?.ExpiresIn is { } seconds ? TimeSpan.FromSeconds(seconds) : null;
        var added = await invites.AddAsync(caller.User, new(id), lifetime, (int?)request?.MaxUses, cancellationToken);
        if (!added.IsOk) return Problems.Problem(added.Error!);
        var (invite, code) = added.Value;
        return TypedResults.Created($"/groups/{invite.Group}/invites/{invite.Id}", ToResponse(invite, code));
    }

    private static async Task<Results<Ok<InvitesResponse>, ProblemResult>> ListAsync(
        string group_id, AccessIdentity caller, InviteService invites, CancellationToken cancellationToken)
    {
        if (Check.Id("group_id", group_id, out var id) is { } refusal) return Problems.Problem(refusal);
        var found = await invites.ListAsync(caller.User, new(id), cancellationToken);
        return found.IsOk
            ? TypedResults.Ok(new InvitesResponse([.. found.Value.Select(invite => ToResponse(invite, null))]))
            : Problems.Problem(found.Error!);
    }

    private static async Task<Results<NoContent, ProblemResult>> RevokeAsync(
        string group_id, string invite_id, AccessIdentity caller, InviteService invites, CancellationToken cancellationToken)
    {
        var invite = Guid.Empty;
        if ((Check.Id("group_id", group_id, out var id) ?? Check.Id("invite_id", invite_id, out invite)) is { } refusal)
            return Problems.Problem(refusal);
        return await invites.RevokeAsync(caller.User, new(id), invite, cancellationToken) is { } error
            ? Problems.Problem(error) : TypedResults.NoContent();
    }

    private static async Task<Results<Ok<InvitePreviewResponse>, ProblemResult>> PreviewAsync(
        string code, InviteService invites, CancellationToken cancellationToken)
    {
        var found = await invites.FindAsync(code, cancellationToken);
        if (!found.IsOk) return Problems.Problem(found.Error!);
        var (invite, group) = found.Value;
        return TypedResults.Ok(new InvitePreviewResponse(group.Name, group.Description, group.Picture, group.MemberCount, invite.ExpiresAt));
    }

    private static async Task<Results<Ok<GroupResponse>, ProblemResult>> JoinAsync(
        string code, AccessIdentity caller, InviteService invites, GroupService groups, CancellationToken cancellationToken)
    {
        var found = await invites.FindGroupAsync(code, cancellationToken);
        if (!found.IsOk) return Problems.Problem(found.Error!);
        var joined = await groups.JoinAsync(caller.User, found.Value.Group, found.Value.CodeHash, cancellationToken);
        return joined.IsOk ? TypedResults.Ok(GroupEndpoints.ToResponse(joined.Value)) : Problems.Problem(joined.Error!);
    }

    private static InviteResponse ToResponse(GroupInvite invite, string? code) =>
        new(invite.Id, code, invite.CreatedBy, invite.CreatedAt, invite.ExpiresAt, invite.MaxUses, invite.Uses);
}
