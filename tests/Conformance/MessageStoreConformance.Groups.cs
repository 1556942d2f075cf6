using WhatsAspire.Contracts;
using WhatsAspire.MessageApi.Storage;
using Xunit;

namespace WhatsAspire.Conformance;

public abstract partial class MessageStoreConformance
{
    private UserId Carol { get; } = UserId.New();
    private ConversationShape Group { get; } = ConversationShape.Group(ConversationId.NewGroup());

    [Fact]
    [Trait("Requirement", "R22")]
    public async Task Who_joins_sees_from_then_on_and_who_leaves_nothing_after()
    {
        await ChangeAsync(Alice, joins: [Alice, Bob]);                           // 1
        await AppendAsync(Text(Alice, "before Carol", at: 2), Group);            // 2
        await ChangeAsync(Alice, joins: [Carol], at: 3);                         // 3
        await AppendAsync(Text(Alice, "all three", at: 4), Group);               // 4
        await ChangeAsync(Alice, leaves: [Bob], at: 5);                          // 5
        await AppendAsync(Text(Alice, "without Bob", at: 6), Group);             // 6

        Assert.Equal(new MemberState(2, 2, 2, 0), await MemberAsync(Carol, Group));
        Assert.Equal(new MemberState(0, 0, 0, 0, LeftSeq: 5), await MemberAsync(Bob, Group));
        var carol = await ViewAsync(Carol, Group);
        Assert.Equal((6, 2, "without Bob", At(6)), (carol.HeadSeq, carol.UnreadCount, carol.Preview, carol.LastMessageAt));
        var bob = await ViewAsync(Bob, Group);
        Assert.Equal((5, 2, null, At(5)), (bob.HeadSeq, bob.UnreadCount, bob.Preview, bob.LastMessageAt));
        Assert.Equal(AdvanceStatus.BeyondHead, (await AdvanceAsync(Bob, 6, 0, chat: Group)).Status);
        Same(new(AdvanceStatus.Moved, new(0, 5, 4, 0, 5), true, 5), (await AdvanceAsync(Bob, 5, 4, chat: Group)) with { Lowest = null });
        Assert.False(await Store.HideAsync(Group.Id, Bob, [6], At(7), Token));
        Assert.True(await Store.HideAsync(Group.Id, Bob, [5], At(7), Token));
    }

    [Fact]
    [Trait("Requirement", "R22")]
    public async Task Before_the_first_message_that_a_member_sees_there_is_no_preview()
    {
        await ChangeAsync(Alice, joins: [Alice]);
        await AppendAsync(Text(Alice, "not for Bob", at: 2), Group);
        await ChangeAsync(Alice, joins: [Bob], at: 3);
        var view = await ViewAsync(Bob, Group);
        Assert.Equal((null, At(3), 0L), (view.Preview, view.LastMessageAt, view.UnreadCount));
    }

    [Fact]
    [Trait("Requirement", "R22")]
    public async Task Who_joins_again_begins_anew()
    {
        await ChangeAsync(Alice, joins: [Alice, Bob]);                // 1
        await AppendAsync(Text(Alice, "2", at: 2), Group);            // 2
        await AdvanceAsync(Bob, 2, 2, at: 3, Group);
        await ChangeAsync(Bob, leaves: [Bob], at: 4);                 // 3
        await AppendAsync(Text(Alice, "4", at: 5), Group);            // 4
        await ChangeAsync(Alice, joins: [Bob], at: 6);                // 5
        await AppendAsync(Text(Alice, "6", at: 7), Group);            // 6
        Assert.Equal(new MemberState(4, 4, 4, 0), await MemberAsync(Bob, Group));
        Assert.Equal(1, (await ViewAsync(Bob, Group)).UnreadCount);
        await AdvanceAsync(Bob, 6, 0, at: 8, Group);
        Same(new(At(8), null), await Store.GetReceiptTimesAsync(Group.Id, Bob, 6, Token));
        Same(new(null, null), await Store.GetReceiptTimesAsync(Group.Id, Bob, 2, Token));
        await RestartAsync();
        Assert.Equal(new MemberState(4, 6, 4, 0), await MemberAsync(Bob, Group));
    }

