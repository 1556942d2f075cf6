using WhatsAspire.Contracts;

namespace WhatsAspire.MessageApi.Storage.Rocks;

/// <summary>A conversation as the operations of one commit leave it, with the entries that they wrote.</summary>
internal sealed class PendingConversation(ConversationRow row)
{
    private readonly long _base = row.HeadSeq;
    private List<LogEntry>? _appended;
    private Dictionary<long, LogEntry>? _replaced;
    private Dictionary<UserId, MemberRow>? _members;
    private HashSet<MemberRow>? _changed;

    public ConversationRow Row { get; } = row;

    /// <summary>Of a group: its members that this commit has looked at.</summary>
    public IEnumerable<MemberRow> Members => _members?.Values ?? Enumerable.Empty<MemberRow>();

    /// <summary>Of a group: those whose rows have to be written.</summary>
    public IEnumerable<MemberRow> ChangedMembers => _changed ?? Enumerable.Empty<MemberRow>();

    /// <summary>The row has to be written.</summary>
    public bool Dirty { get; set; }

    /// <summary>A group's member, if this commit has looked at him.</summary>
    public MemberRow? Member(UserId user) => _members?.GetValueOrDefault(user);

    public void Keep(MemberRow member) => (_members ??= []).Add(member.User, member);

    /// <summary>A member's row differs from what is stored; of a direct conversation its own row says so.</summary>
    public void Changed(MemberRow member)
    {
        if (Row.Group is not null) (_changed ??= []).Add(member);
    }

    public void Add(LogEntry entry) => (_appended ??= []).Add(entry);

    public void Replace(LogEntry entry)
    {
        if (entry.Seq > _base) _appended![(int)(entry.Seq - _base - 1)] = entry;
        else (_replaced ??= [])[entry.Seq] = entry;
    }

    /// <summary>The entry as this commit leaves it; null when the commit does not touch it.</summary>
    public LogEntry? Entry(long seq)
    {
        if (seq > _base) return _appended is null ? null : _appended[(int)(seq - _base - 1)];
        return _replaced?.GetValueOrDefault(seq);
    }
}
