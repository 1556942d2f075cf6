using WhatsAspire.Contracts;
using WhatsAspire.Cql;

namespace WhatsAspire.MessageApi.Storage.Cassandra;

/// <summary>Conversations as their members see them: computed from the members' rows, the head, the marks of deletion and one
/// entry of the log, so that there is no second copy that could disagree.</summary>
internal sealed class Views(
    ICqlSession session, Statements statements, MemberReader members, LogReader log, Marks marks, int parallelism)
{
    /// <inheritdoc cref="IMessageStore.GetViewAsync"/>
    public async Task<ConversationView?> ReadAsync(ConversationId conversation, UserId user, CancellationToken cancellationToken)
    {
        var rows = await session.ExecuteAsync(statements.ReadInboxRow.Bind(user.Value, conversation.Value), cancellationToken);
        var changedAt = rows.Count == 0 || rows[0].IsNull(0) ? DateTimeOffset.MinValue : rows[0].GetTimestamp(0);
        return await OfAsync(conversation, user, changedAt, cancellationToken);
    }

    /// <inheritdoc cref="IMessageStore.ListConversationsAsync"/>
    public async Task<IReadOnlyList<ConversationView>> ListAsync(UserId user, DateTimeOffset since, CancellationToken cancellationToken)
    {
        since = Times.Floor(since);
        var changed = new List<(ConversationId Conversation, DateTimeOffset At)>();
        await foreach (var row in session.QueryAsync(statements.ReadInbox.Bind(user.Value), cancellationToken))
            if (!row.IsNull(1) && row.GetTimestamp(1) is var at && at >= since) changed.Add((new(row.GetGuid(0)), at));

        var views = new ConversationView?[changed.Count];
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = parallelism, CancellationToken = cancellationToken };
        await Parallel.ForAsync(0, views.Length, parallel, async (i, cancel) =>
            views[i] = await OfAsync(changed[i].Conversation, user, changed[i].At, cancel));
        // An inbox is told of a conversation before its first entry is there.
        return [.. views.OfType<ConversationView>().OrderByDescending(v => v.LastMessageAt).ThenBy(v => v.Shape.Id.Value)];
    }

    private async Task<ConversationView?> OfAsync(
        ConversationId id, UserId user, DateTimeOffset changedAt, CancellationToken cancellationToken)
    {
        var conversation = await members.ReadAsync(id, cancellationToken);
        if (conversation?.Find(user) is not { } member) return null;
        var (head, (othersDelivered, othersRead)) = (conversation.Head, conversation.Others(user));
        // What was sent moved the sender's own read position: all visible entries after it are others'.
        var unread = head.Visible - member.ReadVisible;
        if (unread > 0) unread -= (await marks.ReadAsync(id, user, member.ReadSeq, head.Seq + 1, cancellationToken)).Count(mark => mark.IsVisible);
        return new()
        {
            Shape = conversation.Shape,
            HeadSeq = head.Seq,
            Member = member.State,
            UnreadCount = unread,
            Preview = await PreviewAsync(conversation, member, cancellationToken),
            LastMessageAt = head.NewestVisible > 0 ? head.NewestVisibleAt : head.At,
            OthersDeliveredSeq = othersDelivered,
            OthersReadSeq = othersRead,
            ChangedAt = changedAt,
        };
    }

    private async Task<string?> PreviewAsync(Conversation conversation, Member member, CancellationToken cancellationToken)
    {
        var (id, seq) = (conversation.Shape.Id, conversation.Head.NewestVisible);
        if (seq == 0 || seq <= member.ClearedSeq || seq <= member.JoinSeq
            || (await marks.ReadAsync(id, member.User, seq - 1, seq + 1, cancellationToken)).Count > 0)
            return null;
        return await log.FindAsync(id, seq, cancellationToken) is { Entry: { Deleted: false } entry } ? Preview.Of(entry.Text.Span) : null;
    }
}
