using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Frames;

namespace WhatsAspire.Client;

/// <summary>The summaries as they are now: what the server said of each conversation, and what was seen since. Not safe
/// for concurrent use.</summary>
internal sealed class Conversations
{
    private const int RememberedUnread = 256;
    private readonly Dictionary<ConversationId, State> _states = [];

    public IReadOnlyList<ConversationFrame> All() => [.. _states.Values.Where(s => s.Summary is not null).Select(s => s.Summary!)];

    public ConversationFrame? Find(ConversationId conversation) => _states.GetValueOrDefault(conversation)?.Summary;

    public Receipt Receipt(ConversationId conversation)
    {
        var state = Get(conversation);
        return new(conversation, state.Delivered, state.Read);
    }

    public MessageStatus Status(ConversationId conversation, long seq) =>
        _states.TryGetValue(conversation, out var state) ? state.StatusOf(seq) : MessageStatus.Sent;

    public Task WaitForAsync(ConversationId conversation, long seq, MessageStatus status, CancellationToken cancellationToken)
    {
        var state = Get(conversation);
        if (state.StatusOf(seq) >= status) return Task.CompletedTask;
        var waiter = new Waiter(seq, status, new(TaskCreationOptions.RunContinuationsAsynchronously));
        state.Waiters.RemoveAll(w => w.Reached.Task.IsCompleted);
        state.Waiters.Add(waiter);
        var registration = cancellationToken.Register(() => waiter.Reached.TrySetCanceled(cancellationToken));
        return Wait();

        async Task Wait()
        {
            await using (registration) await waiter.Reached.Task;
        }
    }

    /// <summary>A summary came, which may be older than what was seen since.</summary>
    /// <returns>Whether the others' watermarks moved.</returns>
    public bool Summarize(ConversationFrame summary)
    {
        var state = Get(summary.ConversationId);
        var moved = Advance(state, summary.Others.DeliveredSeq, summary.Others.ReadSeq);
        var now = summary with { Ref = null, Others = new(state.Delivered, state.Read) };
        if (state.Summary is { } old)
        {
            var read = Math.Max(old.ReadSeq, summary.ReadSeq);
            state.Unread.RemoveAll(seq => seq <= read);
            if (summary.HeadSeq < old.HeadSeq)
            {
                // What it does not count yet, and what was read by now.
                now = now with { HeadSeq = old.HeadSeq, Preview = old.Preview, LastMessageAt = old.LastMessageAt };
                now = now with { Name = old.Name, MemberCount = old.MemberCount, Left = old.Left };
                now = now with { UnreadCount = summary.UnreadCount + state.Unread.Count(seq => seq > summary.HeadSeq) };
            }

            if (summary.ReadSeq < old.ReadSeq) now = now with { ReadSeq = old.ReadSeq, UnreadCount = old.UnreadCount };
            now = now with { DeliveredSeq = Math.Max(old.DeliveredSeq, summary.DeliveredSeq) };
        }

        state.Summary = now;
        return moved;
    }

    /// <summary>A receipt came.</summary>
    /// <returns>Whether the others' watermarks moved.</returns>
    public bool Receive(ReceiptFrame receipt)
    {
        var state = Get(receipt.ConversationId);
        if (!Advance(state, receipt.DeliveredSeq, receipt.ReadSeq)) return false;
        if (state.Summary is not null) state.Summary = state.Summary with { Others = new(state.Delivered, state.Read) };
        return true;
    }

