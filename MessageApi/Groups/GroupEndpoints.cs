using System.Globalization;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;
using WhatsAspire.Contracts;
using WhatsAspire.MessageApi.Users;
using WhatsAspire.ServiceDefaults;

namespace WhatsAspire.MessageApi.Groups;

/// <summary>Groups and who is in them.</summary>
internal static class GroupEndpoints
{
    private const int DefaultPage = 100;
    private const int LongestPage = 500;

    public static void MapGroups(this IEndpointRouteBuilder routes)
    {
        var group = routes.MapGroup("/groups").RequireAuthorization().WithTags("Groups").WithBodyLimit(Limits.FrameBytes);
        group.MapPost("", CreateAsync).WithSummary("Makes a group; 200 when the same client_group_id had made it before.");
        group.MapGet("/{group_id}", GetAsync).WithSummary("A group that the caller is in.");
        group.MapPatch("/{group_id}", EditAsync).WithSummary("Changes name, description, picture or who may send. Admins.");
        group.MapDelete("/{group_id}", DeleteAsync).WithSummary("Ends the group for everybody. Admins.");
        group.MapGet("/{group_id}/members", ListMembersAsync).WithSummary("Who is in the group, in the order of their ids.");
        group.MapPost("/{group_id}/members", AddMembersAsync).WithSummary("Adds several users, all or none. Admins.");
        group.MapPut("/{group_id}/members/{user_id}", PutMemberAsync).WithSummary("Adds a user, or sets a member's role. Admins.");
        group.MapDelete("/{group_id}/members/{user_id}", RemoveMemberAsync).WithSummary("Removes a member (admins), or leaves.");
    }

    private static async Task<Results<Created<GroupResponse>, Ok<GroupResponse>, ProblemResult>> CreateAsync(
        CreateGroupRequest request, AccessIdentity caller, GroupService groups, IOptions<GroupsOptions> options,
        CancellationToken cancellationToken)
    {
        if (GroupRules.Validate(request) is { } refusal) return Problems.Problem(refusal);
        if (GroupRules.Users("member_ids", request.MemberIds ?? [], 0, options.Value.MaxMembers, out var others) is { } broken)
            return Problems.Problem(broken);
        others.Remove(caller.User);
        var made = await groups.CreateAsync(caller.User, request, others, cancellationToken);
        if (!made.IsOk) return Problems.Problem(made.Error!);
        var response = ToResponse(made.Value.View);
        return made.Value.Made ? TypedResults.Created($"/groups/{response.GroupId}", response) : TypedResults.Ok(response);
    }

    private static async Task<Results<Ok<GroupResponse>, ProblemResult>> GetAsync(
        string group_id, AccessIdentity caller, GroupService groups, CancellationToken cancellationToken)
    {
        if (Check.Id("group_id", group_id, out var id) is { } refusal) return Problems.Problem(refusal);
        var found = await groups.GetAsync(caller.User, new(id), cancellationToken);
        return found.IsOk ? TypedResults.Ok(ToResponse(found.Value)) : Problems.Problem(found.Error!);
    }

    private static async Task<Results<Ok<GroupResponse>, ProblemResult>> EditAsync(
        string group_id, EditGroupRequest request, AccessIdentity caller, GroupService groups, CancellationToken cancellationToken)
    {
        if (Check.Id("group_id", group_id, out var id) is { } refusal) return Problems.Problem(refusal);
        if (GroupRules.Validate(request) is { } broken) return Problems.Problem(broken);
        var edited = await groups.EditAsync(caller.User, new(id), request, cancellationToken);
        return edited.IsOk ? TypedResults.Ok(ToResponse(edited.Value)) : Problems.Problem(edited.Error!);
    }

    private static async Task<Results<NoContent, ProblemResult>> DeleteAsync(
        string group_id, AccessIdentity caller, GroupService groups, CancellationToken cancellationToken)
    {
        if (Check.Id("group_id", group_id, out var id) is { } refusal) return Problems.Problem(refusal);
        return Answer(await groups.DeleteAsync(caller.User, new(id), cancellationToken));
    }