    [Fact]
    [Trait("Requirement", "R22")]
    public async Task Who_joins_with_history_sees_what_came_before_and_nothing_of_it_is_unread_or_delivered_to_him()
    {
        await ChangeAsync(Alice, joins: [Alice, Bob]);                                    // 1
        await AppendAsync(Text(Alice, "before Carol", at: 2), Group);                     // 2
        await AdvanceAsync(Bob, 2, 1, at: 3, Group);
        await ChangeAsync(Alice, joins: [Carol], at: 4, seesHistory: true);               // 3
        await CheckAsync();
        // Where he is already he can't get to.
        Assert.Equal(AdvanceStatus.Held, (await AdvanceAsync(Carol, 2, 2, at: 5, Group)).Status);
        await RestartAsync();
        await CheckAsync();

        await AppendAsync(Text(Alice, "all three", at: 6), Group);                        // 4
        await AdvanceAsync(Carol, 4, 4, at: 7, Group);
        Assert.Equal(new MemberState(2, 4, 4, 0) { SeesAfter = 0 }, await MemberAsync(Carol, Group));
        Same([new MemberReceipt(Bob, true, new(At(3), null))], await Store.GetReceiptsAsync(Group.Id, 2, Token));
        Assert.Contains(await Store.GetReceiptsAsync(Group.Id, 3, Token), r => r.User == Carol && r.Times == new ReceiptTimes(At(7), At(7)));

        async Task CheckAsync()
        {
            Assert.Equal(new MemberState(2, 2, 2, 0) { SeesAfter = 0 }, await MemberAsync(Carol, Group));
            foreach (var carol in (ConversationView[])[await ViewAsync(Carol, Group), Assert.Single(await Store.ListConversationsAsync(Carol, At(4), Token))])
            {
                Assert.Equal((3, 0, "before Carol", At(2)), (carol.HeadSeq, carol.UnreadCount, carol.Preview, carol.LastMessageAt));
                // The slowest is Bob, as before her.
                Assert.Equal((2, 1), (carol.OthersDeliveredSeq, carol.OthersReadSeq));
            }

            Same([new MemberReceipt(Bob, true, new(At(3), null))], await Store.GetReceiptsAsync(Group.Id, 2, Token));
            Same(new(null, null), await Store.GetReceiptTimesAsync(Group.Id, Carol, 2, Token));
        }
    }

    [Fact]
    [Trait("Requirement", "R22")]
    public async Task Who_comes_back_with_history_sees_what_he_missed_and_without_it_begins_anew()
    {
        await ChangeAsync(Alice, joins: [Alice, Bob]);                                    // 1
        await AppendAsync(Text(Alice, "2", at: 2), Group);                                // 2
        await AdvanceAsync(Bob, 2, 2, at: 3, Group);
        await ChangeAsync(Bob, leaves: [Bob], at: 4);                                     // 3
        await AppendAsync(Text(Alice, "missed", at: 5), Group);                           // 4
        await ChangeAsync(Alice, joins: [Bob], at: 6, seesHistory: true);                 // 5
        Assert.Equal(new MemberState(4, 4, 4, 0) { SeesAfter = 0 }, await MemberAsync(Bob, Group));
        var bob = await ViewAsync(Bob, Group);
        Assert.Equal((5, 0, "missed", At(5)), (bob.HeadSeq, bob.UnreadCount, bob.Preview, bob.LastMessageAt));
        // Neither time was he there.
        Assert.Empty(await Store.GetReceiptsAsync(Group.Id, 2, Token));
        Assert.Empty(await Store.GetReceiptsAsync(Group.Id, 4, Token));

        await ChangeAsync(Bob, leaves: [Bob], at: 7);                                     // 6
        await AppendAsync(Text(Alice, "after", at: 8), Group);                            // 7
        Assert.Equal(new MemberState(4, 4, 4, 0, LeftSeq: 6) { SeesAfter = 0 }, await MemberAsync(Bob, Group));
        bob = await ViewAsync(Bob, Group);
        Assert.Equal((6, 0, null, At(7)), (bob.HeadSeq, bob.UnreadCount, bob.Preview, bob.LastMessageAt));
        Assert.False((await MemberAsync(Bob, Group)).Sees(7));

        await ChangeAsync(Alice, joins: [Bob], at: 9);                                    // 8
        Assert.Equal(new MemberState(7, 7, 7, 0), await MemberAsync(Bob, Group));
        bob = await ViewAsync(Bob, Group);
        Assert.Equal((null, At(9)), (bob.Preview, bob.LastMessageAt));
        await RestartAsync();
        Assert.Equal(new MemberState(7, 7, 7, 0), await MemberAsync(Bob, Group));
    }

