using WhatsAspire.Contracts;
using WhatsAspire.Cql;

namespace WhatsAspire.MessageApi.Storage.Cassandra;

/// <summary>Entries that members deleted for themselves.</summary>
internal sealed class Marks(ICqlSession session, Statements statements, MemberReader members, LogReader log, Positions positions)
{
    /// <inheritdoc cref="IMessageStore.HideAsync"/>
    public async Task<bool> HideAsync(
        ConversationId conversation, UserId user, IReadOnlyList<long> seqs, DateTimeOffset at, CancellationToken cancellationToken)
    {
        if (await members.FindAsync(conversation, user, cancellationToken) is not { } known) return false;
        var head = known.Member.HeadOf(known.Head);
        foreach (var seq in seqs)
        {
            if (seq > head) return false;
        }

        var fresh = new List<long>(seqs.Count);
        foreach (var seq in seqs.Distinct())
        {
            if ((await ReadAsync(conversation, user, seq - 1, seq + 1, cancellationToken)).Count == 0) fresh.Add(seq);
        }

        if (fresh.Count == 0) return true;
        await positions.TouchAsync(user, conversation, Times.Floor(at), cancellationToken);
        await Task.WhenAll(fresh.Select(async seq =>
        {
            var entry = await log.GetAsync(conversation, seq, cancellationToken);
            await session.ExecuteAsync(
                statements.Hide.Bind(conversation.Value, user.Value, Buckets.Of(seq), seq, entry.Kind == EntryKind.Text), cancellationToken);
        }));
        return true;
    }

    /// <summary>The marks in (after, before), ascending, with whether the entry would count as unread.</summary>
    /// <param name="conversation">Which.</param>
    /// <param name="user">Whose.</param>
    /// <param name="after">Exclusive.</param>
    /// <param name="before">Exclusive; at most the head plus one.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    public async Task<IReadOnlyList<(long Seq, bool IsVisible)>> ReadAsync(
        ConversationId conversation, UserId user, long after, long before, CancellationToken cancellationToken)
    {
        var marks = new List<(long, bool)>();
        if (after >= before - 1) return marks;
        for (var bucket = Buckets.Of(after + 1); bucket <= Buckets.Of(before - 1); bucket++)
        {
            var command = statements.ReadHidden.Bind(conversation.Value, user.Value, bucket, after, before);
            await foreach (var row in session.QueryAsync(command, cancellationToken)) marks.Add((row.GetInt64(0), row.GetBoolean(1)));
        }

        return marks;
    }
}
