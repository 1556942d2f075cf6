namespace WhatsAspire.MessageApi.Groups;

/// <summary>Limits of groups.</summary>
public sealed class GroupsOptions
{
    public const string SectionName = "Groups";

    /// <summary>Members of one group at most, 2 to 1,000. Groups that have more already keep them.</summary>
    public int MaxMembers { get; set; } = 500;

    /// <summary>Invites of one group that may be good at once, 1 to 1,000.</summary>
    public int MaxInvites { get; set; } = 50;

    /// <summary>Whether who comes into a group, made with it, added, by an invite or anew, may read what was written before too. What it
    /// is when his coming is put into the group's log holds for him until he leaves, whatever it is later. All replicas should have the
    /// same, and it is to be turned on when all of them know it: with Cassandra an older one fails on groups that somebody came into
    /// this way, rather than take him for one who left.</summary>
    public bool JoinersSeeHistory { get; set; }

    /// <summary>How often groups are looked for whose changes did not get into their logs, 1 s to a minute; a change is taken for
    /// such a one when it is this old.</summary>
    public TimeSpan SweepInterval { get; set; } = TimeSpan.FromSeconds(5);
}