    [Fact]
    [Trait("Requirement", "R22")]
    public async Task What_who_joins_may_see_is_decided_once()
    {
        var joins = System(Alice) with { Members = [new(Alice, true), new(Bob, true)] };
        await AppendAsync(Text(Carol, "1"), Group);
        await AppendAsync(joins, Group);                                                  // 2
        // He is in already; and the entry is there already.
        await ChangeAsync(Alice, joins: [Bob], seesHistory: true);                        // 3
        var repeated = joins with { Id = new(Guid.NewGuid()), Members = [new(Alice, true, true), new(Bob, true, true)] };
        Assert.Equal(AppendStatus.Duplicate, (await AppendAsync(repeated, Group)).Status);
        Assert.Equal(new MemberState(1, 1, 1, 0), await MemberAsync(Bob, Group));
        await ChangeAsync(Alice, joins: [Carol], seesHistory: true);                      // 4
        await ChangeAsync(Alice, joins: [Carol]);                                         // 5
        Assert.Equal(new MemberState(3, 3, 3, 0) { SeesAfter = 0 }, await MemberAsync(Carol, Group));
        // Of who leaves it says nothing.
        await AppendAsync(System(Alice) with { Members = [new(Bob, false, true)] }, Group);
        Assert.Equal(new MemberState(1, 1, 1, 0, LeftSeq: 6), await MemberAsync(Bob, Group));
    }

    [Fact]
    [Trait("Requirement", "R22")]
    public async Task Who_sees_what_came_before_hides_and_clears_it()
    {
        await ChangeAsync(Alice, joins: [Alice]);                                         // 1
        await AppendAsync(Text(Alice, "2", at: 2), Group);                                // 2
        await AppendAsync(Text(Alice, "3", at: 3), Group);                                // 3
        await ChangeAsync(Alice, joins: [Carol], at: 4, seesHistory: true);               // 4
        Assert.True(await Store.HideAsync(Group.Id, Carol, [3], At(5), Token));
        Assert.Equal([3], await Store.ReadHiddenAsync(Group.Id, Carol, 0, long.MaxValue, Token));
        Assert.Equal((null, 0L, At(5)), (await ViewAsync(Carol, Group)) is var hid ? (hid.Preview, hid.UnreadCount, hid.ChangedAt) : default);
        var cleared = await Store.ClearAsync(Group.Id, Carol, 2, At(6), Token);
        Assert.Equal((AdvanceStatus.Moved, false), (cleared.Status, cleared.ReadMoved));
        Assert.Equal(new MemberState(3, 3, 3, 2) { SeesAfter = 0 }, cleared.Member);
        await AppendAsync(Text(Alice, "5", at: 7), Group);                                // 5
        Assert.Equal(("5", 1L), (await ViewAsync(Carol, Group)) is var now ? (now.Preview, now.UnreadCount) : default);
        Assert.Equal("5", (await ViewAsync(Alice, Group)).Preview);
    }

    [Fact]
    [Trait("Requirement", "R20")]
    public async Task Joining_again_and_leaving_of_strangers_change_nothing_and_a_repeated_entry_is_not_applied_again()
    {
        await ChangeAsync(Alice, joins: [Alice, Bob]);
        await AppendAsync(Text(Alice, "2"), Group);
        await AdvanceAsync(Bob, 2, 2, chat: Group);
        await ChangeAsync(Alice, joins: [Bob], leaves: [Carol]);
        Assert.Equal(new MemberState(0, 2, 2, 0), await MemberAsync(Bob, Group));
        Assert.Null(await Store.GetMemberAsync(Group.Id, Carol, Token));

        var leaves = System(Alice) with { Members = [new(Bob, false)] };
        Assert.Equal(4, (await AppendAsync(leaves, Group)).Entry.Seq);
        await ChangeAsync(Alice, joins: [Bob]);
        Assert.Equal(AppendStatus.Duplicate, (await AppendAsync(leaves with { Id = new(Guid.NewGuid()) }, Group)).Status);
        Assert.Equal(new MemberState(4, 4, 4, 0), await MemberAsync(Bob, Group));
    }

    [Fact]
    public async Task Only_a_system_entry_of_a_group_changes_members()
    {
        MemberChange[] changes = [new(Bob, true)];
        await Assert.ThrowsAnyAsync<ArgumentException>(() => AppendAsync(System(Alice) with { Members = changes }));
        await Assert.ThrowsAnyAsync<ArgumentException>(() => AppendAsync(Text(Alice, "x") with { Members = changes }, Group));
        await Assert.ThrowsAnyAsync<ArgumentException>(
            () => AppendAsync(System(Alice) with { Members = [new(Bob, true), new(Bob, false)] }, Group));
        await Assert.ThrowsAnyAsync<ArgumentException>(() => AppendAsync(System(Alice), Group with { Members = [Alice] }));
        await Assert.ThrowsAnyAsync<ArgumentException>(() => AppendAsync(System(Alice), Group with { Id = Chat.Id }));
        Assert.Null(await Store.GetConversationAsync(Group.Id, Token));
    }

