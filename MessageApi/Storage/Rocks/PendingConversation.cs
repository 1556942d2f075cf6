namespace WhatsAspire.MessageApi.Storage.Rocks;

/// <summary>A conversation as the operations of one commit leave it, with the entries that they wrote.</summary>
internal sealed class PendingConversation(ConversationRow row)
{
    private readonly long _base = row.HeadSeq;
    private List<LogEntry>? _appended;
    private Dictionary<long, LogEntry>? _replaced;

    public ConversationRow Row { get; } = row;

    /// <summary>The row has to be written.</summary>
    public bool Dirty { get; set; }

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
