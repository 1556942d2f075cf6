using WhatsAspire.Contracts;

namespace WhatsAspire.MessageApi.Storage;

/// <summary>The ranges that <see cref="IMessageStore"/> names, checked alike by every adapter.</summary>
internal static class StoreArguments
{
    private const int AppendLimit = 256;
    private const int AdvanceLimit = 1_000;
    private const int ReadLimit = 1_000;
    private const int MembersLimit = 1_000;

    public static void CheckAppend(ConversationShape conversation, IReadOnlyList<NewEntry> entries)
    {
        ArgumentNullException.ThrowIfNull(conversation);
        ArgumentNullException.ThrowIfNull(entries);
        Check(entries.Count, 1, AppendLimit, nameof(entries));
        for (var i = 0; i < entries.Count; i++)
        {
            CheckClientMessageId(entries[i].ClientMessageId);
            Check(entries[i].Text.Length, 0, Limits.FrameBytes, nameof(NewEntry.Text));
            CheckMembers(conversation, entries[i]);
        }
    }

    public static void CheckClientMessageId(string clientMessageId)
    {
        ArgumentException.ThrowIfNullOrEmpty(clientMessageId);
        Check(clientMessageId.Length, 1, Limits.ClientMessageIdLength, nameof(clientMessageId));
    }

    public static void CheckAdvance(IReadOnlyList<MemberPosition> positions)
    {
        ArgumentNullException.ThrowIfNull(positions);
        Check(positions.Count, 1, AdvanceLimit, nameof(positions));
        var places = positions.Count > 1 ? new HashSet<(UserId, ConversationId)>(positions.Count) : null;
        foreach (var position in positions)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(position.DeliveredSeq);
            ArgumentOutOfRangeException.ThrowIfNegative(position.ReadSeq);
            if (places?.Add((position.User, position.Conversation)) is false)
                throw new ArgumentException($"the conversation {position.Conversation} of {position.User} is there twice", nameof(positions));
        }
    }

    public static void CheckRead(long after, int limit)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(after);
        Check(limit, 1, ReadLimit, nameof(limit));
    }

    public static void CheckHide(IReadOnlyList<long> seqs)
    {
        ArgumentNullException.ThrowIfNull(seqs);
        foreach (var seq in seqs) ArgumentOutOfRangeException.ThrowIfNegativeOrZero(seq);
    }

    public static void CheckUsers(IReadOnlyList<UserId> users)
    {
        ArgumentNullException.ThrowIfNull(users);
        Check(users.Count, 1, AdvanceLimit, nameof(users));
    }

    public static void CheckShape(ConversationShape shape)
    {
        var members = shape.Members;
        if (shape.Kind == ConversationKind.Group)
        {
            if (members.Count > 0)
                throw new ArgumentException("a group's members come with the entries of its log, not with its shape", nameof(shape));
            if (shape.Id.IsDirect) throw new ArgumentException("a UUID of version 5 is a direct conversation's", nameof(shape));
            return;
        }

        if (shape.Kind != ConversationKind.Direct)
            throw new ArgumentException($"a conversation of kind {shape.Kind} cannot be stored", nameof(shape));
        if (members.Count is not (1 or 2) || (members.Count == 2 && members[0] == members[1])
            || shape.Id != ConversationId.Direct(members[0], members[^1]))
            throw new ArgumentException("a direct conversation has one or two different members, and the id that follows from them", nameof(shape));
    }

    private static void CheckMembers(ConversationShape conversation, NewEntry entry)
    {
        var changes = entry.Members;
        if (changes.Count == 0) return;
        if (conversation.Kind != ConversationKind.Group || entry.Kind != EntryKind.System)
            throw new ArgumentException("only a system entry of a group changes who is in it", nameof(entry));
        Check(changes.Count, 1, MembersLimit, nameof(NewEntry.Members));
        if (changes.Select(change => change.User).Distinct().Count() != changes.Count)
            throw new ArgumentException("a user is there twice among the changes of members", nameof(entry));
    }

    private static void Check(int value, int least, int most, string name)
    {
        if (value < least || value > most)
            throw new ArgumentOutOfRangeException(name, value, $"from {least} to {most} are allowed");
    }
}