    [Fact]
    [Trait("Requirement", "R12")]
    public async Task A_groups_ticks_are_the_lowest_of_all_and_told_once_when_they_rise()
    {
        await ChangeAsync(Alice, joins: [Alice, Bob, Carol]);          // 1
        await AppendAsync(Text(Alice, "2"), Group);                    // 2
        await AppendAsync(Text(Alice, "3"), Group);                    // 3
        Assert.Null((await AdvanceAsync(Bob, 3, 3, chat: Group)).Lowest);
        Same(new LowestRise(0, 0, 2, 0), (await AdvanceAsync(Carol, 2, 0, at: 9, chat: Group)).Lowest);
        var view = await ViewAsync(Alice, Group);
        Assert.Equal((2, 0, At(9)), (view.OthersDeliveredSeq, view.OthersReadSeq, view.ChangedAt));

        // In one call: told on the last that moved.
        var outcomes = await Store.AdvanceAsync(
            [new(Carol, Group.Id, 3, 1), new(Carol, Chat.Id, 1, 1), new(Bob, Group.Id, 3, 3)], At(10), Token);
        Assert.Equal([AdvanceStatus.Moved, AdvanceStatus.NotFound, AdvanceStatus.Held], outcomes.Select(o => o.Status));
        Same(new LowestRise(2, 0, 3, 1), outcomes[0].Lowest);

        // By sending, and by leaving of who held it.
        Same(new LowestRise(3, 1, 3, 3), (await AppendAsync(Text(Carol, "4"), Group)).Lowest);
        await AdvanceAsync(Alice, 4, 4, chat: Group);
        Assert.Equal(4, (await MemberAsync(Carol, Group)).ReadSeq);
        Same(new LowestRise(3, 3, 4, 4), (await ChangeAsync(Alice, leaves: [Bob])).Lowest);
        Assert.Equal((4, 4), ((await ViewAsync(Alice, Group)).OthersDeliveredSeq, (await ViewAsync(Alice, Group)).OthersReadSeq));
        Assert.Equal(3, (await ViewAsync(Bob, Group)).Member.ReadSeq);
    }

    [Fact]
    [Trait("Requirement", "R12")]
    public async Task Five_hundred_members_rise_together_and_each_has_its_time()
    {
        UserId[] members = [.. Enumerable.Range(0, 499).Select(_ => UserId.New()).Append(Alice)];
        await ChangeAsync(Alice, joins: members);
        for (var i = 2; i <= 4; i++) await AppendAsync(Text(Alice, $"{i}", at: i), Group);
        MemberPosition[] rises = [.. members.Where(m => m != Alice).Select((m, i) => new MemberPosition(m, Group.Id, 4, i % 2 == 0 ? 3 : 0))];
        var outcomes = await Store.AdvanceAsync(rises, At(20), Token);
        Assert.All(outcomes, o => Assert.Equal(AdvanceStatus.Moved, o.Status));
        Same(new LowestRise(0, 0, 4, 0), Assert.Single(outcomes, o => o.Lowest is not null).Lowest);
        Assert.Same(outcomes[^1], outcomes.Single(o => o.Lowest is not null));

        var receipts = await Store.GetReceiptsAsync(Group.Id, 3, Token);
        Assert.Equal(rises.Select(r => r.User).Order(), receipts.Select(r => r.User));
        foreach (var (member, isMember, times) in receipts)
        {
            Assert.True(isMember);
            Same(new(At(20), rises.Single(r => r.User == member).ReadSeq > 0 ? At(20) : null), times);
        }

        Assert.All(await Store.GetReceiptsAsync(Group.Id, 4, Token), r => Assert.Null(r.Times.ReadAt));
        var views = await Store.GetViewsAsync(Group.Id, [.. members, Bob], Token);
        Assert.Null(views[^1]);
        Assert.Equal(views.Select(view => view?.Member), await Store.GetMembersAsync(Group.Id, [.. members, Bob], Token));
        for (var i = 0; i < members.Length; i++) Same(await Store.GetViewAsync(Group.Id, members[i], Token), views[i]);
    }

