using WhatsAspire.Contracts;

namespace WhatsAspire.MessageApi.Storage.Rocks;

/// <summary>A conversation with its head and the positions of its members, as one row: so an append or an advance in
/// a direct conversation reads and writes one row for all of it. Mutable, and only the writer's thread changes
/// one.</summary>
internal sealed class ConversationRow
{
    private const byte Version = 1;

    public required ConversationShape Shape { get; init; }
    public required MemberRow[] Members { get; init; }
    public long HeadSeq { get; set; }
    public long HeadVisibleNumber { get; set; }
    public DateTimeOffset LastCreatedAt { get; set; }
    public long NewestVisibleSeq { get; set; }
    public DateTimeOffset NewestVisibleAt { get; set; }

    /// <summary>Of a group, whose members have rows of their own; null for a direct conversation.</summary>
    public GroupState? Group { get; init; }

    public static ConversationRow New(ConversationShape shape) => new()
    {
        Shape = shape,
        Members = [.. shape.Members.Select(m => new MemberRow { User = m })],
        Group = shape.Kind == ConversationKind.Group ? new() : null,
    };

    public MemberRow? Find(UserId user)
    {
        foreach (var member in Members)
        {
            if (member.User == user) return member;
        }

        return null;
    }

    /// <summary>The lowest positions of the others; one's own where there are none.</summary>
    public (long Delivered, long Read) Others(MemberRow self)
    {
        if (Members.Length == 1) return (self.DeliveredSeq, self.ReadSeq);
        var (delivered, read) = (long.MaxValue, long.MaxValue);
        foreach (var member in Members)
        {
            if (ReferenceEquals(member, self)) continue;
            delivered = Math.Min(delivered, member.DeliveredSeq);
            read = Math.Min(read, member.ReadSeq);
        }

        return (delivered, read);
    }

    /// <summary>Something changed that every member sees.</summary>
    public void Touch(DateTimeOffset at)
    {
        foreach (var member in Members) member.Touch(at);
    }

    public void Write(RowWriter to)
    {
        to.Start(Version).Byte((byte)Shape.Kind)
            .Number(HeadSeq).Number(HeadVisibleNumber).Time(LastCreatedAt)
            .Number(NewestVisibleSeq).Time(NewestVisibleAt)
            .Number(Members.Length);
        foreach (var m in Members)
        {
            to.Id(m.User.Value).Number(m.JoinSeq).Number(m.DeliveredSeq).Number(m.ReadSeq).Number(m.ClearedSeq)
                .Number(m.ReadVisibleNumber).Time(m.ChangedAt);
        }

        Group?.Write(to);
    }

    public static ConversationRow Read(ConversationId id, ReadOnlySpan<byte> row)
    {
        var from = new RowReader(row, Version);
        var kind = (ConversationKind)from.Byte();
        var head = from.Number();
        var headVisible = from.Number();
        var lastCreatedAt = from.Time();
        var newestVisible = from.Number();
        var newestVisibleAt = from.Time();
        var members = new MemberRow[checked((int)from.Number())];
        var users = new UserId[members.Length];
        for (var i = 0; i < members.Length; i++)
        {
            users[i] = new(from.Id());
            members[i] = new()
            {
                User = users[i],
                JoinSeq = from.Number(),
                DeliveredSeq = from.Number(),
                ReadSeq = from.Number(),
                ClearedSeq = from.Number(),
                ReadVisibleNumber = from.Number(),
                ChangedAt = from.Time(),
            };
        }

        return new()
        {
            Shape = new(id, kind, users),
            Members = members,
            HeadSeq = head,
            HeadVisibleNumber = headVisible,
            LastCreatedAt = lastCreatedAt,
            NewestVisibleSeq = newestVisible,
            NewestVisibleAt = newestVisibleAt,
            Group = kind == ConversationKind.Group ? GroupState.Read(ref from) : null,
        };
    }
}

/// <summary>One member's part of a <see cref="ConversationRow"/>, or of a group's a row of its own.</summary>
internal sealed class MemberRow
{
    public required UserId User { get; init; }
    public long JoinSeq { get; set; }

    /// <summary>As <see cref="MemberState.SeesAfter"/>. Only of groups: in a direct conversation both are 0.</summary>
    public long SeesAfter { get; set; }

    public long DeliveredSeq { get; set; }
    public long ReadSeq { get; set; }
    public long ClearedSeq { get; set; }

    /// <summary>The visible number of the entry at <see cref="ReadSeq"/>: with the head's it gives the unread count
    /// without a look into the log.</summary>
    public long ReadVisibleNumber { get; set; }

    public DateTimeOffset ChangedAt { get; set; }

    /// <summary>The entry with which he left; 0 while he is in it.</summary>
    public long LeftSeq { get; set; }

    /// <summary>The visible number and the time of that entry.</summary>
    public long LeftVisibleNumber { get; set; }

    public DateTimeOffset LeftAt { get; set; }

    public MemberState State => new(JoinSeq, DeliveredSeq, ReadSeq, ClearedSeq, LeftSeq) { SeesAfter = SeesAfter };

    /// <summary>The newest entry that he may see.</summary>
    public long Head(long head) => LeftSeq > 0 ? LeftSeq : head;

    public void Touch(DateTimeOffset at)
    {
        if (at > ChangedAt) ChangedAt = at.ToUniversalTime();
    }
}

/// <summary>An entry as a row of the log.</summary>
internal static class LogRow
{
    private const byte Version = 1;

