using WhatsAspire.Contracts;

namespace WhatsAspire.MessageApi.Storage;

/// <summary>The logs of all conversations, and what hangs on their positions: de-duplication, the id index, the
/// conversation index of each user, watermarks with their times, and the per-user marks of deletion.
///
/// <para><b>Order.</b> Entries of a conversation have the seqs 1, 2, 3… without gaps, in the order in which they
/// became durable. <c>CreatedAt</c> never falls with rising seq.</para>
/// <para><b>Durability.</b> When a task of a writing method completes, what it reports has been synced to disk and
/// survives the death of the process and of the machine. A task that fails leaves the outcome unknown: the whole of
/// the call took effect or nothing of it, or of an append its first entries, of an advance some of its positions; calling
/// again with the same arguments tells which and finishes it.
/// Every method throws <see cref="StoreUnavailableException"/> while the store cannot be read or written, and an
/// <see cref="ArgumentException"/> for arguments outside the ranges given here, of which nothing took effect.</para>
/// <para><b>Atomicity.</b> An appended entry appears at once in the log, the de-duplication, the id index and the
/// conversation index, or nowhere. Readers see only what is durable.</para>
/// <para><b>Concurrency.</b> Every method may be called at any time from any thread; appends to one conversation
/// take effect in the order of the calls. Time is the caller's: the store never reads a clock, and keeps times to the
/// millisecond or finer.</para>
/// <para><b>Authorisation</b> is the caller's affair, except that a user who is no member of a conversation has no
/// state in it: asking for it gives null.</para></summary>
public interface IMessageStore
{
    /// <summary>Appends entries, in their order, to one conversation, which is made if it does not exist. Each is
    /// de-duplicated by its sender and client message id first, over all conversations: the same content (equal
    /// <see cref="NewEntry.ContentHash"/>) gives the entry that was stored first, another content
    /// <see cref="AppendStatus.Conflict"/>; neither takes a seq. An entry of kind <see cref="EntryKind.Delete"/>
    /// also removes the content of its target, text and reply reference, in the same atomic step; a target that does
    /// not exist, or has another id, is an <see cref="ArgumentException"/>. The sender's read and delivered positions
    /// rise to the entry's seq, if the sender is a member.
    ///
    /// <para>Who is in a group follows from its log: an entry's <see cref="NewEntry.Members"/> take effect with it, in the same
    /// step. Who joins at seq n sees what comes from n on, with <see cref="MemberChange.SeesHistory"/> also all that was before, and
    /// his positions begin at n − 1 either way; who leaves sees nothing after n, and his positions stand still. Who joins again begins anew: with <see cref="MemberState.ReadSeq"/> and
    /// <see cref="MemberState.DeliveredSeq"/> at n − 1, his marks of deletion kept. Joining of a member and leaving of who is none
    /// change nothing. A repeated entry does not apply its changes again.</para></summary>
    /// <param name="conversation">Kind and members, used when the conversation is new.</param>
    /// <param name="entries">1 to 256. Their text is not copied: leave it unchanged.</param>
    /// <param name="cancellationToken">Stops waiting, not the write.</param>
    /// <returns>One outcome per entry, in order.</returns>
    Task<IReadOnlyList<AppendOutcome>> AppendAsync(
        ConversationShape conversation, IReadOnlyList<NewEntry> entries, CancellationToken cancellationToken);

    /// <summary>What <see cref="AppendAsync"/> would answer for an entry that was stored before, without appending one
    /// that was not.</summary>
    /// <param name="sender">The entry's sender.</param>
    /// <param name="clientMessageId">1 to <see cref="Limits.ClientMessageIdLength"/> UTF-16 units.</param>
    /// <param name="contentHash">As <see cref="NewEntry.ContentHash"/>.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <returns>A duplicate, a conflict, or null: the client message id is not in use.</returns>
    ValueTask<AppendOutcome?> FindSentAsync(
        UserId sender, string clientMessageId, ulong contentHash, CancellationToken cancellationToken);

    /// <summary>Kind, members and head; null when nothing was ever appended.</summary>
    ValueTask<ConversationState?> GetConversationAsync(ConversationId conversation, CancellationToken cancellationToken);

