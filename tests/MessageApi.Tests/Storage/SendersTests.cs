using WhatsAspire.Contracts;
using WhatsAspire.MessageApi.Storage.Cassandra;
using Xunit;

namespace WhatsAspire.MessageApi.Tests.Storage;

/// <summary>Who wrote last, as it stands beside the head of a log in Cassandra.</summary>
public sealed class SendersTests
{
    [Fact]
    public void The_newest_position_of_each_is_kept_and_read_back()
    {
        var (alice, bob) = (UserId.New(), UserId.New());
        var senders = Senders.None.With(alice, new(1, 1), out _).With(bob, new(2, 2), out _).With(alice, new(3, 2), out var dropped);
        Assert.Null(dropped);
        var read = Senders.Read(senders.Write());
        Assert.Equal(new SentPosition(3, 2), read.Find(alice));
        Assert.Equal(new SentPosition(2, 2), read.Find(bob));
        Assert.Null(read.Find(UserId.New()));
    }

    [Fact]
    public void Whose_place_is_taken_is_the_one_who_has_not_written_for_longest()
    {
        var users = Enumerable.Range(0, 20).Select(_ => UserId.New()).ToArray();
        var senders = Senders.None;
        var dropped = new List<(UserId, SentPosition)>();
        // The first one writes again in between, and so is not the oldest when the places are taken.
        int[] order = [.. Enumerable.Range(0, 16), 0, .. Enumerable.Range(16, 4)];
        for (var seq = 1; seq <= order.Length; seq++)
        {
            senders = senders.With(users[order[seq - 1]], new(seq, seq), out var one);
            if (one is { } gone) dropped.Add(gone);
        }

        Assert.Equal([(users[1], new(2, 2)), (users[2], new(3, 3)), (users[3], new(4, 4)), (users[4], new SentPosition(5, 5))], dropped);
        Assert.Equal(new SentPosition(17, 17), senders.Find(users[0]));
        Assert.Equal(16 * 32, senders.Write().Length);
    }

    [Theory]
    [InlineData(1, 0)]
    [InlineData(8192, 0)]
    [InlineData(8193, 1)]
    [InlineData(16384, 1)]
    [InlineData(16385, 2)]
    public void A_bucket_has_8192_entries(long seq, long bucket)
    {
        Assert.Equal(bucket, Buckets.Of(seq));
        Assert.InRange(seq, Buckets.End(bucket) - Buckets.Size + 1, Buckets.End(bucket));
    }
}
