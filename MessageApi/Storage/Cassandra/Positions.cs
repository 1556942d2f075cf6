using WhatsAspire.Contracts;
using WhatsAspire.Cql;

namespace WhatsAspire.MessageApi.Storage.Cassandra;

/// <summary>Writes and reads how far members are; <see cref="GroupPositions"/> raises those of groups. Before a position is
/// written stands what it needs: the time of its rise, and the inboxes' times. A crash in between leaves a rise that the
/// repeated call writes again.</summary>
internal sealed class Positions(ICqlSession session, Statements statements, MemberReader members, LogReader log)
{
    /// <summary>The conversation changed for this user. In a group that stands beside his positions.</summary>
    public Task TouchAsync(UserId user, ConversationId conversation, DateTimeOffset at, CancellationToken cancellationToken) =>
        conversation.IsDirect
            ? EnterAsync(user, conversation, at, cancellationToken)
            : session.ExecuteAsync(statements.TouchMember.Bind(Times.Latest(at), at, conversation.Value, user.Value), cancellationToken);

    /// <summary>The conversation is in the user's inbox.</summary>
    public Task EnterAsync(UserId user, ConversationId conversation, DateTimeOffset at, CancellationToken cancellationToken) =>
        session.ExecuteAsync(statements.Touch.Bind(Times.Latest(at), at, user.Value, conversation.Value), cancellationToken);

    /// <summary>A conversation begins.</summary>
    public IEnumerable<Task> AddMembers(ConversationShape shape, CancellationToken cancellationToken) =>
        shape.Members.Select((member, ordinal) => session.ExecuteAsync(
            statements.PutMember.Bind((sbyte)shape.Kind, ordinal, 0L, shape.Id.Value, member.Value), cancellationToken));

    /// <summary>A bucket has its first entries.</summary>
    public Task PutBucketAsync(ConversationId conversation, long bucket, CancellationToken cancellationToken) =>
        session.ExecuteAsync(statements.PutBucket.Bind(bucket, bucket, conversation.Value), cancellationToken);

    /// <summary>Raises the positions that are not 0.</summary>
    public Task PutAsync(ConversationId conversation, UserId user, long delivered, long read, long readVisible, long cleared,
        CancellationToken cancellationToken)
    {
        var (id, who) = (conversation.Value, user.Value);
        var commands = new List<CqlCommand>(3);
        if (delivered > 0) commands.Add(statements.PutDelivered.Bind(delivered, delivered, id, who));
        if (read > 0) commands.Add(statements.PutRead.Bind(read, read, readVisible, id, who));
        if (cleared > 0) commands.Add(statements.PutCleared.Bind(cleared, cleared, id, who));
        return ExecuteTogetherAsync(commands, cancellationToken);
    }

    /// <summary>By writing an entry its sender has read what stands before it.</summary>
    public Task SentAsync(LogEntry entry, CancellationToken cancellationToken) =>
        RiseAsync(entry.Conversation, entry.Sender, entry.Seq, entry.Seq, entry.CreatedAt, cancellationToken);

    /// <inheritdoc cref="IMessageStore.SetAsync"/>
    public async Task<bool> SetAsync(
        ConversationId conversation, UserId user, MemberSettings settings, DateTimeOffset at, CancellationToken cancellationToken)
    {
        if (await members.FindAsync(conversation, user, cancellationToken) is not { Member: var member }) return false;
        if (settings.MutedUntil is { } until) settings = settings with { MutedUntil = Times.Floor(until) };
        if (member.Settings.With(settings) == member.Settings) return true;
        await TouchAsync(user, conversation, Times.Floor(at), cancellationToken);
        await session.ExecuteAsync(
            statements.PutSettings.Bind(
                settings.MutedUntil is { } muted ? muted : CqlValue.Unset,
                settings.Archived is { } archived ? archived : CqlValue.Unset,
                settings.Pinned is { } pinned ? pinned : CqlValue.Unset,
                conversation.Value, user.Value),
            cancellationToken);
        return true;
    }

