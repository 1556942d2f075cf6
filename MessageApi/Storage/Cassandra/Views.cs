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
        if (!conversation.IsDirect) return (await ReadAsync(conversation, [user], cancellationToken))[0];
        var rows = await session.ExecuteAsync(statements.ReadInboxRow.Bind(user.Value, conversation.Value), cancellationToken);
        var changedAt = rows.Count == 0 || rows[0].IsNull(0) ? DateTimeOffset.MinValue : rows[0].GetTimestamp(0);
        return await OfDirectAsync(conversation, user, changedAt, cancellationToken);
    }

    /// <inheritdoc cref="IMessageStore.GetViewsAsync"/>
    public async Task<IReadOnlyList<ConversationView?>> ReadAsync(
        ConversationId conversation, IReadOnlyList<UserId> users, CancellationToken cancellationToken)
    {
        var views = new ConversationView?[users.Count];
        var known = conversation.IsDirect ? null : await members.ReadAsync(conversation, cancellationToken);
        if (!conversation.IsDirect && known is null) return views;
        var newest = new Newest(log, known);
        await Parallel.ForAsync(0, views.Length, AtOnce(cancellationToken), async (i, cancel) =>
            views[i] = known is null
                ? await ReadAsync(conversation, users[i], cancel)
                : await OfGroupAsync(known, users[i], newest, cancel));
        return views;
    }

    /// <inheritdoc cref="IMessageStore.ListConversationsAsync"/>
    public async Task<IReadOnlyList<ConversationView>> ListAsync(UserId user, DateTimeOffset since, CancellationToken cancellationToken)
    {
        since = Times.Floor(since);
        var known = new List<(ConversationId Conversation, DateTimeOffset At)>();
        await foreach (var row in session.QueryAsync(statements.ReadInbox.Bind(user.Value), cancellationToken))
        {
            // Of a group the inbox has no more than that the user is or was in it.
            if (!row.IsNull(1) && new ConversationId(row.GetGuid(0)) is var id && row.GetTimestamp(1) is var at && (!id.IsDirect || at >= since))
                known.Add((id, at));
        }

        var views = new ConversationView?[known.Count];
        await Parallel.ForAsync(0, views.Length, AtOnce(cancellationToken), async (i, cancel) =>
        {
            var (id, at) = known[i];
            if (id.IsDirect) views[i] = await OfDirectAsync(id, user, at, cancel);
            else if (at >= since || (await members.FindAsync(id, user, cancel))?.ChangedAt >= since)
                views[i] = await ReadAsync(id, user, cancel);
        });
        // An inbox is told of a conversation before its first entry is there.
        return [.. views.OfType<ConversationView>().OrderByDescending(v => v.LastMessageAt).ThenBy(v => v.Shape.Id.Value)];
    }

    private ParallelOptions AtOnce(CancellationToken cancellationToken) =>
        new() { MaxDegreeOfParallelism = parallelism, CancellationToken = cancellationToken };

    private async Task<ConversationView?> OfDirectAsync(
        ConversationId id, UserId user, DateTimeOffset changedAt, CancellationToken cancellationToken)
    {
        if (await members.ReadAsync(id, cancellationToken) is not { } conversation || conversation.Find(user) is not { } member) return null;
        var head = conversation.Head;
        return await OfAsync(
            conversation, member, head.Visible, head.NewestVisible > 0 ? head.NewestVisibleAt : head.At, changedAt,
            new(log, conversation), cancellationToken);
    }

    private async Task<ConversationView?> OfGroupAsync(Conversation group, UserId user, Newest newest, CancellationToken cancellationToken)
    {
        if (group.Find(user) is not { } member) return null;
        var head = group.Head;
        var (visible, at) = (head.Visible, head.NewestVisible > member.SeesAfter ? head.NewestVisibleAt : head.At);
        if (!member.IsIn)
        {
            var left = await log.GetAsync(group.Shape.Id, member.LeftSeq, cancellationToken);
            (visible, at) = (left.VisibleNumber, left.CreatedAt);
        }

        return await OfAsync(group, member, visible, at, new Seat(group.Roll, member, head).ChangedAt, newest, cancellationToken);
    }

    private async Task<ConversationView> OfAsync(Conversation conversation, Member member, long visible, DateTimeOffset lastMessageAt,
        DateTimeOffset changedAt, Newest newest, CancellationToken cancellationToken)
    {
        var (head, others) = (member.HeadOf(conversation.Head), conversation.Others(member));
        // What was sent moved the sender's own read position: all visible entries after it are others'.
        var unread = visible - member.ReadVisible;
        if (unread > 0)
        {
            var hidden = await marks.ReadAsync(conversation.Shape.Id, member.User, member.ReadSeq, head + 1, cancellationToken);
            unread -= hidden.Count(mark => mark.IsVisible);
        }

        return new()
        {
            Shape = conversation.Shape,
            HeadSeq = head,
            Member = member.State,
            Settings = member.Settings,
            UnreadCount = unread,
            Preview = await PreviewAsync(conversation, member, newest, cancellationToken),
            LastMessageAt = lastMessageAt,
            OthersDeliveredSeq = others.Delivered,
            OthersReadSeq = others.Read,
            ChangedAt = changedAt,
        };
    }

    private async Task<string?> PreviewAsync(Conversation conversation, Member member, Newest newest, CancellationToken cancellationToken)
    {
        var seq = conversation.Head.NewestVisible;
        if (seq == 0 || seq <= member.ClearedSeq || !member.State.Sees(seq) || !member.IsIn
            || (await marks.ReadAsync(conversation.Shape.Id, member.User, seq - 1, seq + 1, cancellationToken)).Count > 0)
            return null;
        return await newest.PreviewAsync();
    }

    /// <summary>The start of a conversation's newest text, read once for all who see it.</summary>
    private sealed class Newest(LogReader log, Conversation? conversation)
    {
        private readonly Lazy<Task<string?>> _preview = new(async () =>
            conversation is not null
            && await log.FindAsync(conversation.Shape.Id, conversation.Head.NewestVisible, CancellationToken.None) is { Entry: { Deleted: false } entry }
                ? Preview.Of(entry.Text.Span)
                : null);

        public Task<string?> PreviewAsync() => _preview.Value;
    }
}