    /// <summary>A message came, in whatever order.</summary>
    /// <param name="message">The message.</param>
    /// <param name="me">The user.</param>
    /// <param name="to">Whom an own message is for, where that is known.</param>
    /// <returns>Whether it changed the summary.</returns>
    public bool Receive(MessageFrame message, UserId me, UserId? to = null)
    {
        var state = Get(message.ConversationId);
        var summary = state.Summary ?? New(message, me, to);
        var own = message.SenderId == me;
        if (message.Seq <= summary.HeadSeq) return false;
        // What lies between is counted when it comes.
        if (message.Seq != summary.HeadSeq + 1) return false;
        var isText = message.Kind == "text";
        if (own && isText)
        {
            state.Unread.Clear();
            summary = summary with { ReadSeq = message.Seq, UnreadCount = 0 };
        }
        else if (isText && !message.Deleted && message.Seq > summary.ReadSeq)
        {
            if (state.Unread.Count == RememberedUnread) state.Unread.RemoveAt(0);
            state.Unread.Add(message.Seq);
            summary = summary with { UnreadCount = summary.UnreadCount + 1 };
        }

        if (isText && message.Text is { } text)
        {
            var cut = text.Length <= Limits.PreviewLength ? text.Length
                : char.IsHighSurrogate(text[Limits.PreviewLength - 1]) ? Limits.PreviewLength - 1 : Limits.PreviewLength;
            summary = summary with { Preview = text[..cut], LastMessageAt = message.CreatedAt };
        }

        if (message.Change is { } change) summary = Apply(summary, change, me);
        state.Summary = summary with { HeadSeq = message.Seq };
        return true;
    }

    /// <summary>What changed in a group: only its own entries say it.</summary>
    private static ConversationFrame Apply(ConversationFrame summary, GroupChange change, UserId me)
    {
        summary = summary with { Kind = "group", Name = change.Name ?? summary.Name };
        var (count, users) = (summary.MemberCount ?? 0, change.UserIds ?? []);
        return change.Type switch
        {
            GroupChangeTypes.Created => summary with { MemberCount = users.Count },
            GroupChangeTypes.Added or GroupChangeTypes.Joined => summary with
            {
                MemberCount = count + users.Count,
                Left = summary.Left && !users.Contains(me),
            },
            GroupChangeTypes.Removed or GroupChangeTypes.Left => summary with
            {
                MemberCount = Math.Max(0, count - users.Count),
                Left = summary.Left || users.Contains(me),
            },
            GroupChangeTypes.Deleted => summary with { MemberCount = 0, Left = true },
            _ => summary,
        };
    }

    public void Cancel(Exception? error)
    {
        foreach (var waiter in _states.Values.SelectMany(s => s.Waiters))
        {
            if (error is null) waiter.Reached.TrySetCanceled();
            else waiter.Reached.TrySetException(error);
        }
    }

    // The first message of a conversation comes without a summary; its kind follows from the ids.
    private static ConversationFrame New(MessageFrame message, UserId me, UserId? to)
    {
        var isDirect = message.SenderId != me && ConversationId.Direct(me, message.SenderId) == message.ConversationId;
        return new()
        {
            ConversationId = message.ConversationId,
            Kind = isDirect || to is not null ? "direct" : "group",
            UserId = isDirect ? message.SenderId : to,
            HeadSeq = 0,
            ReadSeq = 0,
            DeliveredSeq = 0,
            UnreadCount = 0,
            LastMessageAt = message.CreatedAt,
            Others = new(0, 0),
        };
    }

    private State Get(ConversationId conversation) =>
        _states.TryGetValue(conversation, out var state) ? state : _states[conversation] = new();

    private static bool Advance(State state, long delivered, long read)
    {
        delivered = Math.Max(state.Delivered, Math.Max(delivered, read));
        read = Math.Max(state.Read, read);
        if (delivered == state.Delivered && read == state.Read) return false;
        (state.Delivered, state.Read) = (delivered, read);
        foreach (var waiter in state.Waiters)
            if (state.StatusOf(waiter.Seq) >= waiter.Status) waiter.Reached.TrySetResult();
        state.Waiters.RemoveAll(w => w.Reached.Task.IsCompleted);
        return true;
    }

    private sealed record Waiter(long Seq, MessageStatus Status, TaskCompletionSource Reached);

    private sealed class State
    {
        public ConversationFrame? Summary { get; set; }
        public long Delivered { get; set; }
        public long Read { get; set; }

        /// <summary>Of the newest unread ones that were counted here.</summary>
        public List<long> Unread { get; } = [];

        public List<Waiter> Waiters { get; } = [];

        public MessageStatus StatusOf(long seq) =>
            seq <= Read ? MessageStatus.Read : seq <= Delivered ? MessageStatus.Delivered : MessageStatus.Sent;
    }
}
