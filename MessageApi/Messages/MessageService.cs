using WhatsAspire.Backplane.EdgeTransport;
using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Messaging.V1;
using WhatsAspire.MessageApi.Conversations;
using WhatsAspire.MessageApi.Fanout;
using WhatsAspire.MessageApi.Groups;
using WhatsAspire.MessageApi.Receipts;
using WhatsAspire.MessageApi.Storage;
using EntryKind = WhatsAspire.MessageApi.Storage.EntryKind;

namespace WhatsAspire.MessageApi.Messages;

/// <summary>Single messages: to send, look at, and delete.</summary>
internal sealed class MessageService(
    IMessageStore store, ConversationAccess access, Summaries summaries, SendQueue queue, GroupFanout fanout, GroupReceipts groupReceipts,
    LiveEvents live, MessageIdGenerator ids, TimeProvider time)
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

    /// <summary>The times of everybody for whom a message is, if the user may see it: in the order of their ids, in a group with
    /// those who have got it and left since.</summary>
    public async Task<Outcome<(LogEntry Entry, IReadOnlyList<MemberReceipt> Recipients)>> GetStatusAsync(
        UserId user, MessageId id, CancellationToken cancellationToken)
    {
        var found = await FindAsync(user, id, cancellationToken);
        if (!found.IsOk) return found.Error!;
        var entry = found.Value;
        return (entry, await store.GetReceiptsAsync(entry.Conversation, entry.Seq, cancellationToken));
    }

    /// <summary>Deletes a message of one's own, or as an admin any of the group's, for everyone: its content is gone from the log,
    /// and a <c>delete</c> entry tells all devices. Repeating it changes nothing. Who has left the group can't.</summary>
    public async Task<Error?> DeleteForEveryoneAsync(UserId user, MessageId id, CancellationToken cancellationToken)
    {
        var found = await FindAsync(user, id, cancellationToken);
        if (found.Error is { } error) return error;
        var target = found.Value;
        if (await access.FindAsync(target.Conversation, user, cancellationToken) is not { } place)
            return new(ErrorCode.Forbidden, "only who is in a group can delete a message for everyone");
        if (target.Sender != user && place.Group?.Roles[user] != GroupRole.Admin)
            return new(ErrorCode.Forbidden, place.Group is null
                ? "only its sender can delete a message for everyone" : "only its sender, or an admin of the group, can delete a message for everyone");
        if (target.Kind != EntryKind.Text) return Error.Invalid("only messages that a person wrote can be deleted");
        // By another: the same deletion again is another entry only by him.
        if (target.Deleted && target.Sender != user) return null;
        var outcome = (await store.AppendAsync(place.Shape, [new NewEntry
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
            var isFannedOut = await fanout.TryPublishAsync(place.Shape, place.Members.Count, [new(outcome.Entry, null, null)]);
            if (!isFannedOut) queue.Count(place, outcome);
            var sent = new SendOutcome(outcome, place.Shape.Kind, isFannedOut ? [] : place.Others(user), isFannedOut).ToWire();
            LiveMessages.Route(live, user, sent, default, null, null);
            if (outcome.Lowest is { } rise)
                await groupReceipts.RoseAsync(place.Shape.Id, rise, outcome.Entry.CreatedAt, place.Members);
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
            Frame = Contracts.Frames.FrameWriter.Conversation(await summaries.ToWireAsync(view, user, cancellationToken), null),
            Conversation = conversation,
        });
    }

    /// <summary>The entry, if the user may see it (<see cref="MemberState.Sees"/>) and has not cleared it away.</summary>
    public async Task<Outcome<LogEntry>> FindAsync(UserId user, MessageId id, CancellationToken cancellationToken)
    {
        if (await store.FindAsync(id, cancellationToken) is { } entry
            && await store.GetMemberAsync(entry.Conversation, user, cancellationToken) is { } member
            && member.Sees(entry.Seq) && entry.Seq > member.ClearedSeq)
            return entry;
        return Error.NotFound("message");
    }
}