    /// <summary>Entries with <paramref name="after"/> &lt; seq &lt; <paramref name="before"/>. Ascending from
    /// <paramref name="after"/>, or newest first from <paramref name="before"/>. Deleted ones come without text.</summary>
    /// <param name="conversation">One that does not exist has no entries.</param>
    /// <param name="after">Exclusive; 0 for the start.</param>
    /// <param name="before">Exclusive; <see cref="long.MaxValue"/> for the end.</param>
    /// <param name="limit">1 to 1,000.</param>
    /// <param name="newestFirst">Which end to start from.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    ValueTask<IReadOnlyList<LogEntry>> ReadAsync(
        ConversationId conversation, long after, long before, int limit, bool newestFirst, CancellationToken cancellationToken);

    /// <summary>The entry with this id, or null.</summary>
    ValueTask<LogEntry?> FindAsync(MessageId message, CancellationToken cancellationToken);

    /// <summary>Raises positions of any number of users in any number of conversations; never lowers one. A read position
    /// raises the delivered one with it. A position beyond the head, or in a conversation that the user is not a
    /// member of, is refused by itself; the others still take effect. Of who has left a group the head is
    /// <see cref="MemberState.LeftSeq"/>. Each rise is kept with its time. Many members of one conversation in one call cost far less
    /// than many calls.</summary>
    /// <param name="positions">1 to 1,000; a user in a conversation at most once.</param>
    /// <param name="at">The time of the rise.</param>
    /// <param name="cancellationToken">Stops waiting, not the write.</param>
    /// <returns>One outcome per position, in order: what holds afterwards.</returns>
    Task<IReadOnlyList<AdvanceOutcome>> AdvanceAsync(
        IReadOnlyList<MemberPosition> positions, DateTimeOffset at, CancellationToken cancellationToken);

    /// <summary>The watermarks and marks of one member; null for who is not one.</summary>
    ValueTask<MemberState?> GetMemberAsync(ConversationId conversation, UserId user, CancellationToken cancellationToken);

    /// <summary><see cref="GetMemberAsync"/> of several users at once, in the order asked for: of one moment.</summary>
    /// <param name="conversation">Which.</param>
    /// <param name="users">1 to 1,000, distinct.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    ValueTask<IReadOnlyList<MemberState?>> GetMembersAsync(
        ConversationId conversation, IReadOnlyList<UserId> users, CancellationToken cancellationToken);

    /// <summary>When the member's delivered and read watermarks first reached <paramref name="seq"/>: of the rises in
    /// the order in which they took effect the first that did, whatever the times of others. Of an entry from before the member came
    /// none, though he may see it.</summary>
    ValueTask<ReceiptTimes> GetReceiptTimesAsync(
        ConversationId conversation, UserId user, long seq, CancellationToken cancellationToken);

    /// <summary><see cref="GetReceiptTimesAsync"/> of everybody for whom an entry is: all who were there when it was
    /// appended (<see cref="MemberState.WasIn"/>) but its sender, in the order of their ids. Of those who have left a group since, only who had it
    /// delivered.</summary>
    /// <returns>Empty for an entry that does not exist.</returns>
    ValueTask<IReadOnlyList<MemberReceipt>> GetReceiptsAsync(
        ConversationId conversation, long seq, CancellationToken cancellationToken);

    /// <summary>The user's conversations that changed at or after <paramref name="since"/> in anything that
    /// <see cref="ConversationView"/> shows, newest message first, those of the same time by id.</summary>
    ValueTask<IReadOnlyList<ConversationView>> ListConversationsAsync(
        UserId user, DateTimeOffset since, CancellationToken cancellationToken);

    /// <summary>One conversation as the user sees it; null for who is not a member.</summary>
    ValueTask<ConversationView?> GetViewAsync(ConversationId conversation, UserId user, CancellationToken cancellationToken);

    /// <summary><see cref="GetViewAsync"/> of several users at once, in the order asked for.</summary>
    /// <param name="conversation">Which.</param>
    /// <param name="users">1 to 1,000, distinct.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    ValueTask<IReadOnlyList<ConversationView?>> GetViewsAsync(
        ConversationId conversation, IReadOnlyList<UserId> users, CancellationToken cancellationToken);

    /// <summary>Deletes entries for this user alone. Idempotent: a mark that was there changes nothing.</summary>
    /// <returns>False when the user is not a member or a seq is beyond the head; nothing was changed then.</returns>
    Task<bool> HideAsync(
        ConversationId conversation, UserId user, IReadOnlyList<long> seqs, DateTimeOffset at, CancellationToken cancellationToken);

    /// <summary>The seqs in (after, before) that the user deleted for himself, ascending.</summary>
    ValueTask<IReadOnlyList<long>> ReadHiddenAsync(
        ConversationId conversation, UserId user, long after, long before, CancellationToken cancellationToken);

    /// <summary>Changes how this user has the conversation in his list; what is null stays as it is, the last call holds, and a
    /// change of nothing changes nothing.</summary>
    /// <returns>False when the user is not a member.</returns>
    Task<bool> SetAsync(
        ConversationId conversation, UserId user, MemberSettings settings, DateTimeOffset at, CancellationToken cancellationToken);

    /// <summary>Clears the chat for this user up to and including <paramref name="seq"/>: the cleared, read and
    /// delivered positions rise to it; none falls.</summary>
    /// <returns>What holds afterwards, refused as in <see cref="AdvanceAsync"/>.</returns>
    Task<AdvanceOutcome> ClearAsync(
        ConversationId conversation, UserId user, long seq, DateTimeOffset at, CancellationToken cancellationToken);
}