    private static async Task<Results<Ok<GroupMembersResponse>, ProblemResult>> ListMembersAsync(
        string group_id, string? cursor, string? limit, AccessIdentity caller, GroupService groups, CancellationToken cancellationToken)
    {
        if (Check.Id("group_id", group_id, out var id) is { } refusal) return Problems.Problem(refusal);
        var count = DefaultPage;
        if (limit is not null
            && (!int.TryParse(limit, NumberStyles.None, CultureInfo.InvariantCulture, out count) || count is < 1 or > LongestPage))
            return Problems.Problem(Error.Invalid($"'limit' must be from 1 to {LongestPage}"));
        var after = Guid.Empty;
        if (cursor is not null && !Guid.TryParseExact(cursor, "N", out after))
            return Problems.Problem(Error.Invalid("'cursor' must be the next_cursor of an earlier page"));

        // One more than asked for tells whether there is another page.
        var found = await groups.ListMembersAsync(
            caller.User, new(id), cursor is null ? null : new UserId(after), count + 1, cancellationToken);
        if (!found.IsOk) return Problems.Problem(found.Error!);
        var page = found.Value.Take(count).Select(m => new GroupMemberResponse(m.User, Word(m.Role), m.JoinedAt)).ToArray();
        var next = found.Value.Length > count ? page[^1].UserId.Value.ToString("N", CultureInfo.InvariantCulture) : null;
        return TypedResults.Ok(new GroupMembersResponse(page, next));
    }

    private static async Task<Results<NoContent, ProblemResult>> AddMembersAsync(
        string group_id, AddMembersRequest request, AccessIdentity caller, GroupService groups, IOptions<GroupsOptions> options,
        CancellationToken cancellationToken)
    {
        if (Check.Id("group_id", group_id, out var id) is { } refusal) return Problems.Problem(refusal);
        if (GroupRules.Users("user_ids", request.UserIds, 1, options.Value.MaxMembers, out var users) is { } broken)
            return Problems.Problem(broken);
        return Answer(await groups.PutMembersAsync(caller.User, new(id), users, null, cancellationToken));
    }

    private static async Task<Results<NoContent, ProblemResult>> PutMemberAsync(
        string group_id, string user_id, MemberRequest? request, AccessIdentity caller, GroupService groups, CancellationToken cancellationToken)
    {
        var user = Guid.Empty;
        if ((Check.Id("group_id", group_id, out var id) ?? Check.Id("user_id", user_id, out user)) is { } refusal)
            return Problems.Problem(refusal);
        if (GroupRules.Role(request?.Role, out var role) is { } broken) return Problems.Problem(broken);
        return Answer(await groups.PutMembersAsync(caller.User, new(id), [new(user)], role, cancellationToken));
    }

    private static async Task<Results<NoContent, ProblemResult>> RemoveMemberAsync(
        string group_id, string user_id, AccessIdentity caller, GroupService groups, CancellationToken cancellationToken)
    {
        var user = Guid.Empty;
        if ((Check.Id("group_id", group_id, out var id) ?? Check.Id("user_id", user_id, out user)) is { } refusal)
            return Problems.Problem(refusal);
        return Answer(await groups.RemoveMemberAsync(caller.User, new(id), new(user), cancellationToken));
    }

    internal static GroupResponse ToResponse(MemberView view) => new()
    {
        GroupId = view.Group.Id,
        ConversationId = view.Group.Id,
        Name = view.Group.Name,
        Description = view.Group.Description,
        Picture = view.Group.Picture,
        WhoMaySend = view.Group.OnlyAdminsSend ? "admins" : "everyone",
        MemberCount = view.Group.MemberCount,
        CreatedBy = view.Group.CreatedBy,
        CreatedAt = view.Group.CreatedAt,
        Role = Word(view.Role),
    };

    private static Results<NoContent, ProblemResult> Answer(Error? error) =>
        error is null ? TypedResults.NoContent() : Problems.Problem(error);

    private static string Word(GroupRole role) => role == GroupRole.Admin ? "admin" : "member";
}
