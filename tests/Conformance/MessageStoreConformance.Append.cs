using WhatsAspire.Contracts;
using WhatsAspire.MessageApi.Storage;
using Xunit;

namespace WhatsAspire.Conformance;

public abstract partial class MessageStoreConformance
{
    [Fact]
    [Trait("Requirement", "R4")]
    public async Task Entries_have_the_seqs_1_2_3_in_the_order_of_the_appends()
    {
        for (var i = 1; i <= 20; i++) Assert.Equal(i, (await SendAsync(i % 2 == 0 ? Alice : Bob, $"m{i}", i)).Seq);

        var log = await LogAsync();
        Assert.Equal(Enumerable.Range(1, 20).Select(i => (long)i), log.Select(e => e.Seq));
        Assert.Equal(Enumerable.Range(1, 20).Select(i => $"m{i}"), log.Select(TextOf));
    }

    [Fact]
    public async Task The_stored_entry_is_what_was_appended()
    {
        var reply = await SendAsync(Bob, "first");
        var entry = Text(Alice, "grüße 👋 на здоровье", 5) with { ReplyTo = reply.Id };
        var stored = (await AppendAsync(entry)).Entry;

        Assert.Equal(Chat.Id, stored.Conversation);
        Assert.Equal(2, stored.Seq);
        Assert.Equal(entry.Id, stored.Id);
        Assert.Equal(Alice, stored.Sender);
        Assert.Equal(entry.ClientMessageId, stored.ClientMessageId);
        Assert.Equal(EntryKind.Text, stored.Kind);
        Assert.Equal("grüße 👋 на здоровье", TextOf(stored));
        Assert.Equal(reply.Id, stored.ReplyTo);
        Assert.Equal(At(5), stored.CreatedAt);
        Assert.Null(stored.EditedAt);
        Assert.False(stored.Deleted);
        Assert.Equal(2, stored.VisibleNumber);
        Same(stored, await Store.FindAsync(entry.Id, Token));
        Same(stored, (await LogAsync())[1]);
    }

    [Fact]
    public async Task The_longest_text_and_client_message_id_are_kept_whole()
    {
        var text = string.Concat(Enumerable.Repeat("😀", Limits.TextLength));
        var key = new string('k', Limits.ClientMessageIdLength);
        var stored = (await AppendAsync(Text(Alice, text, key: key))).Entry;
        Assert.Equal(text, TextOf(stored));
        Same(stored, await Store.FindAsync(stored.Id, Token));
        Assert.Equal(key, Assert.Single(await LogAsync()).ClientMessageId);
    }

    [Fact]
    public async Task Several_entries_of_one_call_are_appended_in_their_order()
    {
        var entries = Enumerable.Range(1, 256).Select(i => Text(i % 3 == 0 ? Alice : Bob, $"m{i}", i)).ToArray();
        var outcomes = await Store.AppendAsync(Chat, entries, Token);
        Assert.Equal(256, outcomes.Count);
        Assert.All(outcomes, o => Assert.Equal(AppendStatus.Appended, o.Status));
        Assert.Equal(entries.Select(e => e.Id), (await LogAsync()).Select(e => e.Id));
        Same(await LogAsync(), outcomes.Select(o => o.Entry).ToArray());
    }

    [Fact]
    public async Task Fewer_than_1_or_more_than_256_entries_are_refused()
    {
        var tooMany = Enumerable.Range(0, 257).Select(i => Text(Alice, $"m{i}")).ToArray();
        await Assert.ThrowsAnyAsync<ArgumentException>(() => Store.AppendAsync(Chat, [], Token));
        await Assert.ThrowsAnyAsync<ArgumentException>(() => Store.AppendAsync(Chat, tooMany, Token));
        Assert.Empty(await LogAsync());
    }

    [Fact]
    public async Task CreatedAt_never_falls_with_rising_seq()
    {
        Assert.Equal(At(10), (await SendAsync(Alice, "a", 10)).CreatedAt);
        Assert.Equal(At(10), (await SendAsync(Bob, "b", 3)).CreatedAt);
        Assert.Equal(At(11), (await SendAsync(Alice, "c", 11)).CreatedAt);
        Assert.Equal([At(10), At(10), At(11)], (await LogAsync()).Select(e => e.CreatedAt));
    }

