using System.Globalization;
using Microsoft.AspNetCore.Http.HttpResults;
using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Frames;
using WhatsAspire.MessageApi.Messages;
using WhatsAspire.MessageApi.Receipts;
using WhatsAspire.MessageApi.Storage;
using WhatsAspire.MessageApi.Users;
using WhatsAspire.ServiceDefaults;

namespace WhatsAspire.MessageApi.Conversations;

/// <summary>The conversation list, history, and what a user does to a whole conversation.</summary>
internal static class ConversationEndpoints
{
    private const int DefaultPage = 50;

    public static void MapConversations(this IEndpointRouteBuilder routes)
    {
        var group = routes.MapGroup("/conversations").RequireAuthorization().WithTags("Conversations").WithBodyLimit(Limits.FrameBytes);
        group.MapGet("", ListAsync).WithSummary("The caller's conversations, newest first.");
        group.MapGet("/{conversation_id}/messages", GetMessagesAsync).WithSummary("History, newest first.");
        group.MapDelete("/{conversation_id}/messages", ClearAsync).WithSummary("Clears the chat for the caller alone.");
        group.MapPatch("/{conversation_id}", SetAsync).WithSummary("Mutes, archives or pins a conversation for the caller alone.");
        group.MapPost("/{conversation_id}/read", ReadAsync).WithSummary("Marks everything up to a seq read.");
    }

    private static async Task<Results<Ok<ConversationsResponse>, ProblemResult>> ListAsync(
        string? cursor, string? limit, AccessIdentity caller, ConversationService conversations, CancellationToken cancellationToken)
    {
        if (!TryLimit(limit, Limits.ConversationPage, out var count)) return Problems.Problem(LimitRefusal(Limits.ConversationPage));
        (long, ConversationId)? after = null;
        if (cursor is not null)
        {
            var dot = cursor.IndexOf('.', StringComparison.Ordinal);
            if (dot < 0 || !TryNumber(cursor[..dot], out var at) || !Guid.TryParseExact(cursor[(dot + 1)..], "N", out var id))
                return Problems.Problem(CursorRefusal());
            after = (at, new(id));
        }

        var page = await conversations.ListAsync(caller.User, after, count, cancellationToken);
        var next = page.Next is { } place
            ? string.Create(CultureInfo.InvariantCulture, $"{place.LastMessageAtMs}.{place.Id.Value:N}") : null;
        return TypedResults.Ok(new ConversationsResponse([.. page.Summaries.Select(s => FrameWriter.ToFrame(s) with { Type = null })], next));
    }

    private static async Task<Results<Ok<MessagesResponse>, ProblemResult>> GetMessagesAsync(
        string conversation_id, string? before, string? after, string? cursor, string? limit,
        AccessIdentity caller, ConversationService conversations, CancellationToken cancellationToken)
    {
        if (Check.Id("conversation_id", conversation_id, out var id) is { } refusal) return Problems.Problem(refusal);
        if (!TryLimit(limit, Limits.HistoryPage, out var count)) return Problems.Problem(LimitRefusal(Limits.HistoryPage));
        long beforeSeq = long.MaxValue, afterSeq = 0;
        if (before is not null && (!TryNumber(before, out beforeSeq) || beforeSeq < 1))
            return Problems.Problem(Error.Invalid("'before' must be a seq of at least 1"));
        if (after is not null && !TryNumber(after, out afterSeq))
            return Problems.Problem(Error.Invalid("'after' must be a seq of at least 0"));
        if (cursor is not null)
        {
            if (before is not null || after is not null)
                return Problems.Problem(Error.Invalid("'cursor' stands without 'before' and 'after': it continues their range"));
            var dot = cursor.IndexOf('.', StringComparison.Ordinal);
            if (dot < 0 || !TryNumber(cursor[..dot], out beforeSeq) || !TryNumber(cursor[(dot + 1)..], out afterSeq))
                return Problems.Problem(CursorRefusal());
        }

        var page = await conversations.GetHistoryAsync(new(id), caller.User, afterSeq, beforeSeq, count, cancellationToken);
        if (!page.IsOk) return Problems.Problem(page.Error!);
        var next = page.Value.NextBefore is { } nextBefore
            ? string.Create(CultureInfo.InvariantCulture, $"{nextBefore}.{afterSeq}") : null;
        return TypedResults.Ok(new MessagesResponse([.. page.Value.Entries.Select(e => FrameWriter.ToFrame(e) with { Type = null })], next));
    }

