using System.Buffers.Binary;
using WhatsAspire.Contracts;
using WhatsAspire.Cql;

namespace WhatsAspire.MessageApi.Storage.Cassandra;

/// <summary>Who comes and who goes with an entry.</summary>
/// <param name="Seq">The entry.</param>
/// <param name="Visible">The visible number before it, and of it: it is no message.</param>
/// <param name="At">The entry's time.</param>
/// <param name="Before">The last entry before it that changed members; 0 without one.</param>
/// <param name="Members">Those whom it does change: nobody who is in joins, nobody who is not in leaves.</param>
internal sealed record AppendedChanges(long Seq, long Visible, DateTimeOffset At, long Before, IReadOnlyList<MemberChange> Members)
{
    // What only a newer program understands is of a newer version: an older one that took it for something else would take who comes for
    // one who goes. Who sees no history is written as ever, so that both may run until there is one who does.
    private const byte Version = 1;
    private const byte VersionWithHistory = 2;

    private const byte IsMember = 1;
    private const byte SeesHistory = 2;
    private const int Start = 1 + sizeof(long);
    private const int Each = 16 + 1;

    /// <summary>The column beside the entry: a version, the change before, and 17 bytes for each member: who, and what of him.</summary>
    public byte[] Write()
    {
        var column = new byte[Start + (Members.Count * Each)];
        column[0] = Members.Any(member => member is { IsMember: true, SeesHistory: true }) ? VersionWithHistory : Version;
        BinaryPrimitives.WriteInt64BigEndian(column.AsSpan(1), Before);
        for (var i = 0; i < Members.Count; i++)
        {
            var one = column.AsSpan(Start + (i * Each), Each);
            Members[i].User.Value.TryWriteBytes(one, bigEndian: true, out _);
            one[16] = Members[i] switch
            {
                { IsMember: false } => 0,
                { SeesHistory: true } => IsMember | SeesHistory,
                _ => IsMember,
            };
        }

        return column;
    }

    public static AppendedChanges Read(long seq, long visible, DateTimeOffset at, ReadOnlySpan<byte> column)
    {
        if (column.Length < Start || column[0] is not (Version or VersionWithHistory))
            throw new InvalidDataException($"the changes of members at {seq} are of a newer version");
        var members = new MemberChange[(column.Length - Start) / Each];
        for (var i = 0; i < members.Length; i++)
        {
            var one = column.Slice(Start + (i * Each), Each);
            members[i] = new(new(new Guid(one[..16], bigEndian: true)), (one[16] & IsMember) != 0, (one[16] & SeesHistory) != 0);
        }

        return new(seq, visible, at, BinaryPrimitives.ReadInt64BigEndian(column[1..]), members);
    }
}

/// <summary>Keeps the rows of groups' members as the log says. All of a group's rows are one partition, so that several
/// changes are one write; each has the entry's seq for its time stamp, so that it may be repeated and come late.</summary>
internal sealed class MemberChanges(ICqlSession session, Statements statements)
{
    /// <summary>Brings the rows up to date with the log.</summary>
    /// <param name="conversation">Which.</param>
    /// <param name="from">Up to which entry they are.</param>
    /// <param name="head">A head that names a later change.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task CatchUpAsync(ConversationId conversation, long from, Head head, CancellationToken cancellationToken)
    {
        var missing = new List<AppendedChanges>();
        for (var seq = head.ChangesSeq; seq > from; seq = missing[^1].Before)
        {
            var rows = await session.ExecuteAsync(statements.ReadChanges.Bind(conversation.Value, Buckets.Of(seq), seq), cancellationToken);
            if (rows.Count == 0 || rows[0].IsNull(0))
                throw new InvalidDataException($"the log of {conversation} lacks its changes of members at {seq}");
            missing.Add(AppendedChanges.Read(seq, rows[0].GetInt64(1), rows[0].GetTimestamp(2), rows[0].GetBytes(0).Span));
        }

        missing.Reverse();
        await PutAsync(conversation, missing, cancellationToken);
    }

    /// <summary>Writes changes, which follow upon those that the rows have, in one step.</summary>
    public Task PutAsync(ConversationId conversation, IReadOnlyList<AppendedChanges> changes, CancellationToken cancellationToken)
    {
        if (changes.Count == 0) return Task.CompletedTask;
        var id = conversation.Value;
        var last = changes[^1].Seq;
        var commands = new List<CqlCommand> { statements.PutChanges.Bind(last, last, id) };
        foreach (var (seq, visible, at, _, members) in changes)
        {
            foreach (var (user, isMember, seesHistory) in members)
            {
                var who = user.Value;
                commands.Add(statements.TouchMember.Bind(Times.Latest(at), at, id, who));
                if (!isMember)
                {
                    commands.Add(statements.Leave.Bind(seq, seq, id, who));
                    continue;
                }

                commands.Add(statements.Join.Bind(seq, seq - 1, seesHistory ? 0 : seq - 1, id, who));
                if (seq == 1) continue;
                // Greater than any position that he had when he left, so they win by themselves.
                commands.Add(statements.PutDelivered.Bind(seq - 1, seq - 1, id, who));
                commands.Add(statements.PutRead.Bind(seq - 1, seq - 1, visible, id, who));
            }
        }

        return session.ExecuteAsync(statements.Together(commands), cancellationToken);
    }
}
