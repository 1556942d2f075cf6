using WhatsAspire.ChatEdge.Connections;
using WhatsAspire.Contracts;

namespace WhatsAspire.ChatEdge.Tests;

[Trait("Requirement", "R40")]
public sealed class ConversationOrderTests
{
    private static readonly ConversationId A = new(Guid.NewGuid());
    private static readonly ConversationId B = new(Guid.NewGuid());

    [Fact]
    public void What_was_passed_or_overtaken_is_late()
    {
        var order = new ConversationOrder(16);
        Assert.False(order.IsLate(A, 5));
        order.Passed(A, 5);
        Assert.True(order.IsLate(A, 5));
        Assert.True(order.IsLate(A, 4));
        Assert.False(order.IsLate(A, 6));
        Assert.False(order.IsLate(B, 5));
    }

    [Fact]
    public void What_is_owed_starts_after_the_last_passed_and_ends_only_at_the_last_missed()
    {
        var order = new ConversationOrder(16);
        order.Passed(A, 5);
        order.Missed(A, 6);
        order.Missed(A, 9);
        Assert.Equal((A, 5), order.NextMissed());
        order.CaughtUpTo(A, 7);
        Assert.Equal((A, 7), order.NextMissed());
        Assert.False(order.TryEnd());
        order.CaughtUpTo(A, 9);
        Assert.Null(order.NextMissed());
        Assert.True(order.TryEnd());
        Assert.False(order.IsBehind);
        Assert.True(order.IsLate(A, 9));
    }

    [Fact]
    public void Where_nothing_was_passed_the_missed_one_itself_is_owed()
    {
        var order = new ConversationOrder(16);
        order.Missed(A, 7);
        Assert.Equal((A, 6), order.NextMissed());
    }

    [Fact]
    [Trait("Requirement", "R30")]
    public void What_went_out_or_was_to_go_out_is_unacked_until_the_client_acks_it()
    {
        var order = new ConversationOrder(16);
        order.Acked(A, 9);
        Assert.Empty(order.Unacked());
        order.Passed(A, 5);
        order.Passed(B, 2);
        Assert.Equal([(A, 5L), (B, 2L)], order.Unacked().OrderByDescending(one => one.Seq));
        order.Acked(A, 4);
        order.Acked(B, 2);
        Assert.Equal([(A, 5L)], order.Unacked());
        order.Passed(A, 6);
        order.Acked(A, 6);
        order.Acked(A, 5);
        Assert.Empty(order.Unacked());
        order.Missed(A, 8);
        Assert.Equal([(A, 8L)], order.Unacked());
    }

    [Fact]
    [Trait("Requirement", "R4")]
    public void A_receipt_that_was_overtaken_says_nothing_new()
    {
        var order = new ConversationOrder(16);
        Assert.True(order.Rises(A, 5, 3));
        Assert.False(order.Rises(A, 5, 3));
        Assert.False(order.Rises(A, 4, 2));
        Assert.True(order.Rises(A, 5, 4));
        Assert.True(order.Rises(A, 6, 4));
        Assert.True(order.Rises(B, 1, 1));
    }

    [Fact]
    public void Memory_is_bounded_and_what_does_not_fit_still_keeps_the_connection_behind()
    {
        var order = new ConversationOrder(16);
        for (var i = 0; i < 1000; i++)
        {
            order.Passed(new(Guid.NewGuid()), 1);
            order.Missed(new(Guid.NewGuid()), 1);
        }

        var owed = 0;
        while (order.NextMissed() is { } next)
        {
            order.CaughtUpTo(next.Conversation, long.MaxValue);
            owed++;
        }

        Assert.Equal(16, owed);
        Assert.True(order.IsBehind);
        Assert.True(order.TryEnd());
    }
}