    private static async Task<Results<NoContent, ProblemResult>> ClearAsync(
        string conversation_id, string? up_to, AccessIdentity caller, ConversationService conversations, MessageService messages,
        CancellationToken cancellationToken)
    {
        if (Check.Id("conversation_id", conversation_id, out var id) is { } refusal) return Problems.Problem(refusal);
        long upTo = 0;
        if (up_to is not null && !TryNumber(up_to, out upTo)) return Problems.Problem(Error.Invalid("'up_to' must be a seq of at least 0"));
        if (await conversations.ClearAsync(new(id), caller.User, up_to is null ? null : upTo, cancellationToken) is { } error)
            return Problems.Problem(error);
        await messages.TellOwnDevicesAsync(caller.User, new(id), cancellationToken);
        return TypedResults.NoContent();
    }

    private static async Task<Results<Ok<ConversationFrame>, ProblemResult>> SetAsync(
        string conversation_id, ConversationSettingsRequest request, AccessIdentity caller, ConversationService conversations,
        MessageService messages, CancellationToken cancellationToken)
    {
        if (Check.Id("conversation_id", conversation_id, out var id) is { } refusal) return Problems.Problem(refusal);
        var until = default(DateTimeOffset);
        if (request.MutedUntil is not null && !TryTime(request.MutedUntil, out until))
            return Problems.Problem(Error.Invalid("'muted_until' must be a time such as 2026-11-24T10:15:30.123Z; one that has passed ends the muting"));
        MemberSettings settings = new(request.MutedUntil is null ? null : until, request.Archived, request.Pinned);
        if (settings == new MemberSettings()) return Problems.Problem(Error.Invalid("one of 'muted_until', 'archived' and 'pinned' must be there"));
        if (await conversations.SetAsync(new(id), caller.User, settings, cancellationToken) is not { } summary)
            return Problems.Problem(Error.NotFound("conversation"));
        await messages.TellOwnDevicesAsync(caller.User, new(id), cancellationToken);
        return TypedResults.Ok(FrameWriter.ToFrame(summary) with { Type = null });
    }

    private static async Task<Results<Ok<ReadResponse>, ProblemResult>> ReadAsync(
        string conversation_id, ReadRequest request, AccessIdentity caller, ReceiptDelivery receipts, CancellationToken cancellationToken)
    {
        if (Check.Id("conversation_id", conversation_id, out var id) is { } refusal) return Problems.Problem(refusal);
        if (request.Seq is not >= 0) return Problems.Problem(Error.Invalid("'seq' must be a number of at least 0"));
        var advanced = await receipts.AdvanceAsync(caller.User, new(new(id), 0, request.Seq.Value), cancellationToken);
        return advanced.IsOk
            ? TypedResults.Ok(new ReadResponse(advanced.Value.ReadSeq, advanced.Value.Summary.UnreadCount))
            : Problems.Problem(advanced.Error!);
    }

    private static bool TryLimit(string? text, int most, out int limit)
    {
        limit = DefaultPage;
        return text is null
            || (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out limit) && limit >= 1 && limit <= most);
    }

    // To the millisecond, as it is kept; what is before this epoch has passed as well as the epoch.
    private static bool TryTime(string text, out DateTimeOffset time)
    {
        if (!DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out time)) return false;
        time = DateTimeOffset.FromUnixTimeMilliseconds(Math.Max(1, time.ToUnixTimeMilliseconds()));
        return true;
    }

    private static bool TryNumber(string text, out long number) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);

    private static Error LimitRefusal(int most) => Error.Invalid($"'limit' must be from 1 to {most}");

    private static Error CursorRefusal() => Error.Invalid("'cursor' must be the next_cursor of an earlier page");
}
