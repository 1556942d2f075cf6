using WhatsAspire.Contracts;
using WhatsAspire.MessageApi.Storage;
using Xunit;

namespace WhatsAspire.Conformance;

public abstract partial class MessageStoreConformance
{
    [Fact]
    [Trait("Requirement", "R3")]
    public async Task Everything_is_there_after_a_restart()
    {
        var first = await SendAsync(Alice, "first", 1);
        var secret = await SendAsync(Bob, "secret", 2);
        await SendAsync(Alice, "third", 3);
        await AppendAsync(Delete(Bob, secret, 4));
        await AdvanceAsync(Bob, 4, 3, at: 5);
        await Store.HideAsync(Chat.Id, Bob, [1], At(6), Token);
        await Store.ClearAsync(Chat.Id, Alice, 2, At(7), Token);
        var before = await EverythingAsync(first.Id);

        await RestartAsync();
        Assert.Equal(before, await EverythingAsync(first.Id));
        Assert.Equal(5, (await SendAsync(Alice, "after", 8)).Seq);
    }

    [Fact]
    [Trait("Requirement", "R3")]
    public async Task What_was_acknowledged_last_is_there_after_a_restart()
    {
        for (var i = 1; i <= 5; i++)
        {
            await SendAsync(Alice, $"m{i}", i);
            await AdvanceAsync(Bob, i, i);
            await RestartAsync();
            Assert.Equal(i, (await LogAsync()).Count);
            Assert.Equal(new MemberState(0, i, i, 0), await MemberAsync(Bob));
        }
    }

    [Fact]
    [Trait("Requirement", "R2")]
    public async Task A_retry_after_a_restart_is_known()
    {
        var entry = Text(Alice, "once", 1);
        var first = await AppendAsync(entry);
        await RestartAsync();
        var again = await AppendAsync(entry with { Id = new(Guid.NewGuid()) });
        Assert.Equal(AppendStatus.Duplicate, again.Status);
        Same(first.Entry, again.Entry);
        Assert.Equal(AppendStatus.Conflict, (await AppendAsync(entry with { ContentHash = 1 })).Status);
        Assert.Single(await LogAsync());
    }

    [Fact]
    [Trait("Requirement", "R2")]
    public async Task A_caller_who_stops_waiting_may_call_again()
    {
        var entries = Enumerable.Range(0, 100).Select(i => Text(Alice, $"m{i}", i)).ToArray();
        foreach (var entry in entries)
        {
            using var impatient = CancellationTokenSource.CreateLinkedTokenSource(Token);
            var call = Store.AppendAsync(Chat, [entry], impatient.Token);
            await impatient.CancelAsync();
            try
            {
                await call;
            }
            catch (OperationCanceledException)
            {
                Assert.NotEqual(AppendStatus.Conflict, (await AppendAsync(entry)).Status);
            }
        }

        Assert.Equal(entries.Select(e => e.Id), (await LogAsync()).Select(e => e.Id));
    }

    [Fact]
    [Trait("Requirement", "R4")]
    public async Task Many_callers_at_once_leave_a_gapless_log_with_each_entry_once()
    {
        const int Callers = 16, Each = 40;
        var users = Enumerable.Range(0, 4).Select(_ => UserId.New()).ToArray();
        ConversationShape[] chats = [.. users.SelectMany((a, i) => users.Skip(i + 1).Select(b => ConversationShape.Direct(a, b)))];
        var acknowledged = await Task.WhenAll(Enumerable.Range(0, Callers).Select(c => Task.Run(() => CallAsync(c), Token)));

        foreach (var chat in chats)
        {
            var log = await LogAsync(chat);
            var expected = acknowledged.SelectMany(a => a).Where(e => e.Conversation == chat.Id).OrderBy(e => e.Seq).ToArray();
            Assert.Equal(Enumerable.Range(1, log.Count).Select(i => (long)i), log.Select(e => e.Seq));
            Same(log, expected);
            Assert.True(log.Zip(log.Skip(1)).All(p => p.First.CreatedAt <= p.Second.CreatedAt));
            Assert.Equal(Enumerable.Range(1, log.Count).Select(i => (long)i), log.Select(e => e.VisibleNumber));
            foreach (var sender in log.GroupBy(e => TextOf(e).Split('/')[0]))
            {
                var numbers = sender.Select(e => int.Parse(TextOf(e).Split('/')[1], null)).ToArray();
                Assert.Equal(numbers.Order(), numbers);
            }

            foreach (var user in chat.Members)
            {
                var member = await MemberAsync(user, chat);
                Assert.Equal(log.Count - log.Count(e => e.Seq <= member.ReadSeq), (await ViewAsync(user, chat)).UnreadCount);
            }
        }

        async Task<List<LogEntry>> CallAsync(int caller)
        {
            var random = new Random(caller);
            var own = new List<LogEntry>();
            for (var i = 0; i < Each; i++)
            {
                var chat = chats[random.Next(chats.Length)];
                var user = chat.Members[random.Next(2)];
                var entry = Text(user, $"{caller}/{i}", random.Next(100));
                var outcome = await AppendAsync(entry, chat);
                own.Add(outcome.Entry);
                if (random.Next(3) == 0) Same(outcome.Entry, (await AppendAsync(entry, chat)).Entry);
                var other = chat.Members[0] == user ? chat.Members[1] : chat.Members[0];
                var seq = random.NextInt64(outcome.Entry.Seq + 1);
                var advanced = await AdvanceAsync(other, seq, seq, 1, chat);
                Assert.True(advanced.Member!.ReadSeq >= seq);
            }

            return own;
        }
    }

    [Fact]
    public async Task Readers_see_gapless_logs_and_heads_that_do_not_fall_while_others_write()
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var reader = Task.Run(
            async () =>
            {
                var head = 0L;
                while (!stop.IsCancellationRequested)
                {
                    var state = await Store.GetConversationAsync(Chat.Id, Token);
                    var log = await Store.ReadAsync(Chat.Id, 0, long.MaxValue, 1_000, true, Token);
                    Assert.Equal(Enumerable.Range(1, log.Count).Select(i => (long)i).Reverse(), log.Select(e => e.Seq));
                    Assert.True((state?.HeadSeq ?? 0) >= head, "the head fell");
                    Assert.True(log.Count >= (state?.HeadSeq ?? 0), "the head was ahead of the log");
                    if (log.Count > 0) Same(log[0], await Store.FindAsync(log[0].Id, Token));
                    head = log.Count;
                }
            },
            Token);
        for (var i = 0; i < 200; i++) await Store.AppendAsync(Chat, [Text(Alice, "a", i), Text(Bob, "b", i)], Token);
        await stop.CancelAsync();
        await reader;
        Assert.Equal(400, (await LogAsync()).Count);
    }

    /// <summary>What both members can see, as text.</summary>
    private async Task<string> EverythingAsync(MessageId message)
    {
        var all = new List<object?> { await LogAsync(), await Store.FindAsync(message, Token), await Store.GetConversationAsync(Chat.Id, Token) };
        foreach (var user in (UserId[])[Alice, Bob])
        {
            all.Add(await Store.GetMemberAsync(Chat.Id, user, Token));
            all.Add(await Store.ListConversationsAsync(user, DateTimeOffset.MinValue, Token));
            all.Add(await Store.ReadHiddenAsync(Chat.Id, user, 0, long.MaxValue, Token));
            for (var seq = 1; seq <= 4; seq++) all.Add(await Store.GetReceiptTimesAsync(Chat.Id, user, seq, Token));
        }

        return global::System.Text.Json.JsonSerializer.Serialize(all);
    }
}
