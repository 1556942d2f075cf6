using WhatsAspire.Contracts;

namespace WhatsAspire.MessageApi.Storage.Cassandra;

/// <summary>Who is in a conversation, and how far, while entries are thought through one after the other. Of a group it may
/// know only those who matter.</summary>
internal sealed class Standings
{
    private readonly Dictionary<UserId, Standing> _all;

    private Standings(Dictionary<UserId, Standing> all) => _all = all;

    /// <summary>A direct conversation's: its members are in it from its first entry on.</summary>
    public static Standings Direct(ConversationShape shape, IEnumerable<Member> rows, Head head)
    {
        var all = shape.Members.ToDictionary(member => member, _ => new Standing(true, 0, 0));
        foreach (var row in rows)
            if (all.ContainsKey(row.User)) all[row.User] = Of(row, head);
        return new(all);
    }

    /// <summary>A group's.</summary>
    public static Standings Group(IEnumerable<Member> rows, Head head) => new(rows.ToDictionary(row => row.User, row => Of(row, head)));

    public Standings Copy() => new(new(_all));

    /// <summary>How far a user is; null for who was never in it.</summary>
    public Standing? Find(UserId user) => _all.TryGetValue(user, out var standing) ? standing : null;

    /// <summary>Sets a user back to what he was.</summary>
    public void Reset(UserId user, Standing? to)
    {
        if (to is { } standing) _all[user] = standing;
        else _all.Remove(user);
    }

    /// <summary>Applies changes of members.</summary>
    /// <returns>Those that changed something.</returns>
    public IReadOnlyList<MemberChange> Apply(IReadOnlyList<MemberChange> changes, long seq)
    {
        if (changes.Count == 0) return [];
        var effective = new List<MemberChange>(changes.Count);
        foreach (var change in changes)
        {
            var known = Find(change.User);
            if (change.IsMember == (known?.IsIn ?? false)) continue;
            _all[change.User] = change.IsMember ? new(true, seq - 1, seq - 1) : known!.Value with { IsIn = false };
            effective.Add(change);
        }

        return effective;
    }

    /// <summary>Who sends an entry has read what stands before it, if he is in.</summary>
    /// <returns>Where he was before; null for who is not in.</returns>
    public Standing? Raise(UserId sender, long seq)
    {
        if (Find(sender) is not { IsIn: true } before) return null;
        _all[sender] = new(true, seq, seq);
        return before;
    }

    /// <summary>The lowest positions of all who are in; null where nobody is.</summary>
    public Lowest? Lowest()
    {
        var lowest = default(Lowest?);
        foreach (var (isIn, delivered, read) in _all.Values)
            if (isIn) lowest = lowest?.Min(new(delivered, read)) ?? new(delivered, read);
        return lowest;
    }

    private static Standing Of(Member row, Head head)
    {
        var member = row.With(head.Senders.Find(row.User));
        return new(member.IsIn, member.DeliveredSeq, member.ReadSeq);
    }
}

/// <param name="IsIn">Has not left.</param>
/// <param name="DeliveredSeq">His delivered position.</param>
/// <param name="ReadSeq">His read position.</param>
internal readonly record struct Standing(bool IsIn, long DeliveredSeq, long ReadSeq);
