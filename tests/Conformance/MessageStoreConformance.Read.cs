using WhatsAspire.Contracts;
using WhatsAspire.MessageApi.Storage;
using Xunit;

namespace WhatsAspire.Conformance;

public abstract partial class MessageStoreConformance
{
    [Theory]
    [InlineData(0, long.MaxValue, 1_000, false, "1 2 3 4 5 6 7 8 9")]
    [InlineData(0, long.MaxValue, 1_000, true, "9 8 7 6 5 4 3 2 1")]
    [InlineData(0, long.MaxValue, 3, false, "1 2 3")]
    [InlineData(0, long.MaxValue, 3, true, "9 8 7")]
    [InlineData(2, 6, 1_000, false, "3 4 5")]
    [InlineData(2, 6, 1_000, true, "5 4 3")]
    [InlineData(2, 6, 2, false, "3 4")]
    [InlineData(2, 6, 2, true, "5 4")]
    [InlineData(4, 5, 10, false, "")]
    [InlineData(4, 5, 10, true, "")]
    [InlineData(9, long.MaxValue, 10, false, "")]
    [InlineData(8, long.MaxValue, 10, true, "9")]
    [InlineData(0, 1, 10, true, "")]
    [InlineData(7, 3, 10, false, "")]
    [InlineData(long.MaxValue, long.MaxValue, 10, false, "")]
    [InlineData(5, 100, 10, true, "9 8 7 6")]
    [Trait("Requirement", "R7")]
    public async Task A_read_gives_the_entries_between_its_bounds_from_the_end_that_was_asked_for(
        long after, long before, int limit, bool newestFirst, string seqs)
    {
        // Neighbours on both sides, so that a walk beyond the conversation's end would find something.
        for (var i = 0; i < 4; i++) await AppendAsync(Text(Alice, "other"), ConversationShape.Direct(Alice, UserId.New()));
        await Store.AppendAsync(Chat, [.. Enumerable.Range(1, 9).Select(i => Text(Alice, $"m{i}"))], Token);
        var found = await Store.ReadAsync(Chat.Id, after, before, limit, newestFirst, Token);
        Assert.Equal(seqs, string.Join(' ', found.Select(e => e.Seq)));
        Assert.All(found, e => Assert.Equal($"m{e.Seq}", TextOf(e)));
    }

    [Fact]
    public async Task A_limit_below_1_or_above_1000_is_refused()
    {
        foreach (var limit in (int[])[0, -1, 1_001])
        {
            await Assert.ThrowsAnyAsync<ArgumentException>(async () =>
                await Store.ReadAsync(Chat.Id, 0, long.MaxValue, limit, false, Token));
        }
    }

    [Fact]
    public async Task A_conversation_that_does_not_exist_has_no_entries()
    {
        await SendAsync(Alice, "a");
        var nowhere = ConversationShape.Direct(Alice, UserId.New());
        Assert.Empty(await LogAsync(nowhere));
        Assert.Empty(await Store.ReadAsync(nowhere.Id, 0, long.MaxValue, 10, true, Token));
        Assert.Empty(await Store.ReadHiddenAsync(nowhere.Id, Alice, 0, long.MaxValue, Token));
    }

    [Fact]
    public async Task A_message_that_does_not_exist_is_not_found()
    {
        await SendAsync(Alice, "a");
        Assert.Null(await Store.FindAsync(new(Guid.NewGuid()), Token));
    }

