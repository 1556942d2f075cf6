using RocksDbSharp;
using WhatsAspire.Contracts;

namespace WhatsAspire.MessageApi.Storage.Rocks;

/// <summary>What a group's <see cref="ConversationRow"/> knows of its members, who have rows of their own: an append writes
/// none of them but its sender's.
///
/// <para>The lowest positions are kept with the number of members who hold them. Whoever rises from there takes one off, and
/// only when nobody is left are the members' rows read for the next lowest: in a group with a member who is away that is
/// never, in one where all read along once a message.</para></summary>
internal sealed class GroupState
{
    public int MemberCount { get; set; }
    public long LowestDelivered { get; set; }
    public long LowestRead { get; set; }
    public int DeliveredHolders { get; set; }
    public int ReadHolders { get; set; }

    /// <summary>When one of the lowest last rose.</summary>
    public DateTimeOffset LowestAt { get; set; }

    public (long Delivered, long Read) Lowest => (LowestDelivered, LowestRead);

    /// <summary>Nobody holds what was the lowest.</summary>
    public bool IsUnsettled => MemberCount > 0 && (DeliveredHolders == 0 || ReadHolders == 0);

    public void Join(MemberRow member)
    {
        if (MemberCount++ == 0)
        {
            (LowestDelivered, LowestRead) = (member.DeliveredSeq, member.ReadSeq);
            (DeliveredHolders, ReadHolders) = (1, 1);
            return;
        }

        if (member.DeliveredSeq == LowestDelivered) DeliveredHolders++;
        if (member.ReadSeq == LowestRead) ReadHolders++;
    }

    public void Leave(MemberRow member)
    {
        if (member.DeliveredSeq == LowestDelivered) DeliveredHolders--;
        if (member.ReadSeq == LowestRead) ReadHolders--;
        if (--MemberCount == 0) (LowestDelivered, LowestRead, DeliveredHolders, ReadHolders) = (0, 0, 0, 0);
    }

    /// <summary>A member is about to rise.</summary>
    public void Rise(MemberRow from, long delivered, long read)
    {
        if (from.DeliveredSeq == LowestDelivered && delivered > LowestDelivered) DeliveredHolders--;
        if (from.ReadSeq == LowestRead && read > LowestRead) ReadHolders--;
    }

    /// <summary>Finds the lowest anew.</summary>
    public void Settle(IEnumerable<MemberRow> members)
    {
        (LowestDelivered, LowestRead, DeliveredHolders, ReadHolders) = (long.MaxValue, long.MaxValue, 0, 0);
        foreach (var member in members)
        {
            if (member.DeliveredSeq < LowestDelivered) (LowestDelivered, DeliveredHolders) = (member.DeliveredSeq, 0);
            if (member.ReadSeq < LowestRead) (LowestRead, ReadHolders) = (member.ReadSeq, 0);
            if (member.DeliveredSeq == LowestDelivered) DeliveredHolders++;
            if (member.ReadSeq == LowestRead) ReadHolders++;
        }
    }

    public void Write(RowWriter to) => to
        .Number(MemberCount).Number(LowestDelivered).Number(LowestRead).Number(DeliveredHolders).Number(ReadHolders).Time(LowestAt);

    public static GroupState Read(ref RowReader from) => new()
    {
        MemberCount = checked((int)from.Number()),
        LowestDelivered = from.Number(),
        LowestRead = from.Number(),
        DeliveredHolders = checked((int)from.Number()),
        ReadHolders = checked((int)from.Number()),
        LowestAt = from.Time(),
    };
}

/// <summary>A member of a group as a row of its own. It stays when the member leaves.</summary>
internal static class GroupMemberRow
{
    private const byte Version = 1;

    public static void Write(MemberRow m, RowWriter to) => to.Start(Version)
        .Number(m.JoinSeq).Number(m.DeliveredSeq).Number(m.ReadSeq).Number(m.ClearedSeq)
        .Number(m.ReadVisibleNumber).Time(m.ChangedAt)
        .Number(m.LeftSeq).Number(m.LeftVisibleNumber).Time(m.LeftAt)
        .Number(m.SeesAfter);

    public static MemberRow Read(UserId user, ReadOnlySpan<byte> row)
    {
        var from = new RowReader(row, Version);
        var member = new MemberRow
        {
            User = user,
            JoinSeq = from.Number(),
            DeliveredSeq = from.Number(),
            ReadSeq = from.Number(),
            ClearedSeq = from.Number(),
            ReadVisibleNumber = from.Number(),
            ChangedAt = from.Time(),
            LeftSeq = from.Number(),
            LeftVisibleNumber = from.Number(),
            LeftAt = from.Time(),
        };
        // The first ones ended here: nobody saw what was before him.
        member.SeesAfter = from.IsAtEnd ? member.JoinSeq : from.Number();
        return member;
    }
}

/// <summary>Reads of a conversation and members of it that belong together: as one commit left them.</summary>
internal static class MemberRows
{
    public static (ConversationRow Row, MemberRow Member)? Find(RocksEngine engine, ConversationId id, UserId user)
    {
        if (!id.IsDirect)
        {
            using var at = engine.TakeSnapshot();
            return Rows.Conversation(engine, id, at.Reads) is not { } row ? null
                : One(engine, row, user, at.Reads) is { } member ? (row, member) : null;
        }

        return Rows.Conversation(engine, id) is { } direct && direct.Find(user) is { } own ? (direct, own) : null;
    }

    public static (ConversationRow? Row, MemberRow?[] Members) Find(RocksEngine engine, ConversationId id, IReadOnlyList<UserId> users)
    {
        using var at = engine.TakeSnapshot();
        var row = Rows.Conversation(engine, id, at.Reads);
        var members = new MemberRow?[users.Count];
        if (row is null) return (null, members);
        for (var i = 0; i < members.Length; i++) members[i] = One(engine, row, users[i], at.Reads);
        return (row, members);
    }

    /// <summary>Everybody who is or was in a group, or is in a direct conversation, in the order of their ids.</summary>
    public static (ConversationRow? Row, IReadOnlyList<MemberRow> Members) All(RocksEngine engine, ConversationId id)
    {
        using var at = engine.TakeSnapshot();
        var row = Rows.Conversation(engine, id, at.Reads);
        if (row is null) return (null, []);
        return (row, row.Group is null ? [.. row.Members.OrderBy(m => m.User)] : [.. All(engine, id, at.Reads)]);
    }

    public static IEnumerable<MemberRow> All(RocksEngine engine, ConversationId id, ReadOptions? reads)
    {
        var prefix = new byte[Keys.Id];
        Keys.Of(id.Value, prefix);
        using var rows = engine.Iterate(engine.Members, reads);
        for (rows.Seek(prefix); rows.Valid(); rows.Next())
        {
            var key = rows.GetKeySpan();
            if (!key.StartsWith(prefix)) break;
            yield return GroupMemberRow.Read(new(Keys.Guid(key[Keys.Id..])), rows.GetValueSpan());
        }

        RocksEngine.Check(rows);
    }

    public static MemberRow? One(RocksEngine engine, ConversationRow row, UserId user, ReadOptions? reads)
    {
        if (row.Group is null) return row.Find(user);
        Span<byte> key = stackalloc byte[Keys.PairLength];
        return engine.Get(engine.Members, Keys.Pair(row.Shape.Id.Value, user.Value, key), reads) is { } found
            ? GroupMemberRow.Read(user, found) : null;
    }
}