    /// <summary>Raises positions of a member.</summary>
    /// <param name="known">The conversation as it was read just now.</param>
    /// <param name="asked">What is asked for.</param>
    /// <param name="at">The time of the rise, whole milliseconds.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task<AdvanceOutcome> AdvanceAsync(
        Conversation known, AskedPosition asked, DateTimeOffset at, CancellationToken cancellationToken)
    {
        var (user, delivered, read, cleared) = asked;
        var conversation = known.Shape.Id;
        if (known.Find(user) is not { } member) return new(AdvanceStatus.NotFound, null, false, 0);
        var head = known.Head;
        if (delivered > head.Seq || read > head.Seq || cleared > head.Seq)
            return new(AdvanceStatus.BeyondHead, member.State, false, head.Seq);

        read = Math.Max(read, member.ReadSeq);
        delivered = Math.Max(Math.Max(delivered, read), member.DeliveredSeq);
        cleared = Math.Max(cleared, member.ClearedSeq);
        var state = new MemberState(member.JoinSeq, delivered, read, cleared);
        if (state == member.State) return new(AdvanceStatus.Held, member.State, false, head.Seq);

        var (deliveredTo, readTo) = (delivered > member.DeliveredSeq ? delivered : 0, read > member.ReadSeq ? read : 0);
        var visible = readTo == 0 ? 0 : read == head.Seq ? head.Visible : await log.VisibleAsync(conversation, read, cancellationToken);
        IReadOnlyList<UserId> touched = deliveredTo > 0 || readTo > 0 ? known.Shape.Members : [user];
        await Task.WhenAll([
            RiseAsync(conversation, user, deliveredTo, readTo, at, cancellationToken),
            .. touched.Select(one => TouchAsync(one, conversation, at, cancellationToken))]);
        await PutAsync(conversation, user, deliveredTo, readTo, visible, cleared > member.ClearedSeq ? cleared : 0, cancellationToken);

        // What holds is what is read now: another process may have raised the other position meanwhile. Each of two such calls
        // reads after its own write, so of their answers one is nowhere below the other.
        var after = await members.ReadAsync(conversation, cancellationToken);
        return new(AdvanceStatus.Moved, after?.Find(user)?.State ?? state, readTo > 0, after?.Head.Seq ?? head.Seq);
    }

    /// <summary>When a member's positions first reached an entry.</summary>
    public async Task<ReceiptTimes> ReadTimesAsync(ConversationId conversation, Member member, long seq, CancellationToken cancellationToken)
    {
        if (seq > member.DeliveredSeq) return new(null, null);
        var entry = await log.FindAsync(conversation, seq, cancellationToken);
        if (entry is { Entry: var own } && own.Sender == member.User) return new(own.CreatedAt, own.CreatedAt);
        return new(
            await FirstAsync(conversation, member.User, Position.Delivered, seq, member.DeliveredSeq, cancellationToken),
            await FirstAsync(conversation, member.User, Position.Read, seq, member.ReadSeq, cancellationToken));
    }

    private Task RiseAsync(
        ConversationId conversation, UserId user, long delivered, long read, DateTimeOffset at, CancellationToken cancellationToken)
    {
        var commands = new List<CqlCommand>(2);
        if (delivered > 0) commands.Add(Rise(Position.Delivered, delivered));
        if (read > 0) commands.Add(Rise(Position.Read, read));
        return ExecuteTogetherAsync(commands, cancellationToken);

        CqlCommand Rise(Position position, long seq) => statements.PutRise.Bind(
            Times.Earliest(at), at, conversation.Value, user.Value, Buckets.Of(seq), (sbyte)position, seq);
    }

    /// <summary>The time of the first rise to an entry or beyond: the rises of a position have ever greater seqs.</summary>
    private async Task<DateTimeOffset?> FirstAsync(
        ConversationId conversation, UserId user, Position position, long seq, long reached, CancellationToken cancellationToken)
    {
        if (seq > reached) return null;
        for (var bucket = Buckets.Of(seq); bucket <= Buckets.Of(reached); bucket++)
        {
            var rows = await session.ExecuteAsync(
                statements.FindRise.Bind(conversation.Value, user.Value, bucket, (sbyte)position, seq), cancellationToken);
            if (rows.Count > 0) return rows[0].GetTimestamp(1);
        }

        // It rose with an entry of the member's own whose process died before the rise was written.
        var sent = await log.FindAsync(conversation, seq, entry => entry.Sender == user, cancellationToken);
        return sent?.Entry.CreatedAt;
    }

    private async Task ExecuteTogetherAsync(List<CqlCommand> commands, CancellationToken cancellationToken)
    {
        if (commands.Count == 0) return;
        if (commands.Count == 1)
        {
            await session.ExecuteAsync(commands[0], cancellationToken);
            return;
        }

        await Task.WhenAll(commands.Select(command => session.ExecuteAsync(command, cancellationToken)));
    }
}
