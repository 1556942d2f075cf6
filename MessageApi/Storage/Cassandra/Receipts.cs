using WhatsAspire.Contracts;

namespace WhatsAspire.MessageApi.Storage.Cassandra;

/// <summary>Tells who got and read an entry, and when.</summary>
internal sealed class Receipts(MemberReader members, LogReader log, Positions positions, GroupRises rises)
{
    /// <inheritdoc cref="IMessageStore.GetReceiptTimesAsync"/>
    public async Task<ReceiptTimes> ReadAsync(ConversationId conversation, UserId user, long seq, CancellationToken cancellationToken)
    {
        if (await members.FindAsync(conversation, user, cancellationToken) is not { Member: var member } seat) return new(null, null);
        if (conversation.IsDirect) return await positions.ReadTimesAsync(conversation, member, seq, cancellationToken);
        if (!member.State.WasIn(seq) || seq > member.DeliveredSeq) return new(null, null);
        var entry = await log.GetAsync(conversation, seq, cancellationToken);
        // With the entry by which he left his positions did not rise.
        if (entry.Sender == user && seq != member.LeftSeq) return new(entry.CreatedAt, entry.CreatedAt);
        return (await OfAsync(new(ConversationShape.Group(conversation), [member], seat.Head, seat.Roll), [member], seq, cancellationToken))[0];
    }

    /// <inheritdoc cref="IMessageStore.GetReceiptsAsync"/>
    public async Task<IReadOnlyList<MemberReceipt>> ReadAsync(ConversationId conversation, long seq, CancellationToken cancellationToken)
    {
        if (await members.ReadAsync(conversation, cancellationToken) is not { } known || seq > known.Head.Seq) return [];
        var sender = (await log.GetAsync(conversation, seq, cancellationToken)).Sender;
        Member[] readers = [.. known.Members
            .Where(m => m.User != sender && m.State.WasIn(seq) && (m.IsIn || m.DeliveredSeq >= seq))
            .OrderBy(m => m.User)];
        var times = conversation.IsDirect
            ? await Task.WhenAll(readers.Select(member => positions.ReadTimesAsync(conversation, member, seq, cancellationToken)))
            : await OfAsync(known, readers, seq, cancellationToken);
        return [.. readers.Select((member, i) => new MemberReceipt(member.User, member.IsIn, times[i]))];
    }

    private async Task<ReceiptTimes[]> OfAsync(Conversation group, Member[] of, long seq, CancellationToken cancellationToken)
    {
        var delivered = rises.ReadAsync(group, of, Position.Delivered, seq, cancellationToken);
        var read = rises.ReadAsync(group, of, Position.Read, seq, cancellationToken);
        await Task.WhenAll(delivered, read);
        var (got, saw) = (await delivered, await read);
        return [.. of.Select(m => new ReceiptTimes(Of(got, m.User), Of(saw, m.User)))];
    }

    private static DateTimeOffset? Of(Dictionary<UserId, DateTimeOffset> times, UserId user) =>
        times.TryGetValue(user, out var at) ? at : null;
}
