using WhatsAspire.Contracts;
using WhatsAspire.MessageApi.Storage;
using Xunit;

namespace WhatsAspire.Conformance;

public abstract partial class MessageStoreConformance
{
    private async Task SendManyAsync(UserId sender, int count, ConversationShape? chat = null)
    {
        for (var i = 1; i <= count; i++) await AppendAsync(Text(sender, $"m{i}", i), chat);
    }

    [Fact]
    [Trait("Requirement", "R11")]
    public async Task Positions_rise_and_never_fall()
    {
        await SendManyAsync(Alice, 9);
        Same(new(AdvanceStatus.Moved, new(0, 5, 0, 0), false, 9), await AdvanceAsync(Bob, 5, 0));
        Same(new(AdvanceStatus.Moved, new(0, 5, 3, 0), true, 9), await AdvanceAsync(Bob, 2, 3));
        Same(new(AdvanceStatus.Held, new(0, 5, 3, 0), false, 9), await AdvanceAsync(Bob, 1, 1));
        Same(new(AdvanceStatus.Held, new(0, 5, 3, 0), false, 9), await AdvanceAsync(Bob, 0, 0));
        Same(new(AdvanceStatus.Held, new(0, 5, 3, 0), false, 9), await AdvanceAsync(Bob, 5, 3));
        Same(new(AdvanceStatus.Moved, new(0, 9, 3, 0), false, 9), await AdvanceAsync(Bob, 9, 1));
        Assert.Equal(new MemberState(0, 9, 3, 0), await MemberAsync(Bob));
    }

    [Fact]
    [Trait("Requirement", "R11")]
    public async Task Reading_raises_the_delivered_position_too()
    {
        await SendManyAsync(Alice, 4);
        Same(new(AdvanceStatus.Moved, new(0, 3, 3, 0), true, 4), await AdvanceAsync(Bob, 0, 3));
        Same(new(AdvanceStatus.Moved, new(0, 4, 4, 0), true, 4), await AdvanceAsync(Bob, 2, 4));
    }

    [Fact]
    public async Task A_position_beyond_the_head_is_refused_by_itself()
    {
        var others = new[] { ConversationShape.Direct(Bob, UserId.New()), ConversationShape.Direct(Bob, UserId.New()) };
        await SendManyAsync(Alice, 2);
        foreach (var chat in others) await SendManyAsync(chat.Members[1], 2, chat);
        var stranger = ConversationShape.Direct(Alice, UserId.New());
        await SendManyAsync(Alice, 2, stranger);
        var nowhere = ConversationShape.Direct(Bob, UserId.New());

        var outcomes = await Store.AdvanceAsync(
            Bob,
            [new(others[0].Id, 1, 3), new(Chat.Id, 2, 1), new(stranger.Id, 1, 1), new(nowhere.Id, 0, 0), new(others[1].Id, 3, 1)],
            At(9),
            Token);
        Same(
            [
                new(AdvanceStatus.BeyondHead, new(0, 0, 0, 0), false, 2),
                new(AdvanceStatus.Moved, new(0, 2, 1, 0), true, 2),
                new(AdvanceStatus.NotFound, null, false, 0),
                new(AdvanceStatus.NotFound, null, false, 0),
                new(AdvanceStatus.BeyondHead, new(0, 0, 0, 0), false, 2),
            ],
            outcomes);
        Assert.Equal(new MemberState(0, 0, 0, 0), await MemberAsync(Bob, others[0]));
        Assert.Equal(new MemberState(0, 2, 1, 0), await MemberAsync(Bob));
        Assert.Equal(new MemberState(0, 0, 0, 0), await MemberAsync(Bob, others[1]));
    }

    [Fact]
    public async Task A_conversation_twice_or_too_many_positions_are_refused()
    {
        await SendManyAsync(Alice, 2);
        await Assert.ThrowsAnyAsync<ArgumentException>(() =>
            Store.AdvanceAsync(Bob, [new(Chat.Id, 1, 0), new(Chat.Id, 2, 0)], At(1), Token));
        await Assert.ThrowsAnyAsync<ArgumentException>(() => Store.AdvanceAsync(Bob, [], At(1), Token));
        var tooMany = Enumerable.Range(0, 1_001).Select(_ => new NewPosition(new(Guid.NewGuid()), 1, 1)).ToArray();
        await Assert.ThrowsAnyAsync<ArgumentException>(() => Store.AdvanceAsync(Bob, tooMany, At(1), Token));
        Assert.Equal(new MemberState(0, 0, 0, 0), await MemberAsync(Bob));
    }

    [Fact]
    [Trait("Requirement", "R11")]
    public async Task Of_the_answers_to_concurrent_advances_none_is_in_one_position_above_and_in_the_other_below_another()
    {
        await SendManyAsync(Alice, 60);
        var calls = Enumerable.Range(1, 30).SelectMany(i => new[] { (Delivered: 30L + i, Read: 0L), (Delivered: 0L, Read: (long)i) }).ToArray();
        new Random(11).Shuffle(calls);
        var outcomes = await Task.WhenAll(calls.Select(c => AdvanceAsync(Bob, c.Delivered, c.Read)));

        var moved = outcomes.Where(o => o.Status == AdvanceStatus.Moved).Select(o => o.Member!)
            .OrderBy(m => m.DeliveredSeq).ThenBy(m => m.ReadSeq).ToArray();
        Assert.Equal(moved.Select(m => m.ReadSeq).Order(), moved.Select(m => m.ReadSeq));
        Assert.Equal(new MemberState(0, 60, 30, 0), await MemberAsync(Bob));
    }

