using WhatsAspire.Contracts;
using WhatsAspire.MessageApi.Storage;
using Xunit;

namespace WhatsAspire.Conformance;

public abstract partial class MessageStoreConformance
{
    [Fact]
    [Trait("Requirement", "R13")]
    public async Task Unread_are_the_visible_messages_of_others_after_the_read_position()
    {
        await SendAsync(Alice, "1");
        await AppendAsync(System(Alice));
        await SendAsync(Alice, "3");
        await SendAsync(Alice, "4");
        Assert.Equal(3, (await ViewAsync(Bob)).UnreadCount);
        Assert.Equal(0, (await ViewAsync(Alice)).UnreadCount);

        await AdvanceAsync(Bob, 0, 2);
        Assert.Equal(2, (await ViewAsync(Bob)).UnreadCount);
        await AdvanceAsync(Bob, 4, 0);
        Assert.Equal(2, (await ViewAsync(Bob)).UnreadCount);
        await AdvanceAsync(Bob, 0, 4);
        Assert.Equal(0, (await ViewAsync(Bob)).UnreadCount);

        await SendAsync(Alice, "5");
        await SendAsync(Bob, "6");
        await SendAsync(Alice, "7");
        Assert.Equal(1, (await ViewAsync(Bob)).UnreadCount);
        Assert.Equal(0, (await ViewAsync(Alice)).UnreadCount);
    }

    [Fact]
    [Trait("Requirement", "R13")]
    public async Task Muted_archived_and_pinned_are_the_members_own_and_stay()
    {
        await SendAsync(Alice, "1", at: 1);
        Assert.True(await Store.SetAsync(Chat.Id, Bob, new(MutedUntil: At(500), Pinned: true), At(2), Token));
        Assert.True(await Store.SetAsync(Chat.Id, Bob, new(Archived: true, Pinned: false), At(3), Token));
        Assert.False(await Store.SetAsync(Chat.Id, UserId.New(), new(Archived: true), At(3), Token));
        await RestartAsync();
        var view = await ViewAsync(Bob);
        Assert.Equal(new(At(500), true, false), view.Settings);
        Assert.Equal(At(3), view.ChangedAt);
        Assert.Equal(new(), (await ViewAsync(Alice)).Settings);
        Assert.True(await Store.SetAsync(Chat.Id, Bob, new(Archived: true), At(9), Token));
        Assert.Equal(At(3), (await ViewAsync(Bob)).ChangedAt);
    }

    [Fact]
    [Trait("Requirement", "R13")]
    public async Task Hidden_messages_do_not_count_as_unread()
    {
        for (var i = 1; i <= 5; i++) await SendAsync(Alice, $"m{i}");
        await AppendAsync(System(Alice));
        await AdvanceAsync(Bob, 0, 2);
        await Store.HideAsync(Chat.Id, Bob, [1, 3, 4, 6], At(1), Token);
        Assert.Equal(1, (await ViewAsync(Bob)).UnreadCount);
        await Store.HideAsync(Chat.Id, Bob, [3], At(2), Token);
        Assert.Equal(1, (await ViewAsync(Bob)).UnreadCount);
        await AdvanceAsync(Bob, 0, 3);
        Assert.Equal(1, (await ViewAsync(Bob)).UnreadCount);
        await AdvanceAsync(Bob, 0, 5);
        Assert.Equal(0, (await ViewAsync(Bob)).UnreadCount);
    }

    [Fact]
    [Trait("Requirement", "R13")]
    public async Task A_view_has_shape_head_and_everyones_positions()
    {
        for (var i = 1; i <= 4; i++) await SendAsync(Alice, $"m{i}", i);
        await AdvanceAsync(Bob, 3, 2);
        var view = await ViewAsync(Alice);
        Assert.Equal(Chat.Id, view.Shape.Id);
        Assert.Equal(Chat.Members.Order(), view.Shape.Members.Order());
        Assert.Equal(4, view.HeadSeq);
        Assert.Equal(new MemberState(0, 4, 4, 0), view.Member);
        Assert.Equal(3, view.OthersDeliveredSeq);
        Assert.Equal(2, view.OthersReadSeq);
        Assert.Equal(At(4), view.LastMessageAt);
        var bobs = await ViewAsync(Bob);
        Assert.Equal(new MemberState(0, 3, 2, 0), bobs.Member);
        Assert.Equal((4, 4), (bobs.OthersDeliveredSeq, bobs.OthersReadSeq));
    }

    [Fact]
    [Trait("Requirement", "R13")]
    public async Task The_preview_is_the_newest_visible_message()
    {
        await SendAsync(Alice, "old", 1);
        await SendAsync(Bob, "new", 2);
        await AppendAsync(System(Alice, 3));
        var view = await ViewAsync(Alice);
        Assert.Equal("new", view.Preview);
        Assert.Equal(At(2), view.LastMessageAt);
    }

    [Fact]
    public async Task Without_a_visible_message_there_is_no_preview_and_the_time_is_the_newest_entrys()
    {
        await AppendAsync(System(Alice, 3));
        await AppendAsync(System(Alice, 4));
        var view = await ViewAsync(Bob);
        Assert.Null(view.Preview);
        Assert.Equal(At(4), view.LastMessageAt);
        Assert.Equal(0, view.UnreadCount);
    }

