namespace WhatsAspire.Contracts.Frames;

/// <summary>What changed in a group: the content of a <c>system</c> entry of its log. The entry's sender is who did it.
/// A client that follows these from the first on knows name, settings, members and roles.</summary>
public sealed record GroupChange
{
    /// <summary>One of <see cref="GroupChangeTypes"/>; a client ignores types that it does not know.</summary>
    public required string Type { get; init; }

    /// <summary>Of <c>created</c>, <c>added</c>, <c>joined</c>, <c>removed</c>, <c>left</c> and <c>role</c>: who.</summary>
    public IReadOnlyList<UserId>? UserIds { get; init; }

    /// <summary>Of <c>role</c>, and of <c>added</c> where it is not <c>member</c>: <c>admin</c> or <c>member</c>.</summary>
    public string? Role { get; init; }

    /// <summary>Of <c>created</c> and <c>changed</c>: the name from now on; absent where it stays.</summary>
    public string? Name { get; init; }

    /// <summary>Of <c>created</c> and <c>changed</c>: the description from now on; empty: none; absent where it stays.</summary>
    public string? Description { get; init; }

    /// <summary>Of <c>created</c> and <c>changed</c>: the picture's address from now on; empty: none; absent where it stays.</summary>
    public string? Picture { get; init; }

    /// <summary>Of <c>created</c> and <c>changed</c>: who may send, <c>everyone</c> or <c>admins</c>; absent where it stays.</summary>
    public string? WhoMaySend { get; init; }
}

/// <summary>The words of <see cref="GroupChange.Type"/>.</summary>
public static class GroupChangeTypes
{
    /// <summary>The first entry. Its sender is the first admin, <see cref="GroupChange.UserIds"/> are all members.</summary>
    public const string Created = "created";

    /// <summary>Name, description, picture, or who may send.</summary>
    public const string Changed = "changed";

    /// <summary>By an admin.</summary>
    public const string Added = "added";

    /// <summary>By an invite link.</summary>
    public const string Joined = "joined";

    /// <summary>By an admin.</summary>
    public const string Removed = "removed";

    /// <summary>By themselves.</summary>
    public const string Left = "left";

    /// <summary>Somebody became an admin, or is none any more.</summary>
    public const string Role = "role";

    /// <summary>The group is gone: nobody is in it any more. The last entry.</summary>
    public const string Deleted = "deleted";
}