/// <summary>Shorter ways to say it.</summary>
public static class MessageStoreCalls
{
    /// <summary>Raises positions of one user.</summary>
    public static Task<IReadOnlyList<AdvanceOutcome>> AdvanceAsync(
        this IMessageStore store, UserId user, IReadOnlyList<NewPosition> positions, DateTimeOffset at, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(store);
        ArgumentNullException.ThrowIfNull(positions);
        return store.AdvanceAsync(
            [.. positions.Select(p => new MemberPosition(user, p.Conversation, p.DeliveredSeq, p.ReadSeq))], at, cancellationToken);
    }
}

/// <summary>What kind of conversation it is, and who is in it.</summary>
/// <param name="Id">For a direct one <see cref="ConversationId.Direct"/> of its members.</param>
/// <param name="Kind">Direct or group.</param>
/// <param name="Members">Of a direct conversation its two users, or one who writes to himself. Of a group none: who is in it
/// follows from <see cref="NewEntry.Members"/>.</param>
public sealed record ConversationShape(ConversationId Id, ConversationKind Kind, IReadOnlyList<UserId> Members)
{
    public static ConversationShape Direct(UserId a, UserId b) =>
        new(ConversationId.Direct(a, b), ConversationKind.Direct, a == b ? [a] : [a, b]);

    public static ConversationShape Group(ConversationId id) => new(id, ConversationKind.Group, []);
}

public enum ConversationKind
{
    Direct = 1,
    Group = 2,
}

/// <summary>The numbers are stored: never change one.</summary>
public enum EntryKind
{
    Text = 1,
    System = 2,
    Delete = 3,
}

/// <summary>An entry to be appended.</summary>
public sealed record NewEntry
{
    /// <summary>Made by the caller, once per request, and used again when the call is repeated.</summary>
    public required MessageId Id { get; init; }
    public required UserId Sender { get; init; }
    public required string ClientMessageId { get; init; }
    public required EntryKind Kind { get; init; }

    /// <summary>UTF-8; empty where the kind has none.</summary>
    public ReadOnlyMemory<byte> Text { get; init; }

    public MessageId? ReplyTo { get; init; }

    /// <summary>Of a <see cref="EntryKind.Delete"/>: the seq in the same conversation whose content goes.</summary>
    public long TargetSeq { get; init; }

    /// <summary>Of a <see cref="EntryKind.Delete"/>: the id of the entry at <see cref="TargetSeq"/>.</summary>
    public MessageId? Target { get; init; }

    /// <summary>Of a <see cref="EntryKind.System"/> in a group: who comes and who goes with it, each user once, at most 1,000.
    /// Empty for every other.</summary>
    public IReadOnlyList<MemberChange> Members { get; init; } = [];

    /// <summary>The caller's clock; stored as it is or, if that would fall within the log, as the last entry's.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>64 bits over everything that the sender chose: conversation, kind, text, reply.</summary>
    public required ulong ContentHash { get; init; }

