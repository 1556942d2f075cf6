using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Options;
using WhatsAspire.Backplane.Activity;
using WhatsAspire.Backplane.EdgeTransport;
using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Edge.V1;
using WhatsAspire.Contracts.Frames;
using WhatsAspire.MessageApi.Directory;
using WhatsAspire.MessageApi.Fanout;
using WhatsAspire.MessageApi.Messages;
using WhatsAspire.MessageApi.Receipts;
using WhatsAspire.MessageApi.Storage;

namespace WhatsAspire.MessageApi.Groups;

/// <summary>Puts the changes that a group has in the directory into its log, as <c>system</c> entries, and tells the members.
///
/// <para><b>Order.</b> The directory numbers a group's changes, and keeps each until it is known to be in the log; they are appended
/// by rising number. So when one is not among those kept, all before it are in the log.</para>
/// <para><b>Crashes.</b> An entry's client message id is made from the change's random id: appending it again finds it. So the
/// order 'directory, log, forget in the directory' may be broken off anywhere, by anyone, and be done again by anyone, several at
/// once too.</para></summary>
internal sealed class GroupLog(
    IMessageStore store, IDirectory directory, LiveEvents live, ActivityMarks marks, GroupReceipts receipts, GroupFanout fanout,
    MessageIdGenerator ids, IOptions<GroupsOptions> options, TimeProvider time, ApiMetrics metrics) : IDisposable
{
    // As many entries as one append of the store takes.
    private const int Batch = 256;

    // One at a time for each group: what two would do twice is harmless, and needless. Some groups share a turn.
    private readonly SemaphoreSlim[] _turns = [.. Enumerable.Range(0, 256).Select(_ => new SemaphoreSlim(1))];

    public void Dispose()
    {
        foreach (var turn in _turns) turn.Dispose();
    }

    /// <summary>Puts what is pending of a group into its log, in order. When it has ended, everything that was pending when it
    /// began is there, and was handed to live delivery.</summary>
    /// <returns>How many changes were put in.</returns>
    public async Task<int> DrainAsync(ConversationId group, CancellationToken cancellationToken)
    {
        var turn = _turns[(group.GetHashCode() & int.MaxValue) % _turns.Length];
        await turn.WaitAsync(cancellationToken);
        try
        {
            // The members first: changes that come between the two reads are left for the next time.
            if (await directory.ReadGroupAsync(group, cancellationToken) is not { Group.HasPendingChanges: true } now) return 0;
            var pending = await directory.ListPendingChangesAsync(group, cancellationToken);
            var known = 0;
            while (known < pending.Count && pending[known].Version <= now.Group.Version) known++;
            var audiences = AudiencesOf(now, pending, known);
            for (var first = 0; first < known; first += Batch)
                await AppendAsync(now.Group, pending, audiences, first, Math.Min(Batch, known - first), cancellationToken);
            return known;
        }
        finally
        {
            turn.Release();
        }
    }

    private async Task AppendAsync(
        Group group, IReadOnlyList<PendingGroupChange> pending, UserId[][] audiences, int first, int count, CancellationToken cancellationToken)
    {
        var entries = new NewEntry[count];
        for (var i = 0; i < count; i++) entries[i] = ToEntry(pending[first + i]);
        var outcomes = await store.AppendAsync(ConversationShape.Group(group.Id), entries, CancellationToken.None);
        for (var i = 0; i < count; i++)
        {
            var (change, audience) = (pending[first + i], audiences[first + i]);
            // Told of one that was there already too: who appended it may have died before he told.
            await TellAsync(group, change, outcomes[i].Entry, audience, cancellationToken);
            if (outcomes[i].Status == AppendStatus.Appended) Measure(change, audience);
            // Those who went had kept the others' messages from being told as delivered or read.
            if (outcomes[i].Lowest is { } lowest) await receipts.RoseAsync(group.Id, lowest, outcomes[i].Entry.CreatedAt, StaysOf(change, audience));
        }

        await directory.RemovePendingChangesAsync(group.Id, pending[first + count - 1].Version, cancellationToken);
    }

    private NewEntry ToEntry(PendingGroupChange change)
    {
        Span<byte> id = stackalloc byte[16];
        change.ChangeId.TryWriteBytes(id, bigEndian: true, out _);
        var members = new MemberChange[change.Joined.Count + change.Left.Count];
        for (var i = 0; i < members.Length; i++)
            members[i] = i < change.Joined.Count
                ? new(change.Joined[i], IsMember: true, options.Value.JoinersSeeHistory)
                : new(change.Left[i - change.Joined.Count], IsMember: false);
        return new()
        {
            Id = ids.Next(),
            Sender = change.Actor,
            ClientMessageId = string.Create(CultureInfo.InvariantCulture, $"group:{change.ChangeId:N}"),
            Kind = EntryKind.System,
            Text = Encoding.UTF8.GetBytes(change.Json),
            Members = members,
            CreatedAt = time.GetUtcNow(),
            ContentHash = BinaryPrimitives.ReadUInt64BigEndian(id),
        };
    }

    /// <summary>Who is to see each change: the members after it, and those who go with it. From who is in the group now, back
    /// over the changes.</summary>
    private static UserId[][] AudiencesOf(GroupWithMembers now, IReadOnlyList<PendingGroupChange> pending, int count)
    {
        var members = new HashSet<UserId>(now.Members.Count);
        foreach (var member in now.Members) members.Add(member.User);
        var audiences = new UserId[count][];
        for (var i = count - 1; i >= 0; i--)
        {
            members.UnionWith(pending[i].Left);
            audiences[i] = [.. members];
            members.ExceptWith(pending[i].Joined);
        }

        return audiences;
    }

    private static UserId[] StaysOf(PendingGroupChange change, UserId[] audience) =>
        change.Left.Count == 0 ? audience : [.. audience.Except(change.Left)];

    /// <summary>Who comes or goes gets the conversation as it is now, then everybody the entry: for those who go it is the last
    /// that they see. Nobody is pushed to.</summary>
    private async Task TellAsync(
        Group group, PendingGroupChange change, LogEntry entry, UserId[] audience, CancellationToken cancellationToken)
    {
        UserId[] concerned = [.. change.Joined, .. change.Left];
        if (concerned.Length > 0)
        {
            var views = await store.GetViewsAsync(group.Id, concerned, cancellationToken);
            // Who leaves does so alone, but where the group is deleted, which has its last name then.
            var nameForLeaver = change.Left.Count == 1 && await directory.FindGroupsAsync([group.Id], change.Left[0], cancellationToken) is [var known]
                ? known.Name : group.Name;
            for (var i = 0; i < concerned.Length; i++)
                if (views[i] is { } view)
                    live.TryRoute(new()
                    {
                        Users = [concerned[i]],
                        Kind = DeliveryKind.Conversation,
                        Frame = FrameWriter.Conversation(
                            view.ToWire(concerned[i], new(i < change.Joined.Count ? group.Name : nameForLeaver, group.MemberCount)), null),
                        Conversation = group.Id,
                    });
        }

        // Of a group that is deleted nobody stays whom the queue could bring it to: those who were in it get it from here.
        var stay = audience.Length - change.Left.Count;
        if (await fanout.TryPublishAsync(ConversationShape.Group(group.Id), stay, [new(entry, null, null)])) return;
        foreach (var user in audience) marks.Add(user);
        live.TryRoute(new()
        {
            Users = audience,
            Kind = DeliveryKind.Message,
            Frame = FrameWriter.Message(entry.ToWire(), entry.Text.Span),
            Conversation = group.Id,
            Seq = entry.Seq,
        });
    }

    private void Measure(PendingGroupChange change, UserId[] audience) =>
        metrics.GroupChanged(
            JsonSerializer.Deserialize(change.Json, WireJson.Default.GroupChange)!.Type,
            change.Joined.Count + change.Left.Count == 0 ? null : audience.Length - change.Left.Count);
}