    [Fact]
    [Trait("Requirement", "R2")]
    public async Task The_same_client_message_id_with_the_same_content_gives_the_entry_that_was_stored_first()
    {
        var entry = Text(Alice, "once", 1, key: "k");
        var first = await AppendAsync(entry);
        await SendAsync(Bob, "between", 2);
        var again = await AppendAsync(entry with { Id = new(Guid.NewGuid()), CreatedAt = At(9) });

        Assert.Equal(AppendStatus.Duplicate, again.Status);
        Same(first.Entry, again.Entry);
        Assert.Equal(2, (await LogAsync()).Count);
        Assert.Equal(3, (await SendAsync(Bob, "after", 10)).Seq);
    }

    [Fact]
    [Trait("Requirement", "R2")]
    public async Task The_same_client_message_id_with_another_content_is_a_conflict_and_takes_no_seq()
    {
        var first = await AppendAsync(Text(Alice, "one", key: "k"));
        var second = await AppendAsync(Text(Alice, "other", key: "k"));
        Assert.Equal(AppendStatus.Conflict, second.Status);
        Same(first.Entry, second.Entry);
        Assert.Equal("one", TextOf(Assert.Single(await LogAsync())));
    }

    [Fact]
    [Trait("Requirement", "R2")]
    public async Task A_client_message_id_is_one_over_all_conversations_of_a_sender()
    {
        var other = ConversationShape.Direct(Alice, UserId.New());
        var first = await AppendAsync(Text(Alice, "here", key: "k"));
        var second = await AppendAsync(Text(Alice, "there", key: "k"), other);
        Assert.Equal(AppendStatus.Conflict, second.Status);
        Same(first.Entry, second.Entry);
        Assert.Null(await Store.GetConversationAsync(other.Id, Token));
        Assert.Empty(await Store.ListConversationsAsync(other.Members[1], DateTimeOffset.MinValue, Token));
    }

    [Fact]
    [Trait("Requirement", "R2")]
    public async Task What_a_repeated_append_would_answer_can_be_asked_without_appending()
    {
        var entry = Text(Alice, "once", key: "k");
        Assert.Null(await Store.FindSentAsync(Alice, "k", entry.ContentHash, Token));
        Assert.Null(await Store.GetConversationAsync(Chat.Id, Token));
        var first = await AppendAsync(entry);
        Same(first with { Status = AppendStatus.Duplicate, SenderReadBefore = 1 },
            await Store.FindSentAsync(Alice, "k", entry.ContentHash, Token));
        Same(first with { Status = AppendStatus.Conflict, SenderReadBefore = 1 },
            await Store.FindSentAsync(Alice, "k", entry.ContentHash + 1, Token));
        Assert.Null(await Store.FindSentAsync(Bob, "k", entry.ContentHash, Token));
        Assert.Single(await LogAsync());
    }

    [Fact]
    public async Task Another_sender_may_use_the_same_client_message_id()
    {
        Assert.Equal(AppendStatus.Appended, (await AppendAsync(Text(Alice, "a", key: "k"))).Status);
        Assert.Equal(AppendStatus.Appended, (await AppendAsync(Text(Bob, "b", key: "k"))).Status);
    }

    [Fact]
    [Trait("Requirement", "R2")]
    public async Task Duplicates_within_one_call_are_found_too()
    {
        var entry = Text(Alice, "a", key: "k");
        var outcomes = await Store.AppendAsync(
            Chat, [entry, Text(Bob, "b"), entry with { Id = new(Guid.NewGuid()) }, Text(Alice, "x", key: "k"), Text(Bob, "c")], Token);
        Assert.Equal(
            [AppendStatus.Appended, AppendStatus.Appended, AppendStatus.Duplicate, AppendStatus.Conflict, AppendStatus.Appended],
            outcomes.Select(o => o.Status));
        Assert.Equal([1L, 2L, 1L, 1L, 3L], outcomes.Select(o => o.Entry.Seq));
        Assert.Equal(["a", "b", "c"], (await LogAsync()).Select(TextOf));
    }

