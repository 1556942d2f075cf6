using System.Collections.Concurrent;
using System.Diagnostics;
using System.IO.Hashing;
using WhatsAspire.Backplane.Activity;
using WhatsAspire.Backplane.EdgeTransport;
using WhatsAspire.Contracts;
using WhatsAspire.MessageApi.Conversations;
using WhatsAspire.MessageApi.Fanout;
using WhatsAspire.MessageApi.Receipts;
using WhatsAspire.MessageApi.Storage;

namespace WhatsAspire.MessageApi.Messages;

/// <summary>A text that somebody wants to send. It has passed <see cref="MessageRules"/>.</summary>
/// <param name="Sender">Who.</param>
/// <param name="ClientMessageId">His own id, which makes retries one message.</param>
/// <param name="To">Either the recipient…</param>
/// <param name="Conversation">…or the conversation.</param>
/// <param name="Text">UTF-8.</param>
/// <param name="ReplyTo">A message of the same conversation.</param>
/// <param name="TraceParent">W3C traceparent, or null.</param>
/// <param name="Connection">The client's connection to an edge, if it was sent over one.</param>
internal sealed record SendCommand(
    UserId Sender, string ClientMessageId, UserId? To, ConversationId? Conversation, ReadOnlyMemory<byte> Text,
    MessageId? ReplyTo, string? TraceParent, ConnectionId? Connection = null);

/// <param name="Append">What the store did: appended or found.</param>
/// <param name="Kind">Of the conversation.</param>
/// <param name="Recipients">The other members.</param>
/// <param name="IsFannedOut">The queue has it for all devices but the sending connection; nobody else delivers it.</param>
internal sealed record SendOutcome(
    AppendOutcome Append, ConversationKind Kind, IReadOnlyList<UserId> Recipients, bool IsFannedOut = false);

