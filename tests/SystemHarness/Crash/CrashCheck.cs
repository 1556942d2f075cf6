namespace WhatsAspire.SystemHarness.Crash;

/// <summary>Holds what every device has, and what history and summaries say, against what was promised.</summary>
internal sealed class CrashCheck(CrashLoad load)
{
    /// <summary>Longer than an edge takes to find, by its activity check, what another one did not deliver.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);

    private readonly Ledger _ledger = load.Ledger;
    private readonly Dictionary<string, Conversation> _conversations = [];

    private sealed record Conversation(string Id, IReadOnlyList<Frame> History, IReadOnlyList<CrashClient> Members)
    {
        public long Head => History.Count;

        public bool IsGroup => History[0].Kind == "system";

        public IEnumerable<string> Users => Members.Select(device => device.Account.UserId).Distinct();
    }

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        await ReadHistoriesAsync(cancellationToken);
        var (lost, doubled) = CheckPromises();
        _ledger.Check($"History against promises, of which {lost} are lost and {doubled} kept twice");

        await _ledger.UntilAsync(() => !Incomplete().Any(), Patience,
            () => $"all messages on all devices; missing: {string.Join("; ", Incomplete())}", cancellationToken);
        CheckDevices();
        _ledger.Check("Devices against history");

        await ReadToTheEndAsync(cancellationToken);
        await CheckSummariesAsync(cancellationToken);
        _ledger.Check("Positions and unread counts");
    }

    private async Task ReadHistoriesAsync(CancellationToken cancellationToken)
    {
        foreach (var device in load.Devices)
            foreach (var conversation in (await load.Rest.GetConversationsAsync(device.Token, cancellationToken)).Keys)
            {
                var history = await load.Rest.GetHistoryAsync(device.Token, conversation, cancellationToken);
                if (!_conversations.TryGetValue(conversation, out var known))
                    _conversations[conversation] = new(conversation, history, [device]);
                else if (known.History.SequenceEqual(history))
                    _conversations[conversation] = known with { Members = [.. known.Members, device] };
                else
                    _ledger.Fault($"{device.Name} reads another history of {conversation} than {known.Members[0].Name}");
            }
    }

    private (int Lost, int Doubled) CheckPromises()
    {
        var (lost, doubled) = (0, 0);
        var found = new HashSet<string>();
        foreach (var conversation in _conversations.Values)
        {
            Frame? last = null;
            foreach (var entry in conversation.History)
            {
                var where = $"seq {entry.Seq} of {conversation.Id}";
                if (entry.Seq != (last?.Seq ?? 0) + 1) _ledger.Fault($"history: {where} follows {last?.Seq ?? 0}");
                if (last is not null && entry.CreatedAt < last.CreatedAt) _ledger.Fault($"history: {where} is older than the one before");
                if (!found.Add(entry.ClientMessageId!))
                {
                    doubled++;
                    _ledger.Fault($"history: {entry.ClientMessageId} is there twice, the second time at {where}");
                }

                last = entry;
                if (!entry.IsText) continue;
                if (!_ledger.Meant.TryGetValue(entry.ClientMessageId!, out var meant)) _ledger.Fault($"history: nobody has sent {where}");
                else if (meant.Text != entry.Text || meant.Sender != entry.SenderId) _ledger.Fault($"history: {where} is not what was sent");
                var stored = new Promise(entry.ConversationId!, entry.Seq, entry.MessageId!, entry.CreatedAt);
                if (_ledger.Promised.TryGetValue(entry.ClientMessageId!, out var promised) && promised != stored)
                    _ledger.Fault($"history: {entry.ClientMessageId} was promised as {promised}, and is {stored}");
            }
        }

        foreach (var (id, promised) in _ledger.Promised)
            if (!found.Contains(id))
            {
                lost++;
                _ledger.Fault($"history: {id} is lost, which was promised as {promised}");
            }

        return (lost, doubled);
    }

    private IEnumerable<string> Incomplete() =>
        from conversation in _conversations.Values
        from device in conversation.Members
        let complete = device.Look(conversation.Id, holding => holding.Complete)
        where complete < conversation.Head
        select $"{device.Name} has {complete} of {conversation.Head} in {conversation.Id}";

    private void CheckDevices()
    {
        foreach (var conversation in _conversations.Values)
        {
            var history = conversation.History.ToDictionary(entry => entry.Seq, entry => new Held(entry.ClientMessageId!, entry.MessageId!));
            foreach (var device in conversation.Members)
            {
                var entries = device.Look(conversation.Id, holding => holding.Entries.ToDictionary());
                foreach (var (seq, held) in entries)
                    if (!history.TryGetValue(seq, out var stored)) _ledger.Fault($"{device.Name} holds seq {seq} of {conversation.Id}, which is not in history");
                    else if (stored != held) _ledger.Fault($"{device.Name} holds {held} at seq {seq} of {conversation.Id}, where history has {stored}");
                if (entries.Count != history.Count) _ledger.Fault($"{device.Name} holds {entries.Count} of {history.Count} entries of {conversation.Id}");
            }
        }
    }

    /// <summary>Every second talker reads all, the one who was away reads half; the others leave it at what they read.</summary>
    private async Task ReadToTheEndAsync(CancellationToken cancellationToken)
    {
        foreach (var conversation in _conversations.Values)
            foreach (var device in conversation.Members)
            {
                var talker = load.TalkingDevices.ToList().IndexOf(device);
                if (device == load.Absent) device.Read(conversation.Id, Math.Max(1, conversation.Head / 2));
                else if (talker >= 0 && talker % 2 == 1) device.Read(conversation.Id, conversation.Head);
            }

        await _ledger.UntilAsync(() => load.Devices.All(device => device.UnconfirmedReads == 0), Patience,
            () => $"the answers to {load.Devices.Sum(device => device.UnconfirmedReads)} reads", cancellationToken);
        await _ledger.UntilAsync(() => !Unseen().Any(), Patience,
            () => $"the receipts of everything; missing: {string.Join("; ", Unseen())}", cancellationToken);
    }

    /// <summary>What the other one's acks and reads came to and a device was not shown.</summary>
    private IEnumerable<string> Unseen() =>
        from conversation in _conversations.Values
        from device in conversation.Members
        let seen = device.Look(conversation.Id, holding => holding.Others)
        let due = new Others(conversation.Head, ReadByOthers(conversation, device.Account.UserId))
        where seen.DeliveredSeq < LastOf(device, conversation, due.DeliveredSeq) || seen.ReadSeq < LastOf(device, conversation, due.ReadSeq)
            || seen.DeliveredSeq > due.DeliveredSeq || seen.ReadSeq > due.ReadSeq
        select $"{device.Name} saw {seen} where {due} is due in {conversation.Id}";

    /// <summary>The user's last message up to a seq: a tick says something of his own messages alone.</summary>
    private static long LastOf(CrashClient device, Conversation conversation, long upTo) =>
        conversation.History.LastOrDefault(entry => entry.SenderId == device.Account.UserId && entry.Seq <= upTo)?.Seq ?? 0;

    /// <summary>How far the other one has read; of a group, the slowest of all.</summary>
    private static long ReadByOthers(Conversation conversation, string own) => conversation.IsGroup
        ? conversation.Users.Min(one => ReadBy(conversation, user => user == one))
        : ReadBy(conversation, user => user != own);

    /// <summary>How far a member has read: what was confirmed to his devices, and his own last message.</summary>
    private static long ReadBy(Conversation conversation, Func<string, bool> user)
    {
        var read = conversation.Members.Where(device => user(device.Account.UserId))
            .Max(device => device.Look(conversation.Id, holding => holding.ConfirmedRead));
        var sent = conversation.History.LastOrDefault(entry => user(entry.SenderId!))?.Seq ?? 0;
        return Math.Max(read, sent);
    }

    private async Task CheckSummariesAsync(CancellationToken cancellationToken)
    {
        foreach (var device in load.Devices)
        {
            var summaries = await load.Rest.GetConversationsAsync(device.Token, cancellationToken);
            foreach (var conversation in _conversations.Values.Where(conversation => conversation.Members.Contains(device)))
            {
                var summary = summaries[conversation.Id];
                var own = device.Account.UserId;
                var read = ReadBy(conversation, user => user == own);
                var due = (conversation.Head, Delivered: conversation.Head, Read: read,
                    Unread: conversation.History.LongCount(entry => entry.IsText && entry.SenderId != own && entry.Seq > read),
                    Others: new Others(conversation.Head, ReadByOthers(conversation, own)));
                var shown = (summary.HeadSeq, Delivered: summary.DeliveredSeq, Read: summary.ReadSeq, Unread: summary.UnreadCount, Others: summary.Others!);
                if (shown != due) _ledger.Fault($"{device.Name}: the summary of {conversation.Id} says {shown} where {due} is due");
            }
        }
    }
}
