using WhatsAspire.Contracts;
using WhatsAspire.Cql;

namespace WhatsAspire.MessageApi.Storage.Cassandra;

/// <summary>Finds entries by what they are called: the sender's client message id, the message id. Both indexes are written
/// before the entry and say after which seq of which log it is, if it is: what counts is the log.</summary>
internal sealed class Sends(ICqlSession session, Statements statements, LogReader log)
{
    /// <summary>Notes that the entry will be in this log after <paramref name="head"/>, unless it is known.</summary>
    /// <param name="conversation">Whose log.</param>
    /// <param name="head">Its newest seq, known before this call.</param>
    /// <param name="entry">What is to be appended.</param>
    /// <param name="isClaimed">It was noted before, by this call's earlier tries.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The entry that has this client message id, or null.</returns>
    public async Task<StoredEntry?> ClaimAsync(
        ConversationId conversation, long head, NewEntry entry, bool isClaimed, CancellationToken cancellationToken)
    {
        var claim = isClaimed ? Task.CompletedTask : session.ExecuteAsync(
            statements.Claim.Bind(Times.Lowest(head), head, entry.Sender.Value, entry.ClientMessageId, conversation.Value), cancellationToken);
        var found = await FindAsync(entry.Sender, entry.ClientMessageId, conversation, head, cancellationToken);
        await claim;
        return found;
    }

    /// <summary>The entry that has this client message id, or null.</summary>
    public Task<StoredEntry?> FindAsync(UserId sender, string clientMessageId, CancellationToken cancellationToken) =>
        FindAsync(sender, clientMessageId, null, long.MaxValue, cancellationToken);

    /// <summary>Notes where a message will be.</summary>
    public Task PutMessageAsync(MessageId message, ConversationId conversation, long head, CancellationToken cancellationToken) =>
        session.ExecuteAsync(statements.PutMessage.Bind(Times.Lowest(head), conversation.Value, head, message.Value), cancellationToken);

    /// <summary>The entry with this id, or null.</summary>
    public async Task<LogEntry?> FindAsync(MessageId message, CancellationToken cancellationToken)
    {
        var rows = await session.ExecuteAsync(statements.ReadMessage.Bind(message.Value), cancellationToken);
        if (rows.Count == 0) return null;
        var stored = await log.FindAsync(new(rows[0].GetGuid(0)), rows[0].GetInt64(1), e => e.Id == message, cancellationToken);
        return stored?.Entry;
    }

    /// <summary>Looks at one log first, up to a head: what it may have got since moves that head.</summary>
    private async Task<StoredEntry?> FindAsync(
        UserId sender, string clientMessageId, ConversationId? first, long head, CancellationToken cancellationToken)
    {
        var claims = await session.ExecuteAsync(statements.ReadClaims.Bind(sender.Value, clientMessageId), cancellationToken);
        var places = new List<(ConversationId Conversation, long After)>(claims.Count);
        foreach (var claim in claims)
        {
            var (conversation, after) = (new ConversationId(claim.GetGuid(0)), claim.GetInt64(1));
            if (conversation != first) places.Add((conversation, after));
            else if (after < head) places.Insert(0, (conversation, after));
        }

        foreach (var (conversation, after) in places)
        {
            var stored = await log.FindAsync(
                conversation, after, e => e.Sender == sender && e.ClientMessageId == clientMessageId, cancellationToken);
            if (stored is not null) return stored;
        }

        return null;
    }
}
