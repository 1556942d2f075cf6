using System.Runtime.CompilerServices;
using WhatsAspire.Contracts;

namespace WhatsAspire.MessageApi.Storage.Cassandra;

/// <summary>A member and his positions, those that his own entries gave him among them.</summary>
/// <param name="User">Who.</param>
/// <param name="Ordinal">His place in a direct conversation; 0 in a group.</param>
/// <param name="JoinSeq">As <see cref="MemberState.JoinSeq"/>.</param>
/// <param name="SeesAfter">As <see cref="MemberState.SeesAfter"/>.</param>
/// <param name="DeliveredSeq">As <see cref="MemberState.DeliveredSeq"/>.</param>
/// <param name="ReadSeq">As <see cref="MemberState.ReadSeq"/>.</param>
/// <param name="ReadVisible">The visible number at <paramref name="ReadSeq"/>.</param>
/// <param name="ClearedSeq">As <see cref="MemberState.ClearedSeq"/>.</param>
/// <param name="LeftSeq">As <see cref="MemberState.LeftSeq"/>.</param>
/// <param name="ChangedAt">When something that is his alone last changed; of groups only, a direct conversation's is in the inbox.</param>
internal sealed record Member(
    UserId User, int Ordinal, long JoinSeq, long SeesAfter, long DeliveredSeq, long ReadSeq, long ReadVisible, long ClearedSeq, long LeftSeq,
    DateTimeOffset ChangedAt)
{
    /// <summary>How he has the conversation in his list.</summary>
    public MemberSettings Settings { get; init; } = new();

    public MemberState State => new(JoinSeq, DeliveredSeq, ReadSeq, ClearedSeq, LeftSeq) { SeesAfter = SeesAfter };

    public bool IsIn => LeftSeq == 0;

    /// <summary>With what he has sent: who writes has read what stands before.</summary>
    public Member With(SentPosition? sent) => sent is { } own && own.Seq > ReadSeq
        ? this with { ReadSeq = own.Seq, ReadVisible = own.Visible, DeliveredSeq = Math.Max(DeliveredSeq, own.Seq) }
        : this;

    /// <summary>The newest entry that he may see.</summary>
    public long HeadOf(Head head) => IsIn ? head.Seq : LeftSeq;
}

/// <summary>What stands beside the rows of a conversation's members.</summary>
/// <param name="Bucket">A bucket that the log had reached.</param>
/// <param name="ChangesSeq">Up to which entry the rows of a group's members say who is in it.</param>
/// <param name="Lowest">The lowest positions of a group's members, as far as they were told; never above what holds while
/// there are members.</param>
/// <param name="LowestAt">When those last rose.</param>
internal sealed record Roll(long Bucket, long ChangesSeq, Lowest Lowest, DateTimeOffset LowestAt)
{
    public static readonly Roll None = new(0, 0, default, DateTimeOffset.MinValue);
}

/// <summary>The lowest positions of a group's members.</summary>
internal readonly record struct Lowest(long Delivered, long Read)
{
    /// <summary>From here to there, or null where neither is higher.</summary>
    public LowestRise? To(Lowest now) =>
        now.Delivered > Delivered || now.Read > Read ? new(Delivered, Read, now.Delivered, now.Read) : null;

    public Lowest Min(Lowest other) => new(Math.Min(Delivered, other.Delivered), Math.Min(Read, other.Read));
}

/// <summary>One member, as his row and the head have him.</summary>
internal sealed record Seat(Roll Roll, Member Member, Head Head)
{
    /// <summary>When what he sees of a group last changed. That others write and that the slowest rises is not noted for each
    /// member: the head and the roll tell it.</summary>
    public DateTimeOffset ChangedAt
    {
        get
        {
            var at = Member.IsIn && Head.At > Member.ChangedAt ? Head.At : Member.ChangedAt;
            return Roll.LowestAt > at ? Roll.LowestAt : at;
        }
    }
}

/// <summary>A conversation as its rows have it: members with their positions, and the head of its log.</summary>
/// <param name="Shape">Kind and, of a direct one, members, in the order of the first append.</param>
/// <param name="Members">In the same order; of a group by their ids, and with those who have left.</param>
/// <param name="Head">Of an existing log.</param>
/// <param name="Roll">What stands beside the members' rows.</param>
internal sealed record Conversation(ConversationShape Shape, IReadOnlyList<Member> Members, Head Head, Roll Roll)
{
    private Dictionary<UserId, Member>? _byUser;
    private StrongBox<Lowest?>? _lowest;

    public ConversationState State => new(Shape, Head.Seq, Head.Visible, Head.At);

    public bool IsGroup => Shape.Kind == ConversationKind.Group;

    public Member? Find(UserId user) => (_byUser ??= Members.ToDictionary(member => member.User)).GetValueOrDefault(user);

    /// <summary>The lowest positions of all who are in a group; null where nobody is.</summary>
    public Lowest? Lowest => (_lowest ??= new(LowestOf(Members.Where(member => member.IsIn)))).Value;

    /// <summary>The lowest positions of the others; one's own in a conversation with oneself.</summary>
    public Lowest Others(Member of)
    {
        if (IsGroup) return (Lowest ?? default).Min(new(of.HeadOf(Head), of.HeadOf(Head)));
        return LowestOf(Members.Where(member => member.User != of.User || Members.Count == 1)) ?? default;
    }

    private static Lowest? LowestOf(IEnumerable<Member> members)
    {
        var lowest = default(Lowest?);
        foreach (var member in members)
        {
            var own = new Lowest(member.DeliveredSeq, member.ReadSeq);
            lowest = lowest?.Min(own) ?? own;
        }

        return lowest;
    }
}
