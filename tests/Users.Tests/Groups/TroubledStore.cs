using WhatsAspire.Contracts;
using WhatsAspire.MessageApi.Storage;

namespace WhatsAspire.Users.Tests.Groups;

/// <summary>A store that several instances share, and whose appends fail when told to.</summary>
internal sealed class TroubledStore(IMessageStore inner) : IMessageStore
{
    /// <summary>Nothing is appended.</summary>
    public bool IsAway { get; set; }

    /// <summary>To which nothing can ever be appended.</summary>
    public HashSet<ConversationId> Broken { get; } = [];

    /// <summary>What is appended is there, but nobody hears of it.</summary>
    public bool LosesAnswers { get; set; }

    public async Task<IReadOnlyList<AppendOutcome>> AppendAsync(
        ConversationShape conversation, IReadOnlyList<NewEntry> entries, CancellationToken cancellationToken)
    {
        if (IsAway) throw new StoreUnavailableException("away");
        if (Broken.Contains(conversation.Id)) throw new InvalidOperationException("broken");
        var outcomes = await inner.AppendAsync(conversation, entries, cancellationToken);
        return LosesAnswers ? throw new StoreUnavailableException("the answer was lost") : outcomes;
    }

    public ValueTask<AppendOutcome?> FindSentAsync(UserId sender, string clientMessageId, ulong contentHash, CancellationToken cancellationToken) =>
        inner.FindSentAsync(sender, clientMessageId, contentHash, cancellationToken);

    public ValueTask<ConversationState?> GetConversationAsync(ConversationId conversation, CancellationToken cancellationToken) =>
        inner.GetConversationAsync(conversation, cancellationToken);

    public ValueTask<IReadOnlyList<LogEntry>> ReadAsync(ConversationId conversation, long after, long before, int limit, bool newestFirst, CancellationToken cancellationToken) =>
        inner.ReadAsync(conversation, after, before, limit, newestFirst, cancellationToken);

    public ValueTask<LogEntry?> FindAsync(MessageId message, CancellationToken cancellationToken) =>
        inner.FindAsync(message, cancellationToken);

    public Task<IReadOnlyList<AdvanceOutcome>> AdvanceAsync(IReadOnlyList<MemberPosition> positions, DateTimeOffset at, CancellationToken cancellationToken) =>
        inner.AdvanceAsync(positions, at, cancellationToken);

    public ValueTask<MemberState?> GetMemberAsync(ConversationId conversation, UserId user, CancellationToken cancellationToken) =>
        inner.GetMemberAsync(conversation, user, cancellationToken);

    public ValueTask<IReadOnlyList<MemberState?>> GetMembersAsync(
        ConversationId conversation, IReadOnlyList<UserId> users, CancellationToken cancellationToken) =>
        inner.GetMembersAsync(conversation, users, cancellationToken);

    public ValueTask<ReceiptTimes> GetReceiptTimesAsync(ConversationId conversation, UserId user, long seq, CancellationToken cancellationToken) =>
        inner.GetReceiptTimesAsync(conversation, user, seq, cancellationToken);

    public ValueTask<IReadOnlyList<MemberReceipt>> GetReceiptsAsync(ConversationId conversation, long seq, CancellationToken cancellationToken) =>
        inner.GetReceiptsAsync(conversation, seq, cancellationToken);

    public ValueTask<IReadOnlyList<ConversationView>> ListConversationsAsync(UserId user, DateTimeOffset since, CancellationToken cancellationToken) =>
        inner.ListConversationsAsync(user, since, cancellationToken);

    public ValueTask<ConversationView?> GetViewAsync(ConversationId conversation, UserId user, CancellationToken cancellationToken) =>
        inner.GetViewAsync(conversation, user, cancellationToken);

    public ValueTask<IReadOnlyList<ConversationView?>> GetViewsAsync(ConversationId conversation, IReadOnlyList<UserId> users, CancellationToken cancellationToken) =>
        inner.GetViewsAsync(conversation, users, cancellationToken);

    public Task<bool> HideAsync(ConversationId conversation, UserId user, IReadOnlyList<long> seqs, DateTimeOffset at, CancellationToken cancellationToken) =>
        inner.HideAsync(conversation, user, seqs, at, cancellationToken);

    public ValueTask<IReadOnlyList<long>> ReadHiddenAsync(ConversationId conversation, UserId user, long after, long before, CancellationToken cancellationToken) =>
        inner.ReadHiddenAsync(conversation, user, after, before, cancellationToken);

    public Task<bool> SetAsync(ConversationId conversation, UserId user, MemberSettings settings, DateTimeOffset at, CancellationToken cancellationToken) =>
        inner.SetAsync(conversation, user, settings, at, cancellationToken);

    public Task<AdvanceOutcome> ClearAsync(ConversationId conversation, UserId user, long seq, DateTimeOffset at, CancellationToken cancellationToken) =>
        inner.ClearAsync(conversation, user, seq, at, cancellationToken);
}