    [Fact]
    [Trait("Requirement", "R8")]
    public async Task There_is_no_preview_when_the_newest_visible_message_is_deleted_hidden_or_cleared()
    {
        await SendAsync(Alice, "old", 1);
        var newest = await SendAsync(Alice, "new", 2);
        await Store.HideAsync(Chat.Id, Bob, [newest.Seq], At(3), Token);
        Assert.Null((await ViewAsync(Bob)).Preview);
        Assert.Equal(At(2), (await ViewAsync(Bob)).LastMessageAt);
        Assert.Equal("new", (await ViewAsync(Alice)).Preview);

        await Store.ClearAsync(Chat.Id, Alice, 2, At(4), Token);
        Assert.Null((await ViewAsync(Alice)).Preview);

        var third = await SendAsync(Bob, "third", 5);
        Assert.Equal("third", (await ViewAsync(Alice)).Preview);
        await AppendAsync(Delete(Bob, third, 6));
        Assert.Null((await ViewAsync(Alice)).Preview);
        Assert.Null((await ViewAsync(Bob)).Preview);
        Assert.Equal(At(5), (await ViewAsync(Bob)).LastMessageAt);
    }

    [Theory]
    [InlineData(100, "x", 100)]
    [InlineData(101, "x", 100)]
    [InlineData(60, "😀", 50)]
    public async Task A_preview_has_at_most_100_units(int count, string character, int kept)
    {
        await SendAsync(Alice, string.Concat(Enumerable.Repeat(character, count)));
        Assert.Equal(string.Concat(Enumerable.Repeat(character, kept)), (await ViewAsync(Bob)).Preview);
    }

    [Fact]
    public async Task A_preview_never_ends_with_half_a_character()
    {
        var start = new string('x', 99);
        await SendAsync(Alice, start + "😀 and more");
        Assert.Equal(start, (await ViewAsync(Bob)).Preview);
    }

    [Fact]
    [Trait("Requirement", "R13")]
    public async Task Conversations_are_listed_by_their_newest_message_and_then_by_id()
    {
        var chats = Enumerable.Range(0, 6).Select(_ => ConversationShape.Direct(Alice, UserId.New())).ToArray();
        double[] times = [10, 30, 20, 30, 5, 30];
        for (var i = 0; i < chats.Length; i++) await AppendAsync(Text(Alice, "m", times[i]), chats[i]);
        // An entry that nobody reads does not move a conversation up.
        await AppendAsync(System(Alice, 40), chats[0]);

        var expected = chats.Zip(times).OrderByDescending(c => c.Second).ThenBy(c => c.First.Id.ToString(), StringComparer.Ordinal)
            .Select(c => c.First.Id);
        var list = await Store.ListConversationsAsync(Alice, DateTimeOffset.MinValue, Token);
        Assert.Equal(expected, list.Select(v => v.Shape.Id));
        foreach (var view in list) Same(await Store.GetViewAsync(view.Shape.Id, Alice, Token), view);
    }

    [Fact]
    [Trait("Requirement", "R6")]
    public async Task A_list_since_a_time_has_what_changed_at_or_after_it()
    {
        async Task<bool> ListedAsync(UserId user, double since)
        {
            var list = await Store.ListConversationsAsync(user, At(since), Token);
            Assert.True(list.Count < 2);
            return list.Count == 1;
        }

        async Task ChangedAsync(double alice, double bob)
        {
            foreach (var (user, at) in new[] { (Alice, alice), (Bob, bob) })
            {
                Assert.True(await ListedAsync(user, at), $"changed at {at}");
                Assert.False(await ListedAsync(user, at + 1), $"unchanged after {at}");
                Assert.Equal(At(at), (await ViewAsync(user)).ChangedAt);
            }
        }

        await SendAsync(Alice, "a", 10);
        await SendAsync(Alice, "b", 20);
        await ChangedAsync(20, 20);
        await AdvanceAsync(Bob, 1, 0, at: 30);
        await ChangedAsync(30, 30);
        await AdvanceAsync(Bob, 1, 1, at: 40);
        await ChangedAsync(40, 40);
        await AdvanceAsync(Bob, 1, 1, at: 45);
        await ChangedAsync(40, 40);
        await Store.HideAsync(Chat.Id, Bob, [1], At(50), Token);
        await ChangedAsync(40, 50);
        await Store.HideAsync(Chat.Id, Bob, [1], At(55), Token);
        await ChangedAsync(40, 50);
        await Store.ClearAsync(Chat.Id, Alice, 1, At(60), Token);
        await ChangedAsync(60, 50);
        await Store.ClearAsync(Chat.Id, Bob, 2, At(70), Token);
        await ChangedAsync(70, 70);
        await AppendAsync(Delete(Alice, (await LogAsync())[0], 80));
        await ChangedAsync(80, 80);
    }

    [Fact]
    public async Task The_time_of_change_never_falls()
    {
        await SendAsync(Alice, "a", 100);
        await AdvanceAsync(Bob, 1, 1, at: 50);
        Assert.Equal(At(100), (await ViewAsync(Bob)).ChangedAt);
        Assert.Equal(At(100), (await ViewAsync(Alice)).ChangedAt);
    }
}
