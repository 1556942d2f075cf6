using WhatsAspire.Backplane.EdgeTransport;
using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Messaging.V1;
using WhatsAspire.MessageApi.Conversations;
using WhatsAspire.MessageApi.Storage;
using EntryKind = WhatsAspire.MessageApi.Storage.EntryKind;

namespace WhatsAspire.MessageApi.Messages;

/// <summary>Who got a message, and when. Null times: not yet.</summary>
internal sealed record RecipientStatus(UserId UserId, DateTimeOffset? DeliveredAt, DateTimeOffset? ReadAt);

/// <summary>Single messages: to send, look at, and delete.</summary>
internal sealed class MessageService(
    IMessageStore store, ConversationAccess access, SendQueue queue, LiveEvents live, MessageIdGenerator ids, TimeProvider time)
{
    /// <summary>Sends, and delivers live: the form for callers that are no edge.</summary>
    public async Task<Outcome<SendOutcome>> SendAndDeliverAsync(SendCommand command)
    {
        var outcome = await queue.SendAsync(command);
        if (outcome.IsOk)
        {
            var sent = outcome.Value.ToWire();
            LiveMessages.Route(live, command.Sender, sent, sent.Duplicate ? sent.Entry.Text.Span : command.Text.Span, null, command.TraceParent);
        }

        return outcome;
    }

    /// <summary>A message as the user sees it.</summary>
    public async Task<Outcome<Entry>> GetAsync(UserId user, MessageId id, CancellationToken cancellationToken)
    {
        var found = await FindAsync(user, id, cancellationToken);
        if (!found.IsOk) return found.Error!;
        var entry = found.Value;
        var hidden = await store.ReadHiddenAsync(entry.Conversation, user, entry.Seq - 1, entry.Seq + 1, cancellationToken);
        return entry.ToWire(hidden: hidden.Count > 0);
    }

    /// <summary>Each other member's times, for a message that the user may see.</summary>
    public async Task<Outcome<(LogEntry Entry, IReadOnlyList<RecipientStatus> Recipients)>> GetStatusAsync(
        UserId user, MessageId id, CancellationToken cancellationToken)
    {
        var found = await FindAsync(user, id, cancellationToken);
        if (!found.IsOk) return found.Error!;
        var entry = found.Value;
        var shape = await access.FindAsync(entry.Conversation, user, cancellationToken);
        var recipients = new List<RecipientStatus>();
        foreach (var member in shape!.Members)
        {
            if (member == entry.Sender) continue;
            var times = await store.GetReceiptTimesAsync(entry.Conversation, member, entry.Seq, cancellationToken);
            recipients.Add(new(member, times.DeliveredAt, times.ReadAt));
        }

        return (entry, recipients);
    }

    /// <summary>Deletes a message of one's own for everyone: its content is gone from the log, and a <c>delete</c>
    /// entry tells all devices. Repeating it changes nothing.</summary>
    public async Task<Error?> DeleteForEveryoneAsync(UserId user, MessageId id, CancellationToken cancellationToken)
    {
        var found = await FindAsync(user, id, cancellationToken);
        if (found.Error is { } error) return error;
        var target = found.Value;
        if (target.Sender != user) return new(ErrorCode.Forbidden, "only its sender can delete a message for everyone");
        if (target.Kind != EntryKind.Text) return Error.Invalid("only messages that a person wrote can be deleted");
        var shape = await access.FindAsync(target.Conversation, user, cancellationToken);
        var outcome = (await store.AppendAsync(shape!, [new NewEntry
        {
            Id = ids.Next(),
            Sender = user,
            // One deletion for each message, however often it is asked for.
            ClientMessageId = $"delete:{id}",
            Kind = EntryKind.Delete,
            Target = id,
            TargetSeq = target.Seq,
            CreatedAt = time.GetUtcNow(),
            ContentHash = SendQueue.Hash(target.Conversation, EntryKind.Delete, default, id),
        }], CancellationToken.None))[0];
        if (outcome.Status == AppendStatus.Conflict)
            return new(ErrorCode.Conflict, $"'delete:{id}' was used as the client_message_id of another message");
        if (outcome.Status == AppendStatus.Appended)
        {
            queue.Count(shape!, outcome);
            var sent = new SendOutcome(outcome, [.. shape!.Members.Where(m => m != user)]).ToWire();
            LiveMessages.Route(live, user, sent, default, null, null);
        }

        return null;
    }

    /// <summary>Deletes a message for this user alone.</summary>
    public async Task<Error?> DeleteForMeAsync(UserId user, MessageId id, CancellationToken cancellationToken)
    {
        var found = await FindAsync(user, id, cancellationToken);
        if (found.Error is { } error) return error;
        await store.HideAsync(found.Value.Conversation, user, [found.Value.Seq], time.GetUtcNow(), cancellationToken);
        await TellOwnDevicesAsync(user, found.Value.Conversation, cancellationToken);
        return null;
    }

    /// <summary>A conversation changed for this user alone: his devices get its summary.</summary>
    public async Task TellOwnDevicesAsync(UserId user, ConversationId conversation, CancellationToken cancellationToken)
    {
        if (await store.GetViewAsync(conversation, user, cancellationToken) is not { } view) return;
        live.TryRoute(new()
        {
            Users = [user],
            Kind = Contracts.Edge.V1.DeliveryKind.Conversation,
            Frame = Contracts.Frames.FrameWriter.Conversation(view.ToWire(user), null),
            Conversation = conversation,
        });
    }

    /// <summary>The entry, if the user may see it: a member, and it was not cleared away by him.</summary>
    public async Task<Outcome<LogEntry>> FindAsync(UserId user, MessageId id, CancellationToken cancellationToken)
    {
        if (await store.FindAsync(id, cancellationToken) is { } entry
            && await store.GetMemberAsync(entry.Conversation, user, cancellationToken) is { } member
            && entry.Seq > Math.Max(member.JoinSeq, member.ClearedSeq))
            return entry;
        return Error.NotFound("message");
    }
}