    [Fact]
    [Trait("Requirement", "R11")]
    public async Task Positions_never_fall_whatever_order_concurrent_advances_come_in()
    {
        await SendManyAsync(Alice, 50);
        var order = Enumerable.Range(1, 50).ToArray();
        new Random(7).Shuffle(order);
        var seen = await Task.WhenAll(order.Select(i => AdvanceAsync(Bob, i, i / 2)));
        var best = (Delivered: 0L, Read: 0L);
        foreach (var (outcome, i) in seen.Zip(order))
        {
            Assert.NotNull(outcome.Member);
            Assert.True(outcome.Member.DeliveredSeq >= i, $"{outcome.Member} after an advance to {i}");
            best = (Math.Max(best.Delivered, outcome.Member.DeliveredSeq), Math.Max(best.Read, outcome.Member.ReadSeq));
        }

        Assert.Equal((50, 25), best);
        Assert.Equal(new MemberState(0, 50, 25, 0), await MemberAsync(Bob));
    }

    [Fact]
    public async Task A_user_who_is_no_member_has_no_state()
    {
        var stranger = UserId.New();
        await SendManyAsync(Alice, 2);
        Assert.Null(await Store.GetMemberAsync(Chat.Id, stranger, Token));
        Assert.Null(await Store.GetViewAsync(Chat.Id, stranger, Token));
        Assert.Empty(await Store.ListConversationsAsync(stranger, DateTimeOffset.MinValue, Token));
        Same(new(null, null), await Store.GetReceiptTimesAsync(Chat.Id, stranger, 1, Token));
        Same(new(AdvanceStatus.NotFound, null, false, 0), await AdvanceAsync(stranger, 1, 1));
        Same(new(AdvanceStatus.NotFound, null, false, 0), await Store.ClearAsync(Chat.Id, stranger, 1, At(1), Token));
        Assert.Empty(await Store.ReadHiddenAsync(Chat.Id, stranger, 0, long.MaxValue, Token));
    }

    [Fact]
    [Trait("Requirement", "R12")]
    public async Task Receipt_times_are_those_of_the_first_rise_that_reached_the_entry()
    {
        await SendManyAsync(Alice, 9);
        await AdvanceAsync(Bob, 3, 0, at: 100);
        await AdvanceAsync(Bob, 5, 2, at: 110);
        await AdvanceAsync(Bob, 5, 2, at: 115);
        await AdvanceAsync(Bob, 0, 7, at: 120);
        await AdvanceAsync(Bob, 8, 0, at: 130);

        var expected = new (double? Delivered, double? Read)[]
        {
            (100, 110), (100, 110), (100, 120), (110, 120), (110, 120), (120, 120), (120, 120), (130, null), (null, null),
        };
        for (var seq = 1; seq <= expected.Length; seq++)
        {
            var (delivered, read) = expected[seq - 1];
            Same(
                new(delivered is { } d ? At(d) : null, read is { } r ? At(r) : null),
                await Store.GetReceiptTimesAsync(Chat.Id, Bob, seq, Token));
        }
    }

    [Fact]
    [Trait("Requirement", "R12")]
    public async Task The_first_rise_counts_although_a_later_one_has_an_earlier_time()
    {
        await SendManyAsync(Alice, 9);
        await AdvanceAsync(Bob, 5, 5, at: 100);
        await AdvanceAsync(Bob, 9, 0, at: 50);
        await AdvanceAsync(Bob, 0, 7, at: 60);
        Same(new(At(100), At(100)), await Store.GetReceiptTimesAsync(Chat.Id, Bob, 4, Token));
        Same(new(At(50), At(60)), await Store.GetReceiptTimesAsync(Chat.Id, Bob, 6, Token));
    }

    [Fact]
    [Trait("Requirement", "R12")]
    public async Task Sending_and_clearing_are_rises_with_their_time()
    {
        await SendManyAsync(Alice, 2);
        await AppendAsync(Text(Bob, "answer", 50));
        await SendAsync(Alice, "more", 60);
        await Store.ClearAsync(Chat.Id, Bob, 4, At(70), Token);
        Same(new(At(50), At(50)), await Store.GetReceiptTimesAsync(Chat.Id, Bob, 1, Token));
        Same(new(At(50), At(50)), await Store.GetReceiptTimesAsync(Chat.Id, Bob, 3, Token));
        Same(new(At(70), At(70)), await Store.GetReceiptTimesAsync(Chat.Id, Bob, 4, Token));
        Same(new(At(60), At(60)), await Store.GetReceiptTimesAsync(Chat.Id, Alice, 3, Token));
    }

    [Fact]
    [Trait("Requirement", "R8")]
    public async Task Clearing_raises_the_cleared_read_and_delivered_positions_and_lowers_none()
    {
        await SendManyAsync(Alice, 6);
        await AdvanceAsync(Bob, 5, 1);
        Same(new(AdvanceStatus.Moved, new(0, 5, 3, 3), true, 6), await Store.ClearAsync(Chat.Id, Bob, 3, At(1), Token));
        Same(new(AdvanceStatus.Held, new(0, 5, 3, 3), false, 6), await Store.ClearAsync(Chat.Id, Bob, 2, At(2), Token));
        await AdvanceAsync(Bob, 0, 5);
        Same(new(AdvanceStatus.Moved, new(0, 5, 5, 4), false, 6), await Store.ClearAsync(Chat.Id, Bob, 4, At(3), Token));
        Same(new(AdvanceStatus.Moved, new(0, 6, 6, 6), true, 6), await Store.ClearAsync(Chat.Id, Bob, 6, At(4), Token));
        Same(new(AdvanceStatus.BeyondHead, new(0, 6, 6, 6), false, 6), await Store.ClearAsync(Chat.Id, Bob, 7, At(5), Token));
        Assert.Equal(new MemberState(0, 6, 6, 0), await MemberAsync(Alice));
        Assert.Equal(6, (await LogAsync()).Count);
    }
}