    [Fact]
    public async Task A_cancelled_read_throws()
    {
        var cancelled = new CancellationToken(canceled: true);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
            await Store.ReadAsync(Chat.Id, 0, long.MaxValue, 10, false, cancelled));
    }

    [Fact]
    [Trait("Requirement", "R8")]
    public async Task Delete_for_everyone_removes_the_content_of_its_target_in_the_same_step()
    {
        await SendAsync(Alice, "stays", 1);
        var target = (await AppendAsync(Text(Alice, "secret", 2, key: "k") with { ReplyTo = new(Guid.NewGuid()) })).Entry;
        var outcome = await AppendAsync(Delete(Alice, target, 3));

        Assert.Equal(AppendStatus.Appended, outcome.Status);
        Assert.Equal(3, outcome.Entry.Seq);
        Assert.Equal(EntryKind.Delete, outcome.Entry.Kind);
        Assert.Equal(2, outcome.Entry.TargetSeq);
        Assert.Equal(target.Id, outcome.Entry.Target);
        var gone = target with { Text = default, ReplyTo = null, Deleted = true };
        var log = await LogAsync();
        Assert.Equal("stays", TextOf(log[0]));
        Same(gone, log[1]);
        Same(outcome.Entry, log[2]);
        Same(gone, await Store.FindAsync(target.Id, Token));
        Same(gone, (await Store.ReadAsync(Chat.Id, 0, 3, 1, true, Token))[0]);
        // The key stays taken: a late retry must not bring the message back.
        var retry = await AppendAsync(Text(Alice, "secret", 4, key: "k"));
        Assert.Equal(AppendStatus.Duplicate, retry.Status);
        Same(gone, retry.Entry);
    }

    [Fact]
    [Trait("Requirement", "R8")]
    public async Task A_repeated_delete_changes_nothing_more()
    {
        var target = await SendAsync(Alice, "secret");
        var delete = Delete(Alice, target);
        await AppendAsync(delete);
        Assert.Equal(AppendStatus.Duplicate, (await AppendAsync(delete)).Status);
        Assert.Equal(AppendStatus.Appended, (await AppendAsync(Delete(Alice, target))).Status);
        Assert.Equal(3, (await LogAsync()).Count);
        Assert.True((await LogAsync())[0].Deleted);
    }

    [Fact]
    [Trait("Requirement", "R8")]
    public async Task An_entry_can_be_deleted_by_the_call_that_appends_it()
    {
        var text = Text(Alice, "secret");
        var delete = Text(Alice, "") with { Kind = EntryKind.Delete, Text = default, TargetSeq = 1, Target = text.Id };
        await Store.AppendAsync(Chat, [text, delete], Token);
        var log = await LogAsync();
        Assert.True(log[0].Deleted);
        Assert.Empty(TextOf(log[0]));
    }

    [Fact]
    public async Task A_delete_without_its_target_is_refused_and_nothing_of_its_call_takes_effect()
    {
        var first = await SendAsync(Alice, "a");
        foreach (var target in (LogEntry[])[first with { Seq = 7 }, first with { Seq = 0 }, first with { Id = new(Guid.NewGuid()) }])
        {
            await Assert.ThrowsAnyAsync<ArgumentException>(() =>
                Store.AppendAsync(Chat, [Text(Alice, "with it"), Delete(Alice, target)], Token));
        }

        Same([first], await LogAsync());
        Assert.Equal(2, (await SendAsync(Alice, "b")).Seq);
    }

    [Fact]
    [Trait("Requirement", "R8")]
    public async Task Hidden_entries_are_listed_for_the_user_alone_in_ascending_order_and_once()
    {
        for (var i = 1; i <= 9; i++) await SendAsync(Alice, $"m{i}");
        Assert.True(await Store.HideAsync(Chat.Id, Bob, [7, 2, 2], At(1), Token));
        Assert.True(await Store.HideAsync(Chat.Id, Bob, [4, 7], At(2), Token));

        Assert.Equal([2L, 4, 7], await Store.ReadHiddenAsync(Chat.Id, Bob, 0, long.MaxValue, Token));
        Assert.Equal([4L], await Store.ReadHiddenAsync(Chat.Id, Bob, 2, 7, Token));
        Assert.Empty(await Store.ReadHiddenAsync(Chat.Id, Alice, 0, long.MaxValue, Token));
        Assert.Equal(9, (await LogAsync()).Count);
        Assert.Equal("m2", TextOf((await LogAsync())[1]));
    }

    [Fact]
    public async Task Hiding_beyond_the_head_or_by_a_stranger_changes_nothing()
    {
        await SendAsync(Alice, "a");
        Assert.False(await Store.HideAsync(Chat.Id, Bob, [1, 2], At(1), Token));
        Assert.False(await Store.HideAsync(Chat.Id, UserId.New(), [1], At(1), Token));
        Assert.False(await Store.HideAsync(ConversationShape.Direct(Alice, Alice).Id, Alice, [1], At(1), Token));
        Assert.Empty(await Store.ReadHiddenAsync(Chat.Id, Bob, 0, long.MaxValue, Token));
        Assert.Equal("a", (await ViewAsync(Bob)).Preview);
    }
}