    /// <summary>A person reads it: it counts as unread and becomes the preview.</summary>
    public bool IsVisible => Kind is EntryKind.Text;
}

public enum AppendStatus
{
    /// <summary>Stored by this call.</summary>
    Appended,
    /// <summary>An earlier call had stored it.</summary>
    Duplicate,
    /// <summary>The sender used this client message id for another content.</summary>
    Conflict,
}

/// <param name="Status">What became of the entry.</param>
/// <param name="Entry">As it is stored; for a conflict the entry that holds the client message id.</param>
/// <param name="SenderReadBefore">The sender's read position before this entry raised it; for a duplicate or a
/// conflict, which raise nothing, as it is. 0 when the sender is not a member.</param>
/// <param name="Lowest">Set when the entry raised a group's lowest watermarks: its sender had held them, or one who has left.</param>
public sealed record AppendOutcome(AppendStatus Status, LogEntry Entry, long SenderReadBefore, LowestRise? Lowest = null);

/// <param name="User">Who.</param>
/// <param name="IsMember">True: joins. False: leaves.</param>
/// <param name="SeesHistory">Of who joins: he may see what was before, what he missed while he was away included. It says nothing of who
/// is in already, or leaves.</param>
public sealed record MemberChange(UserId User, bool IsMember, bool SeesHistory = false);

/// <summary>The lowest watermarks among a group's members rose. A message of the group is delivered, or read, by all when
/// they have passed it.</summary>
/// <param name="DeliveredBefore">Before.</param>
/// <param name="ReadBefore">Before.</param>
/// <param name="DeliveredSeq">Now.</param>
/// <param name="ReadSeq">Now.</param>
public sealed record LowestRise(long DeliveredBefore, long ReadBefore, long DeliveredSeq, long ReadSeq);

/// <summary>A stored entry.</summary>
public sealed record LogEntry
{
    public required ConversationId Conversation { get; init; }
    public required long Seq { get; init; }
    public required MessageId Id { get; init; }
    public required UserId Sender { get; init; }
    public required string ClientMessageId { get; init; }
    public required EntryKind Kind { get; init; }
    public required ReadOnlyMemory<byte> Text { get; init; }
    public MessageId? ReplyTo { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }
    public DateTimeOffset? EditedAt { get; init; }

    /// <summary>Deleted for everyone: the content is not stored any more.</summary>
    public bool Deleted { get; init; }

    public long TargetSeq { get; init; }
    public MessageId? Target { get; init; }

    /// <summary>How many visible entries the log has up to and including this one.</summary>
    public required long VisibleNumber { get; init; }
}

/// <param name="Shape">Kind and members.</param>
/// <param name="HeadSeq">The newest entry's seq.</param>
/// <param name="HeadVisibleNumber">The newest entry's <see cref="LogEntry.VisibleNumber"/>.</param>
/// <param name="LastCreatedAt">The newest entry's time.</param>
public sealed record ConversationState(
    ConversationShape Shape, long HeadSeq, long HeadVisibleNumber, DateTimeOffset LastCreatedAt);

/// <param name="JoinSeq">Came with the entry after this one: his positions began here.</param>
/// <param name="DeliveredSeq">Some device of the member holds everything up to here.</param>
/// <param name="ReadSeq">The member has read up to here; never more than <paramref name="DeliveredSeq"/>.</param>
/// <param name="ClearedSeq">Entries up to here were cleared by the member.</param>
/// <param name="LeftSeq">Left the group with this entry, the last that is seen; 0 for who is in it.</param>
public sealed record MemberState(long JoinSeq, long DeliveredSeq, long ReadSeq, long ClearedSeq, long LeftSeq = 0)
{
    /// <summary>May see entries after this one: <see cref="JoinSeq"/>, or 0 where he joined with <see cref="MemberChange.SeesHistory"/>.</summary>
    public long SeesAfter { get; init; } = JoinSeq;

    /// <summary>Whether the member may see the entry, cleared or not.</summary>
    public bool Sees(long seq) => seq > SeesAfter && (LeftSeq == 0 || seq <= LeftSeq);

