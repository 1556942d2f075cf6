using WhatsAspire.Contracts;

namespace WhatsAspire.MessageApi.Storage.Cassandra;

/// <summary>A member and his positions, those that his own entries gave him among them.</summary>
internal sealed record Member(
    UserId User, int Ordinal, long JoinSeq, long DeliveredSeq, long ReadSeq, long ReadVisible, long ClearedSeq)
{
    public MemberState State => new(JoinSeq, DeliveredSeq, ReadSeq, ClearedSeq);

    /// <summary>With what he has sent: who writes has read what stands before.</summary>
    public Member With(SentPosition? sent) => sent is { } own && own.Seq > ReadSeq
        ? this with { ReadSeq = own.Seq, ReadVisible = own.Visible, DeliveredSeq = Math.Max(DeliveredSeq, own.Seq) }
        : this;
}

/// <summary>A conversation as its rows have it: members with their positions, and the head of its log.</summary>
/// <param name="Shape">Kind and members, in the order of the first append.</param>
/// <param name="Members">In the same order.</param>
/// <param name="Head">Of an existing log.</param>
internal sealed record Conversation(ConversationShape Shape, IReadOnlyList<Member> Members, Head Head)
{
    public ConversationState State => new(Shape, Head.Seq, Head.Visible, Head.At);

    public Member? Find(UserId user)
    {
        foreach (var member in Members)
        {
            if (member.User == user) return member;
        }

        return null;
    }

    /// <summary>The lowest positions of the others; one's own in a conversation with oneself.</summary>
    public (long Delivered, long Read) Others(UserId user)
    {
        var (delivered, read, any) = (long.MaxValue, long.MaxValue, false);
        foreach (var member in Members)
        {
            if (member.User == user && Members.Count > 1) continue;
            (delivered, read, any) = (Math.Min(delivered, member.DeliveredSeq), Math.Min(read, member.ReadSeq), true);
        }

        return any ? (delivered, read) : (0, 0);
    }
}
