using Microsoft.AspNetCore.Http.HttpResults;
using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Frames;
using WhatsAspire.MessageApi.Receipts;
using WhatsAspire.MessageApi.Storage;
using WhatsAspire.MessageApi.Users;
using WhatsAspire.ServiceDefaults;

namespace WhatsAspire.MessageApi.Messages;

/// <summary>Single messages over REST: the fallback that means the same as the socket.</summary>
internal static class MessageEndpoints
{
    public static void MapMessages(this IEndpointRouteBuilder routes)
    {
        var group = routes.MapGroup("/messages").RequireAuthorization().WithTags("Messages").WithBodyLimit(Limits.FrameBytes);
        group.MapPost("", SendAsync).WithSummary("Sends a text; 200 when it had been sent before.");
        group.MapGet("/{message_id}", GetAsync).WithSummary("A message.");
        group.MapDelete("/{message_id}", DeleteAsync).WithSummary("Deletes a message, for everyone or for the caller alone.");
        group.MapGet("/{message_id}/status", GetStatusAsync).WithSummary("Who got a message and who read it, and when.");
        group.MapPost("/{message_id}/status", SetStatusAsync).WithSummary("Marks everything up to a message delivered or read.");
    }

    private static async Task<Results<Created<SentFrame>, Ok<SentFrame>, ProblemResult>> SendAsync(
        SendRequest request, AccessIdentity caller, MessageService messages, CancellationToken cancellationToken)
    {
        var command = ToCommand(request, caller.User);
        if (!command.IsOk) return Problems.Problem(command.Error!);
        var outcome = await messages.SendAndDeliverAsync(command.Value).WaitAsync(cancellationToken);
        if (!outcome.IsOk) return Problems.Problem(outcome.Error!);
        var entry = outcome.Value.Append.Entry;
        var sent = new SentFrame
        {
            Type = null,
            ClientMessageId = entry.ClientMessageId,
            ConversationId = entry.Conversation,
            MessageId = entry.Id,
            Seq = entry.Seq,
            CreatedAt = entry.CreatedAt,
            Duplicate = outcome.Value.Append.Status == AppendStatus.Duplicate,
        };
        return sent.Duplicate ? TypedResults.Ok(sent) : TypedResults.Created($"/messages/{entry.Id}", sent);
    }

    private static Outcome<SendCommand> ToCommand(SendRequest request, UserId sender)
    {
        Guid to = default, conversation = default, reply = default;
        var refusal = (request.To is not null ? Check.Id("to.user_id", request.To.UserId, out to) : null)
            ?? (request.ConversationId is not null ? Check.Id("conversation_id", request.ConversationId, out conversation) : null)
            ?? (request.ReplyTo is not null ? Check.Id("reply_to", request.ReplyTo, out reply) : null);
        if (refusal is not null) return refusal;
        if (WireMapping.ToUtf8(request.Text ?? "") is not { } text)
            return Error.Invalid("'text' holds half of a surrogate pair; it must be whole Unicode characters");
        UserId? toUser = request.To is null ? null : new(to);
        ConversationId? inConversation = request.ConversationId is null ? null : new(conversation);
        return MessageRules.Check(request.ClientMessageId, text, toUser, inConversation) is { } broken
            ? broken
            : new SendCommand(sender, request.ClientMessageId!, toUser, inConversation, text,
                request.ReplyTo is null ? null : new MessageId(reply), System.Diagnostics.Activity.Current?.Id);
    }

    private static async Task<Results<Ok<MessageFrame>, ProblemResult>> GetAsync(
        string message_id, AccessIdentity caller, MessageService messages, CancellationToken cancellationToken)
    {
        if (Check.Id("message_id", message_id, out var id) is { } refusal) return Problems.Problem(refusal);
        var entry = await messages.GetAsync(caller.User, new(id), cancellationToken);
        return entry.IsOk ? TypedResults.Ok(FrameWriter.ToFrame(entry.Value) with { Type = null }) : Problems.Problem(entry.Error!);
    }

    private static async Task<Results<NoContent, ProblemResult>> DeleteAsync(
        string message_id, string? @for, AccessIdentity caller, MessageService messages, CancellationToken cancellationToken)
    {
        if (Check.Id("message_id", message_id, out var id) is { } refusal) return Problems.Problem(refusal);
        var error = @for switch
        {
            "everyone" => await messages.DeleteForEveryoneAsync(caller.User, new(id), cancellationToken),
            "me" => await messages.DeleteForMeAsync(caller.User, new(id), cancellationToken),
            _ => Error.Invalid("'for' must be 'everyone' or 'me'"),
        };
        return error is null ? TypedResults.NoContent() : Problems.Problem(error);
    }

    private static async Task<Results<Ok<MessageStatusResponse>, ProblemResult>> GetStatusAsync(
        string message_id, AccessIdentity caller, MessageService messages, CancellationToken cancellationToken)
    {
        if (Check.Id("message_id", message_id, out var id) is { } refusal) return Problems.Problem(refusal);
        var found = await messages.GetStatusAsync(caller.User, new(id), cancellationToken);
        if (!found.IsOk) return Problems.Problem(found.Error!);
        var recipients = found.Value.Recipients;
        // Who has left is waited for no longer.
        var status = recipients.All(r => !r.IsMember || r.Times.ReadAt is not null) ? "read"
            : recipients.All(r => !r.IsMember || r.Times.DeliveredAt is not null) ? "delivered" : "sent";
        return TypedResults.Ok(new MessageStatusResponse(
            status, [.. recipients.Select(r => new RecipientResponse(r.User, r.Times.DeliveredAt, r.Times.ReadAt))]));
    }

    private static async Task<Results<Ok<StatusResponse>, ProblemResult>> SetStatusAsync(
        string message_id, StatusRequest request, AccessIdentity caller, MessageService messages, ReceiptDelivery receipts,
        CancellationToken cancellationToken)
    {
        if (Check.Id("message_id", message_id, out var id) is { } refusal) return Problems.Problem(refusal);
        if (request.Status is not ("delivered" or "read")) return Problems.Problem(Error.Invalid("'status' must be 'delivered' or 'read'"));
        var found = await messages.FindAsync(caller.User, new(id), cancellationToken);
        if (!found.IsOk) return Problems.Problem(found.Error!);
        var entry = found.Value;
        var advanced = await receipts.AdvanceAsync(
            caller.User, new(entry.Conversation, entry.Seq, request.Status == "read" ? entry.Seq : 0), cancellationToken);
        return advanced.IsOk
            ? TypedResults.Ok(new StatusResponse(entry.Conversation, entry.Seq, advanced.Value.ReadSeq >= entry.Seq ? "read" : "delivered"))
            : Problems.Problem(advanced.Error!);
    }
}