    [Flags]
    private enum Has : byte
    {
        Nothing = 0,
        Deleted = 1,
        ReplyTo = 2,
        TargetSeq = 4,
        Target = 8,
        EditedAt = 16,
    }

    public static void Write(LogEntry entry, RowWriter to)
    {
        var has = Has.Nothing;
        if (entry.Deleted) has |= Has.Deleted;
        if (entry.ReplyTo is not null) has |= Has.ReplyTo;
        if (entry.TargetSeq != 0) has |= Has.TargetSeq;
        if (entry.Target is not null) has |= Has.Target;
        if (entry.EditedAt is not null) has |= Has.EditedAt;
        to.Start(Version).Byte((byte)entry.Kind).Byte((byte)has)
            .Id(entry.Id.Value).Id(entry.Sender.Value).Time(entry.CreatedAt).Number(entry.VisibleNumber)
            .Text(entry.ClientMessageId);
        if (entry.ReplyTo is { } reply) to.Id(reply.Value);
        if (entry.TargetSeq != 0) to.Number(entry.TargetSeq);
        if (entry.Target is { } target) to.Id(target.Value);
        if (entry.EditedAt is { } edited) to.Time(edited);
        to.Bytes(entry.Text.Span);
    }

    public static LogEntry Read(ConversationId conversation, long seq, ReadOnlySpan<byte> row)
    {
        var from = new RowReader(row, Version);
        var kind = (EntryKind)from.Byte();
        var has = (Has)from.Byte();
        return new()
        {
            Conversation = conversation,
            Seq = seq,
            Kind = kind,
            Deleted = has.HasFlag(Has.Deleted),
            Id = new(from.Id()),
            Sender = new(from.Id()),
            CreatedAt = from.Time(),
            VisibleNumber = from.Number(),
            ClientMessageId = from.Text(),
            ReplyTo = has.HasFlag(Has.ReplyTo) ? new MessageId(from.Id()) : null,
            TargetSeq = has.HasFlag(Has.TargetSeq) ? from.Number() : 0,
            Target = has.HasFlag(Has.Target) ? new MessageId(from.Id()) : null,
            EditedAt = has.HasFlag(Has.EditedAt) ? from.Time() : null,
            Text = from.Bytes().ToArray(),
        };
    }
}

/// <summary>Where the entry of a sender's client message id is, and what content it had.</summary>
internal readonly record struct DedupRow(ulong ContentHash, EntryPlace Place)
{
    private const byte Version = 1;

    public void Write(RowWriter to) =>
        to.Start(Version).Fixed(ContentHash).Id(Place.Conversation.Value).Number(Place.Seq);

    public static DedupRow Read(ReadOnlySpan<byte> row)
    {
        var from = new RowReader(row, Version);
        var hash = from.Fixed();
        return new(hash, new(new(from.Id()), from.Number()));
    }
}

/// <summary>Where an entry is.</summary>
internal readonly record struct EntryPlace(ConversationId Conversation, long Seq)
{
    private const byte Version = 1;

    public void Write(RowWriter to) => to.Start(Version).Id(Conversation.Value).Number(Seq);

    public static EntryPlace Read(ReadOnlySpan<byte> row)
    {
        var from = new RowReader(row, Version);
        return new(new(from.Id()), from.Number());
    }
}

/// <summary>When a position rose.</summary>
internal static class AdvanceRow
{
    private const byte Version = 1;

    public static void Write(DateTimeOffset at, RowWriter to) => to.Start(Version).Time(at);

    public static DateTimeOffset Read(ReadOnlySpan<byte> row) => new RowReader(row, Version).Time();
}

/// <summary>A user's mark on an entry that he deleted for himself.</summary>
internal static class HiddenRow
{
    private const byte Version = 1;

    public static void Write(bool visible, DateTimeOffset at, RowWriter to) =>
        to.Start(Version).Byte(visible ? (byte)1 : (byte)0).Time(at);

    /// <summary>Whether the entry would count as unread.</summary>
    public static bool IsVisible(ReadOnlySpan<byte> row) => new RowReader(row, Version).Byte() != 0;
}

/// <summary>How a user has a conversation in his list.</summary>
internal static class SettingsRow
{
    private const byte Version = 1;

    [Flags]
    private enum Has : byte
    {
        Nothing = 0,
        MutedUntil = 1,
        ArchivedSaid = 2,
        Archived = 4,
        PinnedSaid = 8,
        Pinned = 16,
    }

    public static void Write(MemberSettings settings, RowWriter to)
    {
        var has = Has.Nothing;
        if (settings.MutedUntil is not null) has |= Has.MutedUntil;
        if (settings.Archived is { } archived) has |= Has.ArchivedSaid | (archived ? Has.Archived : 0);
        if (settings.Pinned is { } pinned) has |= Has.PinnedSaid | (pinned ? Has.Pinned : 0);
        to.Start(Version).Byte((byte)has);
        if (settings.MutedUntil is { } until) to.Time(until);
    }

    public static MemberSettings Read(ReadOnlySpan<byte> row)
    {
        var from = new RowReader(row, Version);
        var has = (Has)from.Byte();
        return new(
            has.HasFlag(Has.MutedUntil) ? from.Time() : null,
            has.HasFlag(Has.ArchivedSaid) ? has.HasFlag(Has.Archived) : null,
            has.HasFlag(Has.PinnedSaid) ? has.HasFlag(Has.Pinned) : null);
    }
}

/// <summary>A row that says everything by its key.</summary>
internal static class MarkRow
{
    private const byte Version = 1;

    public static void Write(RowWriter to) => to.Start(Version);
}

