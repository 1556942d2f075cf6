namespace WhatsAspire.MessageApi.Groups;

/// <summary>Limits of groups.</summary>
public sealed class GroupsOptions
{
    public const string SectionName = "Groups";

    /// <summary>Members of one group at most, 2 to 1,000. Groups that have more already keep them.</summary>
    public int MaxMembers { get; set; } = 500;

    /// <summary>Invites of one group that may be good at once, 1 to 1,000.</summary>
    public int MaxInvites { get; set; } = 50;

    /// <summary>How often groups are looked for whose changes did not get into their logs, 1 s to a minute; a change is taken for
    /// such a one when it is this old.</summary>
    public TimeSpan SweepInterval { get; set; } = TimeSpan.FromSeconds(5);
}