    /// <summary>Whether the member was there when the entry was appended, so that it was delivered to him. What he missed before he
    /// last came is not, even where he may see it.</summary>
    public bool WasIn(long seq) => seq > JoinSeq && (LeftSeq == 0 || seq <= LeftSeq);
}

/// <summary>A rise that is asked for; 0 leaves a position alone.</summary>
public sealed record NewPosition(ConversationId Conversation, long DeliveredSeq, long ReadSeq);

/// <summary>A rise of one member's that is asked for; 0 leaves a position alone.</summary>
public sealed record MemberPosition(UserId User, ConversationId Conversation, long DeliveredSeq, long ReadSeq);

/// <param name="User">For whom the entry is.</param>
/// <param name="IsMember">False for who has left since.</param>
/// <param name="Times">When he got and read it.</param>
public sealed record MemberReceipt(UserId User, bool IsMember, ReceiptTimes Times);

public enum AdvanceStatus
{
    /// <summary>At least one position rose.</summary>
    Moved,
    /// <summary>Both were there already.</summary>
    Held,
    /// <summary>Not a member, or no such conversation.</summary>
    NotFound,
    /// <summary>A position is greater than the head.</summary>
    BeyondHead,
}

/// <param name="Status">What became of it.</param>
/// <param name="Member">What holds now; null when the user is not a member.</param>
/// <param name="ReadMoved">The read position rose.</param>
/// <param name="HeadSeq">The head at that moment, of who has left a group <see cref="MemberState.LeftSeq"/>; 0 when not found.</param>
/// <param name="Lowest">Set on one outcome, the last that moved, of each group whose lowest watermarks the call raised.</param>
public sealed record AdvanceOutcome(AdvanceStatus Status, MemberState? Member, bool ReadMoved, long HeadSeq, LowestRise? Lowest = null);

/// <summary>Null: not yet.</summary>
public sealed record ReceiptTimes(DateTimeOffset? DeliveredAt, DateTimeOffset? ReadAt);

/// <summary>How a member has a conversation in his list. It is kept when he leaves a group.</summary>
/// <param name="MutedUntil">He is not pushed to for it before this, to the millisecond; null: never muted.</param>
/// <param name="Archived">Kept out of sight.</param>
/// <param name="Pinned">Kept on top.</param>
public sealed record MemberSettings(DateTimeOffset? MutedUntil = null, bool? Archived = null, bool? Pinned = null)
{
    /// <summary>With what another one sets.</summary>
    public MemberSettings With(MemberSettings changes)
    {
        ArgumentNullException.ThrowIfNull(changes);
        return new(changes.MutedUntil ?? MutedUntil, changes.Archived ?? Archived, changes.Pinned ?? Pinned);
    }
}

/// <summary>A conversation as one member sees it.</summary>
public sealed record ConversationView
{
    public required ConversationShape Shape { get; init; }

    /// <summary>The newest entry's seq; of a group that the user has left <see cref="MemberState.LeftSeq"/>.</summary>
    public required long HeadSeq { get; init; }

    public required MemberState Member { get; init; }

    /// <summary>What he set; null where he set nothing yet.</summary>
    public MemberSettings Settings { get; init; } = new();

    /// <summary>Visible messages of others after the read position, without those that the user hid.</summary>
    public required long UnreadCount { get; init; }

    /// <summary>The start of the newest visible message's text, at most 100 UTF-16 units and never half a character;
    /// null when that message is deleted, hidden or cleared, or before what the user may see; and of a group that he has left.</summary>
    public string? Preview { get; init; }

    /// <summary>When the newest visible message was created that the user sees; the newest entry that he sees, when there is none.
    /// Of a group that he has left: when he left.</summary>
    public required DateTimeOffset LastMessageAt { get; init; }

    /// <summary>The lowest positions among the other members; a conversation with oneself has one's own. Of a group the lowest of
    /// all its members, which says the same of the user's own messages: 0 while there are none, and of who has left at most
    /// <see cref="MemberState.LeftSeq"/>.</summary>
    public required long OthersDeliveredSeq { get; init; }

    public required long OthersReadSeq { get; init; }

    /// <summary>When anything of this, or a mark of the user's own deletions, last changed; never falls. Of a group that the
    /// user has left it may be later than that.</summary>
    public required DateTimeOffset ChangedAt { get; init; }
}
