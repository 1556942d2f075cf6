using WhatsAspire.Backplane.EdgeTransport;
using WhatsAspire.ChatEdge.Connections;
using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Edge.V1;

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

    /// <summary>A group that grows or shrinks over the threshold: one message comes from the sender's edge, the next over the queue,
    /// or the other way round, and the later may be the faster.</summary>
    [Fact]
    [Trait("Requirement", "R21")]
    public void What_is_overtaken_on_another_way_is_late_and_what_follows_is_not()
    {
        var order = new ConversationOrder(16);
        order.Passed(A, 7);
        // 8 goes over the queue, 9 directly. The client sees the jump from 7 to 9, and pulls what lies between.
        Assert.False(order.IsLate(A, 9));
        order.Passed(A, 9);
        Assert.True(order.IsLate(A, 8));
        Assert.False(order.IsLate(A, 10));
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
    public void What_comes_before_its_turn_is_early_until_what_lies_between_went_out_or_was_sent_from_here()
    {
        var order = new ConversationOrder(16);
        Assert.False(order.IsEarly(A, 9));
        order.Passed(A, 3);
        Assert.False(order.IsEarly(A, 4));
        Assert.True(order.IsEarly(A, 5));
        order.Sent(A, 5);
        Assert.True(order.IsEarly(A, 6));
        order.Sent(A, 4);
        Assert.False(order.IsEarly(A, 6));
        Assert.False(order.IsLate(A, 4));
        order.Passed(A, 6);
        Assert.Equal(6, order.Known(A));
        order.Sent(A, 8);
        order.Passed(A, 7);
        Assert.Equal(8, order.Known(A));
        Assert.Equal(0, order.Known(B));
    }

    [Fact]
    [Trait("Requirement", "R4")]
    public void Own_sends_ahead_of_what_came_are_bounded()
    {
        var order = new ConversationOrder(16);
        order.Passed(A, 1);
        for (var seq = 2; seq <= 10_000; seq++) order.Sent(A, seq);
        Assert.False(order.IsEarly(A, 10_001));
        for (var seq = 20_000; seq <= 30_000; seq += 2) order.Sent(A, seq);
        Assert.True(order.IsEarly(A, 20_001));
        order.Passed(A, 19_999);
        Assert.Equal(20_000, order.Known(A));
    }

    [Fact]
    [Trait("Requirement", "R4")]
    public void Early_messages_wait_in_their_order_each_once_and_not_more_than_there_is_room()
    {
        var early = new EarlyMessages();
        foreach (var seq in new[] { 7L, 5, 6, 5 }) Assert.True(early.TryAdd(Message(A, seq)));
        Assert.Null(early.Take(A, 4));
        Assert.Null(early.Take(B, 100));
        Assert.Equal([(A, 7L)], early.Newest);
        Assert.Equal([5L, 6], new[] { early.Take(A, 6)!.Seq, early.Take(A, 6)!.Seq });
        Assert.Null(early.Take(A, 6));
        Assert.Equal(7, early.Take(A, 7)!.Seq);
        Assert.Empty(early.Newest);
        var room = 0;
        while (early.TryAdd(Message(B, ++room)))
        {
        }

        Assert.Equal(33, room);
        Assert.True(early.TryAdd(Message(B, 1)));

        static LiveEvent Message(ConversationId conversation, long seq) =>
            new() { Users = [], Kind = DeliveryKind.Message, Conversation = conversation, Seq = seq };
    }

    [Fact]
    [Trait("Requirement", "R4")]
    public void A_receipt_that_was_overtaken_says_nothing_new()
    {
        var order = new ConversationOrder(16);
        Assert.Equal((5, 3), order.Rises(A, 5, 3));
        Assert.Null(order.Rises(A, 5, 3));
        Assert.Null(order.Rises(A, 4, 2));
        Assert.Equal((5, 4), order.Rises(A, 5, 4));
        Assert.Equal((6, 4), order.Rises(A, 6, 4));
        Assert.Equal((1, 1), order.Rises(B, 1, 1));
    }

    [Fact]
    [Trait("Requirement", "R11")]
    public void Of_two_receipts_that_saw_different_things_the_later_takes_nothing_back()
    {
        var order = new ConversationOrder(16);
        Assert.Equal((5, 2), order.Rises(A, 5, 2));
        Assert.Equal((5, 3), order.Rises(A, 3, 3));
        Assert.Null(order.Rises(A, 4, 3));
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