    [Fact]
    [Trait("Requirement", "R12")]
    public async Task Who_leaves_has_the_entry_that_says_so_when_he_acknowledges_it()
    {
        await ChangeAsync(Alice, joins: [Alice, Bob], at: 1);
        await ChangeAsync(Bob, leaves: [Bob], at: 2);
        Same(new(null, null), await Store.GetReceiptTimesAsync(Group.Id, Bob, 2, Token));
        await AdvanceAsync(Bob, 2, 0, at: 9, Group);
        Same(new(At(9), null), await Store.GetReceiptTimesAsync(Group.Id, Bob, 2, Token));
        await ChangeAsync(Alice, joins: [Carol], at: 10);
        await ChangeAsync(Carol, at: 11);
        Same(new(At(11), At(11)), await Store.GetReceiptTimesAsync(Group.Id, Carol, 4, Token));
    }

    [Fact]
    [Trait("Requirement", "R12")]
    public async Task Receipts_are_of_those_who_could_see_the_entry()
    {
        await ChangeAsync(Alice, joins: [Alice, Bob, Carol]);          // 1
        await AppendAsync(Text(Alice, "2"), Group);                    // 2
        var late = UserId.New();
        await ChangeAsync(Alice, joins: [late]);                       // 3
        await AdvanceAsync(Bob, 2, 0, at: 7, Group);
        await ChangeAsync(Alice, leaves: [Bob, Carol]);                // 4
        Same([new MemberReceipt(Bob, false, new(At(7), null))], await Store.GetReceiptsAsync(Group.Id, 2, Token));
        Assert.Empty(await Store.GetReceiptsAsync(Group.Id, 9, Token));
        Assert.Equal([late], (await Store.GetReceiptsAsync(Group.Id, 4, Token)).Where(r => r.IsMember).Select(r => r.User));
    }

    [Fact]
    [Trait("Requirement", "R6")]
    public async Task A_group_is_listed_as_changed_when_somebody_writes_or_the_lowest_rises()
    {
        await ChangeAsync(Alice, joins: [Alice, Bob, Carol], at: 10);
        await AppendAsync(Text(Alice, "2", at: 20), Group);
        await AdvanceAsync(Bob, 2, 2, at: 30, Group);
        Assert.Equal([Group.Id], await ChangedAsync(Carol, since: 20));
        Assert.Empty(await ChangedAsync(Carol, since: 21));
        Assert.Equal([Group.Id], await ChangedAsync(Bob, since: 30));
        await AdvanceAsync(Carol, 2, 0, at: 40, Group);
        Assert.Equal([Group.Id], await ChangedAsync(Alice, since: 40));
        await ChangeAsync(Alice, leaves: [Carol], at: 50);
        await AppendAsync(Text(Alice, "4", at: 60), Group);
        Assert.Equal([Group.Id], await ChangedAsync(Carol, since: 50));
        Assert.Empty(await ChangedAsync(Carol, since: 60));
        Assert.Empty(await ChangedAsync(UserId.New(), since: 0));
        await RestartAsync();
        Assert.Equal([Group.Id], await ChangedAsync(Bob, since: 60));
    }

    [Fact]
    [Trait("Requirement", "R12")]
    public async Task Racing_rises_leave_the_lowest_where_the_slowest_is()
    {
        UserId[] members = [.. Enumerable.Range(0, 20).Select(_ => UserId.New())];
        await ChangeAsync(members[0], joins: members);
        for (var i = 2; i <= 10; i++) await AppendAsync(Text(members[0], $"{i}"), Group);
        var rises = await Task.WhenAll(members.Skip(1).SelectMany(m => Enumerable.Range(1, 5).Select(i => AdvanceAsync(m, i * 2, i, chat: Group))));
        var view = await ViewAsync(members[0], Group);
        Assert.Equal((10, 5), (view.OthersDeliveredSeq, view.OthersReadSeq));
        Assert.Contains(rises, r => r.Lowest?.DeliveredSeq == 10);
        Assert.Contains(rises, r => r.Lowest?.ReadSeq == 5);
    }

    private async Task<AppendOutcome> ChangeAsync(
        UserId by, IReadOnlyList<UserId>? joins = null, IReadOnlyList<UserId>? leaves = null, double at = 0, bool seesHistory = false)
    {
        var outcome = await AppendAsync(System(by, at) with
        {
            Members = [.. (joins ?? []).Select(u => new MemberChange(u, true, seesHistory)), .. (leaves ?? []).Select(u => new MemberChange(u, false))],
        }, Group);
        Assert.Equal(AppendStatus.Appended, outcome.Status);
        return outcome;
    }

    private async Task<IReadOnlyList<ConversationId>> ChangedAsync(UserId user, double since) =>
        [.. (await Store.ListConversationsAsync(user, At(since), Token)).Select(v => v.Shape.Id)];
}
