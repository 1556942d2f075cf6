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
            var row = Rows.Conversation(engine, id)
                ?? throw new InvalidDataException($"the conversation {id} is in an index and not in the store");
            if (row.Find(user) is { } member && member.ChangedAt >= since) views.Add(Of(engine, row, member));
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
        var (othersDelivered, othersRead) = row.Others(member);
        // What was sent moved the sender's own read position: all visible entries after it are others'.
        var unread = row.HeadVisibleNumber - member.ReadVisibleNumber;
        if (unread > 0) unread -= Rows.HiddenVisible(engine, id, member.User, member.ReadSeq, row.HeadSeq);
        return new()
        {
            Shape = row.Shape,
            HeadSeq = row.HeadSeq,
            Member = member.State,
            UnreadCount = unread,
            Preview = PreviewOf(engine, row, member),
            LastMessageAt = row.NewestVisibleSeq > 0 ? row.NewestVisibleAt : row.LastCreatedAt,
            OthersDeliveredSeq = othersDelivered,
            OthersReadSeq = othersRead,
            ChangedAt = member.ChangedAt,
        };
    }

    private static string? PreviewOf(RocksEngine engine, ConversationRow row, MemberRow member)
    {
        var seq = row.NewestVisibleSeq;
        if (seq == 0 || seq <= member.ClearedSeq || seq <= member.JoinSeq
            || Rows.IsHidden(engine, row.Shape.Id, member.User, seq))
            return null;
        var entry = Rows.Entry(engine, new(row.Shape.Id, seq));
        return entry is null or { Deleted: true } ? null : Preview.Of(entry.Text.Span);
    }
}
