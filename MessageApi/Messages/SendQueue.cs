using System.Collections.Concurrent;
using System.Diagnostics;
using System.IO.Hashing;
using WhatsAspire.Backplane.Activity;
using WhatsAspire.Backplane.EdgeTransport;
using WhatsAspire.Contracts;
using WhatsAspire.MessageApi.Conversations;
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
internal sealed record SendCommand(
    UserId Sender, string ClientMessageId, UserId? To, ConversationId? Conversation, ReadOnlyMemory<byte> Text,
    MessageId? ReplyTo, string? TraceParent);

/// <param name="Append">What the store did: appended or found.</param>
/// <param name="Recipients">The other members.</param>
internal sealed record SendOutcome(AppendOutcome Append, IReadOnlyList<UserId> Recipients);

/// <summary>Appends what is sent, in the order in which it came, conversation by conversation: while one append of a
/// conversation is under way the sends that come for it collect, and go into the next one together.</summary>
internal sealed class SendQueue(
    IMessageStore store, ConversationAccess access, ActivityMarks marks, MessageIdGenerator ids, TimeProvider time,
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
        ConversationShape? shape = null;
        try
        {
            foreach (var waiting in batch)
            {
                var checkedShape = await CheckAsync(waiting.Command);
                if (checkedShape.Error is { } error)
                {
                    await RefuseAsync(waiting, error);
                    continue;
                }

                shape = checkedShape.Value;
                allowed.Add(waiting);
                entries.Add(ToEntry(waiting.Command, shape.Id));
            }

            if (shape is null) return;
            // Without a traced send there is no span: this runs for many, in nobody's context.
            var parent = allowed.Find(w => w.Command.TraceParent is not null)?.Command.TraceParent;
            using var activity = parent is null ? null : ApiTelemetry.Source.StartActivity("append", ActivityKind.Server, parent);
            var outcomes = await store.AppendAsync(shape, entries, CancellationToken.None);
            for (var i = 0; i < outcomes.Count; i++) Answer(allowed[i], shape, outcomes[i]);
        }
        catch (Exception e)
        {
            // Whether it was stored is not known; the retry will tell.
            logger.AppendFailed(batch.Count, e);
            foreach (var waiting in batch)
                waiting.Answer(Error.Unavailable("the message could not be stored; send it again, it will be stored once"));
        }
    }

    /// <summary>Answers a send that is not allowed now. If it was allowed once and is only repeated, the first answer
    /// holds: its sender must not believe that a stored message was refused.</summary>
    private async Task RefuseAsync(Waiting waiting, Error error)
    {
        var command = waiting.Command;
        if (error.Code == ErrorCode.Blocked)
        {
            var conversation = command.To is { } to ? ConversationId.Direct(command.Sender, to) : command.Conversation.GetValueOrDefault();
            var hash = Hash(conversation, EntryKind.Text, command.Text.Span, command.ReplyTo);
            var sent = await store.FindSentAsync(command.Sender, command.ClientMessageId, hash, CancellationToken.None);
            if (sent is { Status: AppendStatus.Duplicate }
                && await access.FindAsync(conversation, command.Sender, CancellationToken.None) is { } shape)
            {
                Answer(waiting, shape, sent);
                return;
            }
        }

        waiting.Answer(error);
    }

    private async ValueTask<Outcome<ConversationShape>> CheckAsync(SendCommand command)
    {
        var shape = await access.MayWriteAsync(command.Sender, command.To, command.Conversation, CancellationToken.None);
        if (!shape.IsOk || command.ReplyTo is not { } reply) return shape;
        var target = await store.FindAsync(reply, CancellationToken.None);
        return target is { Kind: EntryKind.Text } && target.Conversation == shape.Value.Id
            ? shape
            : Error.Invalid("'reply_to' must be a message of the same conversation");
    }

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
    public void Count(ConversationShape shape, AppendOutcome outcome)
    {
        var reads = LiveMessages.ReadsOthers(outcome.SenderReadBefore, outcome.Entry.Seq);
        foreach (var member in shape.Members)
        {
            marks.Add(member);
            if (reads && member != outcome.Entry.Sender) marks.Add(member);
        }
    }

    private void Answer(Waiting waiting, ConversationShape shape, AppendOutcome outcome)
    {
        if (outcome.Status == AppendStatus.Conflict)
        {
            waiting.Answer(new Error(ErrorCode.Conflict,
                "this client_message_id was used for another message; a new message needs a new one"));
            return;
        }

        // Counted for a repeated send too: it is delivered again, since its first delivery may never have happened.
        Count(shape, outcome);
        metrics.Appended(outcome.Status, time.GetElapsedTime(waiting.Since));
        var sender = waiting.Command.Sender;
        waiting.Answer(new SendOutcome(outcome, [.. shape.Members.Where(m => m != sender)]));
    }
}
