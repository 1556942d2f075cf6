using WhatsAspire.Backplane.Activity;
using WhatsAspire.Backplane.EdgeTransport;
using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Edge.V1;
using WhatsAspire.Contracts.Frames;
using WhatsAspire.MessageApi.Storage;
using WhatsAspire.ServiceDefaults;

namespace WhatsAspire.MessageApi.Receipts;

/// <summary>Tells those whose messages a group's lowest watermarks have passed: one receipt for all that rose together, and
/// none to anybody else. It is sent by this process, since only here is known whose messages they are; where it is lost the
/// next one, and the next sync, say the same.</summary>
internal sealed class GroupReceipts(IMessageStore store, ActivityMarks marks, LiveEvents live, ILogger<GroupReceipts> logger)
{
    // Who was away for longer than this many entries is waited for by nearly everybody: then everybody is told.
    private const int EntriesLookedAt = 1_000;

    /// <summary>Tells whose messages were passed.</summary>
    /// <param name="group">The group.</param>
    /// <param name="rise">What the store reported.</param>
    /// <param name="at">When they rose.</param>
    /// <param name="members">Who is in it: nobody else is told.</param>
    public async Task RoseAsync(ConversationId group, LowestRise rise, DateTimeOffset at, IReadOnlyList<UserId> members)
    {
        try
        {
            Tell(group, rise.DeliveredSeq, rise.ReadSeq, at, await SendersAsync(group, rise, members));
        }
        catch (UnavailableException e)
        {
            // The positions themselves are stored, and were what was asked for.
            logger.GroupReceiptNotTold(e);
        }
    }

    /// <summary>Tells everybody what holds: an earlier rise may not have been told to anybody.</summary>
    public async Task AgainAsync(ConversationId group, DateTimeOffset at, IReadOnlyList<UserId> members)
    {
        if (members.Count == 0) return;
        try
        {
            if (await store.GetViewAsync(group, members[0], CancellationToken.None) is { } view)
                Tell(group, view.OthersDeliveredSeq, view.OthersReadSeq, at, members);
        }
        catch (UnavailableException e)
        {
            logger.GroupReceiptNotTold(e);
        }
    }

    private void Tell(ConversationId group, long delivered, long read, DateTimeOffset at, IReadOnlyList<UserId> users)
    {
        if (users.Count == 0) return;
        foreach (var user in users) marks.Add(user);
        live.TryRoute(new()
        {
            Users = users,
            Kind = DeliveryKind.Receipt,
            Frame = FrameWriter.Receipt(group.ToBytes().Span, null, delivered, read, at.ToUnixTimeMilliseconds()),
            Conversation = group,
            DeliveredSeq = delivered,
            ReadSeq = read,
        });
    }

    private async ValueTask<IReadOnlyList<UserId>> SendersAsync(ConversationId group, LowestRise rise, IReadOnlyList<UserId> members)
    {
        var after = Math.Min(
            rise.DeliveredSeq > rise.DeliveredBefore ? rise.DeliveredBefore : long.MaxValue,
            rise.ReadSeq > rise.ReadBefore ? rise.ReadBefore : long.MaxValue);
        var last = Math.Max(
            rise.DeliveredSeq > rise.DeliveredBefore ? rise.DeliveredSeq : 0,
            rise.ReadSeq > rise.ReadBefore ? rise.ReadSeq : 0);
        if (last - after > EntriesLookedAt) return members;
        var senders = new HashSet<UserId>();
        foreach (var entry in await store.ReadAsync(group, after, last + 1, EntriesLookedAt, newestFirst: false, CancellationToken.None))
            if (entry.Kind == EntryKind.Text) senders.Add(entry.Sender);
        senders.IntersectWith(members);
        return [.. senders];
    }
}
