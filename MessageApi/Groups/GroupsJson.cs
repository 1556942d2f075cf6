using System.Text.Json.Serialization;
using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Frames;

namespace WhatsAspire.MessageApi.Groups;

/// <summary>The body of <c>POST /groups</c>.</summary>
/// <param name="Name">1 to 100 characters.</param>
/// <param name="MemberIds">The others; the caller is in it by himself.</param>
/// <param name="Description">At most 512 characters.</param>
/// <param name="Picture">An absolute https address.</param>
/// <param name="ClientGroupId">The client's own id, which makes retries one group.</param>
internal sealed record CreateGroupRequest(
    string? Name, IReadOnlyList<string?>? MemberIds, string? Description, string? Picture, string? ClientGroupId);

/// <summary>The body of <c>PATCH /groups/{id}</c>; what is absent stays, an empty description or picture goes.</summary>
internal sealed record EditGroupRequest(string? Name, string? Description, string? Picture, string? WhoMaySend);

/// <summary>The body of <c>POST /groups/{id}/members</c>.</summary>
internal sealed record AddMembersRequest(IReadOnlyList<string?>? UserIds);

/// <summary>The body of <c>PUT /groups/{id}/members/{user_id}</c>.</summary>
/// <param name="Role"><c>admin</c> or <c>member</c>; absent: who is added is a member, who is in the group keeps his.</param>
internal sealed record MemberRequest(string? Role);

/// <summary>The body of <c>POST /groups/{id}/invites</c>.</summary>
/// <param name="ExpiresIn">Seconds; absent: never.</param>
/// <param name="MaxUses">Absent: any number.</param>
internal sealed record InviteRequest(long? ExpiresIn, long? MaxUses);

/// <summary>A group as one of its members sees it.</summary>
internal sealed record GroupResponse
{
    public required ConversationId GroupId { get; init; }

    /// <summary>The same.</summary>
    public required ConversationId ConversationId { get; init; }

    public required string Name { get; init; }
    public string? Description { get; init; }
    public string? Picture { get; init; }

    /// <summary><c>everyone</c> or <c>admins</c>.</summary>
    public required string WhoMaySend { get; init; }

    public required int MemberCount { get; init; }
    public required UserId CreatedBy { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>The caller's: <c>admin</c> or <c>member</c>.</summary>
    public required string Role { get; init; }
}

/// <summary>A page of a group's members, in the order of their ids.</summary>
internal sealed record GroupMembersResponse(IReadOnlyList<GroupMemberResponse> Members, string? NextCursor);

/// <summary>A member.</summary>
internal sealed record GroupMemberResponse(UserId UserId, string Role, DateTimeOffset JoinedAt);

/// <summary>An invite. The code is shown once, to who made it.</summary>
internal sealed record InviteResponse(
    Guid InviteId, string? Code, UserId CreatedBy, DateTimeOffset CreatedAt, DateTimeOffset? ExpiresAt, int? MaxUses, int Uses);

/// <summary>A group's invites, oldest first.</summary>
internal sealed record InvitesResponse(IReadOnlyList<InviteResponse> Invites);

/// <summary>What who has a code may know before he joins.</summary>
internal sealed record InvitePreviewResponse(string Name, string? Description, string? Picture, int MemberCount, DateTimeOffset? ExpiresAt);

/// <summary>Source-generated serialization of these.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    Converters = [typeof(WireTimeConverter)])]
[JsonSerializable(typeof(CreateGroupRequest))]
[JsonSerializable(typeof(EditGroupRequest))]
[JsonSerializable(typeof(AddMembersRequest))]
[JsonSerializable(typeof(MemberRequest))]
[JsonSerializable(typeof(InviteRequest))]
[JsonSerializable(typeof(GroupResponse))]
[JsonSerializable(typeof(GroupMembersResponse))]
[JsonSerializable(typeof(InviteResponse))]
[JsonSerializable(typeof(InvitesResponse))]
[JsonSerializable(typeof(InvitePreviewResponse))]
internal sealed partial class GroupsJson : JsonSerializerContext;