/// <summary>Appends what is sent, in the order in which it came, conversation by conversation: while one append of a
/// conversation is under way the sends that come for it collect, and go into the next one together.</summary>
internal sealed class SendQueue(
    IMessageStore store, ConversationAccess access, GroupFanout fanout, GroupReceipts receipts, ActivityMarks marks,
    MessageIdGenerator ids, TimeProvider time,
    ApiMetrics metrics, ILogger<SendQueue> logger)
{
    private const int Batch = 64;
    private readonly ConcurrentDictionary<ConversationId, Lane> _lanes = new();

    /// <summary>Sends. The order of the calls is the order in the log.</summary>
    public Task<Outcome<SendOutcome>> SendAsync(SendCommand command)
    {
        var done = new TaskCompletionSource<Outcome<SendOutcome>>(TaskCreationOptions.RunContinuationsAsynchronously);
        Send(command, done.SetResult);
        return done.Task;
    }

    /// <summary>Sends. The order of the calls is the order in the log.</summary>
    /// <param name="command">What.</param>
    /// <param name="done">Is called once; for the sends of one conversation in the order of their seqs. Must not
    /// block, and must not throw.</param>
    public void Send(SendCommand command, Action<Outcome<SendOutcome>> done)
    {
        var conversation = command.To is { } to ? ConversationId.Direct(command.Sender, to) : command.Conversation.GetValueOrDefault();
        var waiting = new Waiting(command, time.GetTimestamp(), done);
        while (!_lanes.GetOrAdd(conversation, static (id, queue) => new(queue, id), this).TryAdd(waiting))
        {
            // The lane has just run empty and is being removed; the next round makes a new one.
        }
    }

    private sealed record Waiting(SendCommand Command, long Since, Action<Outcome<SendOutcome>> Done)
    {
        private bool _answered;

        public void Answer(Outcome<SendOutcome> outcome)
        {
            if (_answered) return;
            _answered = true;
            Done(outcome);
        }
    }

    /// <summary>One conversation's sends. It lives while there are any.</summary>
    private sealed class Lane(SendQueue queue, ConversationId conversation)
    {
        private readonly Lock _gate = new();
        private readonly Queue<Waiting> _waiting = new();
        private bool _running;
        private bool _retired;

        public bool TryAdd(Waiting waiting)
        {
            lock (_gate)
            {
                if (_retired) return false;
                _waiting.Enqueue(waiting);
                if (_running) return true;
                _running = true;
            }

            _ = RunAsync();
            return true;
        }

        private async Task RunAsync()
        {
            var batch = new List<Waiting>();
            while (true)
            {
                lock (_gate)
                {
                    while (batch.Count < Batch && _waiting.TryDequeue(out var waiting)) batch.Add(waiting);
                    if (batch.Count == 0)
                    {
                        _retired = true;
                        queue._lanes.TryRemove(conversation, out _);
                        return;
                    }
                }

                await queue.AppendAsync(batch);
                batch.Clear();
            }
        }
    }

    /// <summary>Never throws: every waiting send gets an answer.</summary>
    private async Task AppendAsync(List<Waiting> batch)
    {
        var allowed = new List<Waiting>(batch.Count);
        var entries = new List<NewEntry>(batch.Count);
        ConversationNow? place = null;
        try
        {
            foreach (var waiting in batch)
            {
                var checkedPlace = await CheckAsync(waiting.Command);
                if (checkedPlace.Error is { } error)
                {
                    await RefuseAsync(waiting, error);
                    continue;
                }

                place = checkedPlace.Value;
                allowed.Add(waiting);
                entries.Add(ToEntry(waiting.Command, place.Shape.Id));
            }

            if (place is null) return;
            // Without a traced send there is no span: this runs for many, in nobody's context.
            var parent = allowed.Find(w => w.Command.TraceParent is not null)?.Command.TraceParent;
            using var activity = parent is null ? null : ApiTelemetry.Source.StartActivity("append", ActivityKind.Server, parent);
            var outcomes = await store.AppendAsync(place.Shape, entries, CancellationToken.None);
            var isFannedOut = await FanOutAsync(place, allowed, outcomes);
            for (var i = 0; i < outcomes.Count; i++) Answer(allowed[i], place, outcomes[i], isFannedOut);
            await TellRiseAsync(place, outcomes);
        }
        catch (Exception e)
        {
            // Whether it was stored is not known; the retry will tell.
            logger.AppendFailed(batch.Count, e);
            foreach (var waiting in batch)
                waiting.Answer(Error.Unavailable("the message could not be stored; send it again, it will be stored once"));
        }
    }

    /// <summary>Those whose messages the slowest has passed by writing are told, once for all that was written together.</summary>
    private async ValueTask TellRiseAsync(ConversationNow place, IReadOnlyList<AppendOutcome> outcomes)
    {
        LowestRise? all = null;
        var at = default(DateTimeOffset);
        foreach (var outcome in outcomes)
        {
            if (outcome.Lowest is not { } rise) continue;
            all = all is null ? rise : rise with { DeliveredBefore = all.DeliveredBefore, ReadBefore = all.ReadBefore };
            at = outcome.Entry.CreatedAt;
        }

        if (all is not null) await receipts.RoseAsync(place.Shape.Id, all, at, place.Members);
    }

    /// <summary>Nobody has been answered yet: what the queue takes here is with it when its sender hears <c>sent</c>.</summary>
    private ValueTask<bool> FanOutAsync(ConversationNow place, List<Waiting> allowed, IReadOnlyList<AppendOutcome> outcomes)
    {
        if (place.Shape.Kind != ConversationKind.Group) return new(false);
        var entries = new List<FanoutEntry>(outcomes.Count);
        for (var i = 0; i < outcomes.Count; i++)
            if (outcomes[i].Status != AppendStatus.Conflict)
                entries.Add(new(outcomes[i].Entry, allowed[i].Command.Connection, allowed[i].Command.TraceParent));
        return fanout.TryPublishAsync(place.Shape, place.Members.Count, entries);
    }

    /// <summary>Answers a send that is not allowed now. If it was allowed once and is only repeated, the first answer
    /// holds: its sender must not believe that a stored message was refused. In a group he may have been removed since, or only
    /// admins may send by now.</summary>
    private async Task RefuseAsync(Waiting waiting, Error error)
    {
        var command = waiting.Command;
        var conversation = command.To is { } to ? ConversationId.Direct(command.Sender, to) : command.Conversation.GetValueOrDefault();
        if (error.Code == ErrorCode.Blocked || !conversation.IsDirect)
        {
            var hash = Hash(conversation, EntryKind.Text, command.Text.Span, command.ReplyTo);
            var sent = await store.FindSentAsync(command.Sender, command.ClientMessageId, hash, CancellationToken.None);
            if (sent is { Status: AppendStatus.Duplicate })
            {
                Answer(waiting, await access.FindAsSentAsync(conversation, command.Sender, CancellationToken.None), sent);
                return;
            }
        }

        waiting.Answer(error);
    }

    private async ValueTask<Outcome<ConversationNow>> CheckAsync(SendCommand command)
    {
        var place = await access.MayWriteAsync(command.Sender, command.To, command.Conversation, CancellationToken.None);
        if (!place.IsOk || command.ReplyTo is not { } reply) return place;
        var target = await store.FindAsync(reply, CancellationToken.None);
        return target is { Kind: EntryKind.Text } && target.Conversation == place.Value.Shape.Id && await SeesAsync(command.Sender, target)
            ? place
            : Error.Invalid("'reply_to' must be a message of the same conversation");
    }

    // Who came into a group later, and may not read what was said before, must not find it out.
    private async ValueTask<bool> SeesAsync(UserId user, LogEntry entry) =>
        entry.Conversation.IsDirect
        || (await store.GetMemberAsync(entry.Conversation, user, CancellationToken.None))?.Sees(entry.Seq) == true;

    private NewEntry ToEntry(SendCommand command, ConversationId conversation) => new()
    {
        Id = ids.Next(),
        Sender = command.Sender,
        ClientMessageId = command.ClientMessageId,
        Kind = EntryKind.Text,
        Text = command.Text,
        ReplyTo = command.ReplyTo,
        CreatedAt = time.GetUtcNow(),
        ContentHash = Hash(conversation, EntryKind.Text, command.Text.Span, command.ReplyTo),
    };

    /// <summary>Everything that the sender chose.</summary>
    public static ulong Hash(ConversationId conversation, EntryKind kind, ReadOnlySpan<byte> text, MessageId? about)
    {
        Span<byte> head = stackalloc byte[33];
        conversation.Value.TryWriteBytes(head, bigEndian: true, out _);
        about.GetValueOrDefault().Value.TryWriteBytes(head[16..], bigEndian: true, out _);
        head[32] = (byte)kind;
        return XxHash3.HashToUInt64(text, (long)XxHash3.HashToUInt64(head));
    }

    /// <summary>Counts an entry, and the receipt that comes with it, for the activity check of all members' edges.</summary>
    public void Count(ConversationNow place, AppendOutcome outcome)
    {
        // In a group nobody gets a receipt for one reader.
        var reads = place.Group is null && LiveMessages.ReadsOthers(outcome.SenderReadBefore, outcome.Entry.Seq);
        foreach (var member in place.Members)
        {
            marks.Add(member);
            if (reads && member != outcome.Entry.Sender) marks.Add(member);
        }
    }

    private void Answer(Waiting waiting, ConversationNow place, AppendOutcome outcome, bool isFannedOut = false)
    {
        if (outcome.Status == AppendStatus.Conflict)
        {
            waiting.Answer(new Error(ErrorCode.Conflict,
                "this client_message_id was used for another message; a new message needs a new one"));
            return;
        }

        // Counted for a repeated send too: it is delivered again, since its first delivery may never have happened.
        // What goes over the queue is not: the queue itself loses nothing.
        if (!isFannedOut) Count(place, outcome);
        metrics.Appended(outcome.Status, time.GetElapsedTime(waiting.Since));
        waiting.Answer(new SendOutcome(
            outcome, place.Shape.Kind, isFannedOut ? [] : place.Others(waiting.Command.Sender), isFannedOut));
    }
}
