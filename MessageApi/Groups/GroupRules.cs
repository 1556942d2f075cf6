using WhatsAspire.Contracts;
using WhatsAspire.MessageApi.Users;

namespace WhatsAspire.MessageApi.Groups;

/// <summary>What people may call and show of a group. Each gives null, or the refusal that names the member and what is
/// allowed.</summary>
internal static class GroupRules
{
    private const int NameLength = 100;
    private const int DescriptionLength = 512;
    private const int PictureLength = 1024;

    /// <summary>Of a group to be made.</summary>
    public static Error? Validate(CreateGroupRequest request) =>
        Name(request.Name)
        ?? (request.Description is { } description ? Description(description) : null)
        ?? (request.Picture is { } picture ? Picture(picture) : null)
        ?? (request.ClientGroupId is { } id ? ClientGroupId(id) : null);

    /// <summary>Of a change; what is absent stays.</summary>
    public static Error? Validate(EditGroupRequest request) =>
        (request.Name is { } name ? Name(name) : null)
        ?? (request.Description is { } description ? Description(description) : null)
        ?? (request.Picture is { } picture ? Picture(picture) : null)
        ?? (request.WhoMaySend is null or "everyone" or "admins" ? null : Error.Invalid("who_may_send must be 'everyone' or 'admins'"));

    /// <summary>A list of users: distinct, in the order given.</summary>
    public static Error? Users(string member, IReadOnlyList<string?>? values, int least, int most, out List<UserId> users)
    {
        users = [];
        if (values is null) return Check.Missing(member);
        if (values.Count < least || values.Count > most) return Error.Invalid($"{member} must have {least} to {most} user ids");
        var seen = new HashSet<UserId>();
        for (var i = 0; i < values.Count; i++)
        {
            if (Check.Id($"{member}[{i}]", values[i], out var id) is { } refusal) return refusal;
            if (seen.Add(new(id))) users.Add(new(id));
        }

        return null;
    }

    public static Error? Role(string? word, out GroupRole? role)
    {
        role = word switch { "admin" => GroupRole.Admin, "member" => GroupRole.Member, _ => null };
        return word is null || role is not null ? null : Error.Invalid("role must be 'admin' or 'member'");
    }

    private static Error? Name(string? value) =>
        Check.Text("name", value, 1, NameLength)
        ?? (string.IsNullOrWhiteSpace(value) || value.Any(char.IsControl)
            ? Error.Invalid("name must have a visible character and no control characters") : null);

    private static Error? Description(string value) =>
        Check.Text("description", value, 0, DescriptionLength)
        ?? (value.Any(c => char.IsControl(c) && c != '\n')
            ? Error.Invalid("description must have no control characters but line feeds") : null);

    private static Error? Picture(string value) =>
        value.Length == 0
            || (value.Length <= PictureLength && !value.AsSpan().ContainsAnyExceptInRange('!', '~')
                && Uri.TryCreate(value, UriKind.Absolute, out var uri) && uri.Scheme == Uri.UriSchemeHttps
                && uri.Host.Length > 0 && uri.UserInfo.Length == 0)
            ? null
            : Error.Invalid($"picture must be an absolute https address of at most {PictureLength:N0} characters, without user information; empty for none");

    private static Error? ClientGroupId(string value) =>
        value.Length is 0 or > Limits.ClientMessageIdLength || value.AsSpan().ContainsAnyExceptInRange(' ', '~')
            ? Error.Invalid($"client_group_id must be 1 to {Limits.ClientMessageIdLength} characters of printable ASCII") : null;
}