    [Fact]
    [Trait("Requirement", "R2")]
    public async Task The_same_call_made_many_times_at_once_takes_effect_once()
    {
        var entries = Enumerable.Range(0, 5).Select(i => Text(Alice, $"m{i}", i)).ToArray();
        var calls = await Task.WhenAll(Enumerable.Range(0, 40).Select(_ => Store.AppendAsync(Chat, entries, Token)));
        Assert.Equal(5, (await LogAsync()).Count);
        for (var i = 0; i < entries.Length; i++)
        {
            Assert.Single(calls, c => c[i].Status == AppendStatus.Appended);
            Assert.Equal(39, calls.Count(c => c[i].Status == AppendStatus.Duplicate));
            Assert.All(calls, c => Assert.Equal(i + 1, c[i].Entry.Seq));
        }
    }

    [Fact]
    [Trait("Requirement", "R4")]
    public async Task Appends_to_one_conversation_take_effect_in_the_order_of_the_calls()
    {
        var calls = new List<Task<IReadOnlyList<AppendOutcome>>>();
        for (var i = 1; i <= 300; i++) calls.Add(Store.AppendAsync(Chat, [Text(Alice, $"m{i}", i)], Token));
        var outcomes = await Task.WhenAll(calls);
        Assert.Equal(Enumerable.Range(1, 300).Select(i => (long)i), outcomes.Select(o => o[0].Entry.Seq));
    }

    [Fact]
    public async Task A_conversation_exists_from_its_first_entry_with_its_members_and_head()
    {
        Assert.Null(await Store.GetConversationAsync(Chat.Id, Token));
        Assert.Null(await Store.GetMemberAsync(Chat.Id, Alice, Token));
        Assert.Null(await Store.GetViewAsync(Chat.Id, Alice, Token));
        Assert.Empty(await LogAsync());

        await SendAsync(Alice, "a", 1);
        await AppendAsync(System(Alice, 2));
        var state = await Store.GetConversationAsync(Chat.Id, Token);
        Assert.NotNull(state);
        Assert.Equal(ConversationKind.Direct, state.Shape.Kind);
        Assert.Equal(Chat.Id, state.Shape.Id);
        Assert.Equal(Chat.Members.Order(), state.Shape.Members.Order());
        Assert.Equal(2, state.HeadSeq);
        Assert.Equal(1, state.HeadVisibleNumber);
        Assert.Equal(At(2), state.LastCreatedAt);
    }

    [Fact]
    public async Task An_appended_entry_appears_everywhere()
    {
        var entry = await SendAsync(Alice, "a", 1);
        Same(entry, await Store.FindAsync(entry.Id, Token));
        Same(entry, Assert.Single(await LogAsync()));
        foreach (var user in (UserId[])[Alice, Bob])
        {
            var view = Assert.Single(await Store.ListConversationsAsync(user, DateTimeOffset.MinValue, Token));
            Assert.Equal(1, view.HeadSeq);
        }
    }

    [Fact]
    public async Task Only_messages_that_a_person_reads_count_as_visible()
    {
        var first = await SendAsync(Alice, "a");
        await AppendAsync(System(Alice));
        await SendAsync(Bob, "b");
        await AppendAsync(Delete(Alice, first));
        Assert.Equal([1L, 1L, 2L, 2L], (await LogAsync()).Select(e => e.VisibleNumber));
    }

    [Fact]
    [Trait("Requirement", "R13")]
    public async Task Sending_raises_the_senders_own_positions()
    {
        await SendAsync(Alice, "a", 1);
        await SendAsync(Alice, "b", 2);
        var outcome = await AppendAsync(Text(Bob, "c", 3));
        Assert.Equal(0, outcome.SenderReadBefore);
        Assert.Equal(3, (await AppendAsync(Text(Bob, "d", 4))).SenderReadBefore);
        Assert.Equal(new MemberState(0, 4, 4, 0), await MemberAsync(Bob));
        Assert.Equal(new MemberState(0, 2, 2, 0), await MemberAsync(Alice));
    }

    [Fact]
    public async Task A_user_may_write_to_himself()
    {
        var self = ConversationShape.Direct(Alice, Alice);
        await AppendAsync(Text(Alice, "note", 1), self);
        var view = Assert.Single(await Store.ListConversationsAsync(Alice, DateTimeOffset.MinValue, Token));
        Assert.Equal([Alice], view.Shape.Members);
        Assert.Equal(0, view.UnreadCount);
        Assert.Equal("note", view.Preview);
        Assert.Equal(1, view.OthersDeliveredSeq);
        Assert.Equal(1, view.OthersReadSeq);
    }
}
