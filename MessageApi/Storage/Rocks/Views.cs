using WhatsAspire.Contracts;

namespace WhatsAspire.MessageApi.Storage.Rocks;

/// <summary>Conversations as their members see them: computed from the conversation's row, the marks of deletion and
/// one entry of the log, so that there is no second copy that could disagree.</summary>
internal static class Views
{
    /// <inheritdoc cref="IMessageStore.ListConversationsAsync"/>
    public static IReadOnlyList<ConversationView> List(
        RocksEngine engine, UserId user, DateTimeOffset since, CancellationToken cancellationToken)
    {
        var views = new List<ConversationView>();
        Span<byte> key = stackalloc byte[Keys.Id];
        Keys.Of(user.Value, key);
        using var rows = engine.Iterate(engine.Users);
        for (rows.Seek(key); rows.Valid(); rows.Next())
        {
            cancellationToken.ThrowIfCancellationRequested();
            var found = rows.GetKeySpan();
            if (!found.StartsWith(key)) break;
            var id = new ConversationId(Keys.Guid(found[Keys.Id..]));
            var (row, member) = MemberRows.Find(engine, id, user)
                ?? throw new InvalidDataException($"the conversation {id} is in an index and not in the store");
            if (ChangedAt(row, member) >= since) views.Add(Of(engine, row, member));
        }

        RocksEngine.Check(rows);
        views.Sort(static (a, b) => a.LastMessageAt != b.LastMessageAt
            ? b.LastMessageAt.CompareTo(a.LastMessageAt)
            : a.Shape.Id.Value.CompareTo(b.Shape.Id.Value));
        return views;
    }

    public static ConversationView Of(RocksEngine engine, ConversationRow row, MemberRow member)
    {
        var id = row.Shape.Id;
        var (head, isIn) = (member.Head(row.HeadSeq), member.LeftSeq == 0);
        var (othersDelivered, othersRead) = row.Group?.Lowest ?? row.Others(member);
        // What was sent moved the sender's own read position: all visible entries after it are others'.
        var unread = (isIn ? row.HeadVisibleNumber : member.LeftVisibleNumber) - member.ReadVisibleNumber;
        if (unread > 0) unread -= Rows.HiddenVisible(engine, id, member.User, member.ReadSeq, head);
        return new()
        {
            Shape = row.Shape,
            HeadSeq = head,
            Member = member.State,
            Settings = Rows.Settings(engine, id, member.User),
            UnreadCount = unread,
            Preview = isIn ? PreviewOf(engine, row, member) : null,
            LastMessageAt = !isIn ? member.LeftAt : row.NewestVisibleSeq > member.SeesAfter ? row.NewestVisibleAt : row.LastCreatedAt,
            OthersDeliveredSeq = Math.Min(othersDelivered, head),
            OthersReadSeq = Math.Min(othersRead, head),
            ChangedAt = ChangedAt(row, member),
        };
    }

    /// <summary>In a group nothing of what all see is written to each member's row.</summary>
    private static DateTimeOffset ChangedAt(ConversationRow row, MemberRow member)
    {
        var at = member.ChangedAt;
        if (row.Group is not { } group) return at;
        if (member.LeftSeq == 0 && row.LastCreatedAt > at) at = row.LastCreatedAt;
        return group.LowestAt > at ? group.LowestAt : at;
    }

    private static string? PreviewOf(RocksEngine engine, ConversationRow row, MemberRow member)
    {
        var seq = row.NewestVisibleSeq;
        if (seq == 0 || seq <= member.ClearedSeq || seq <= member.SeesAfter
            || Rows.IsHidden(engine, row.Shape.Id, member.User, seq))
            return null;
        var entry = Rows.Entry(engine, new(row.Shape.Id, seq));
        return entry is null or { Deleted: true } ? null : Preview.Of(entry.Text.Span);
    }
}
