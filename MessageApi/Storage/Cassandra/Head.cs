using System.Buffers.Binary;
using WhatsAspire.Contracts;

namespace WhatsAspire.MessageApi.Storage.Cassandra;

/// <summary>The state of a log after its newest entry, as the static columns of the newest bucket have it.</summary>
/// <param name="Seq">0 for a log that does not exist.</param>
/// <param name="Visible">The newest entry's visible number.</param>
/// <param name="At">The newest entry's time.</param>
/// <param name="NewestVisible">The seq of the newest visible entry; 0 without one.</param>
/// <param name="NewestVisibleAt">Its time.</param>
/// <param name="Senders">Who wrote last.</param>
/// <param name="ChangesSeq">The newest entry that changed who is in a group; 0 without one.</param>
internal sealed record Head(
    long Seq, long Visible, DateTimeOffset At, long NewestVisible, DateTimeOffset NewestVisibleAt, Senders Senders, long ChangesSeq)
{
    public static readonly Head None = new(0, 0, DateTimeOffset.MinValue, 0, DateTimeOffset.MinValue, Senders.None, 0);

    /// <summary>The bucket that the statics of this head stand in.</summary>
    public long Bucket => Buckets.Of(Seq);
}

/// <summary>The members who wrote last, and where: their positions rise with the entry, in the same atomic step. Only so
/// many are kept beside the head; whose place another takes must have his position in his own row by then.</summary>
internal sealed class Senders
{
    private const int Kept = 16;
    private const int Bytes = 32;

    public static readonly Senders None = new([]);

    // The one who wrote last comes last.
    private readonly (UserId User, SentPosition Position)[] _last;

    private Senders((UserId, SentPosition)[] last) => _last = last;

    /// <summary>Reads a column; null and empty are nobody.</summary>
    public static Senders Read(ReadOnlySpan<byte> column)
    {
        if (column.IsEmpty) return None;
        var last = new (UserId, SentPosition)[column.Length / Bytes];
        for (var i = 0; i < last.Length; i++)
        {
            var one = column.Slice(i * Bytes, Bytes);
            last[i] = (
                new(new Guid(one[..16], bigEndian: true)),
                new(BinaryPrimitives.ReadInt64BigEndian(one[16..]), BinaryPrimitives.ReadInt64BigEndian(one[24..])));
        }

        return new(last);
    }

    public byte[] Write()
    {
        var column = new byte[_last.Length * Bytes];
        for (var i = 0; i < _last.Length; i++)
        {
            var one = column.AsSpan(i * Bytes, Bytes);
            _last[i].User.Value.TryWriteBytes(one, bigEndian: true, out _);
            BinaryPrimitives.WriteInt64BigEndian(one[16..], _last[i].Position.Seq);
            BinaryPrimitives.WriteInt64BigEndian(one[24..], _last[i].Position.Visible);
        }

        return column;
    }

    /// <summary>Where a user's newest entry is, if he is among those who wrote last.</summary>
    public SentPosition? Find(UserId user)
    {
        foreach (var (sender, position) in _last)
        {
            if (sender == user) return position;
        }

        return null;
    }

    /// <summary>Whose place the user would take; null when there is one for him.</summary>
    public SentPosition? NextToGo(UserId user) =>
        _last.Length == Kept && Find(user) is null ? _last[0].Position : null;

    /// <summary>After an entry of a user's.</summary>
    /// <param name="user">Who wrote it.</param>
    /// <param name="position">Where it is.</param>
    /// <param name="dropped">Whose place he took.</param>
    public Senders With(UserId user, SentPosition position, out (UserId User, SentPosition Position)? dropped)
    {
        var others = Array.FindAll(_last, one => one.User != user);
        dropped = others.Length < Kept ? null : others[0];
        return new([.. dropped is null ? others : others[1..], (user, position)]);
    }
}

/// <param name="Seq">A member's entry.</param>
/// <param name="Visible">Its visible number.</param>
internal readonly record struct SentPosition(long Seq, long Visible);
