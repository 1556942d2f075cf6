using WhatsAspire.Contracts;
using WhatsAspire.Cql;
using WhatsAspire.MessageApi.Storage;
using WhatsAspire.MessageApi.Storage.Cassandra;
using Xunit;

namespace WhatsAspire.Engines.Tests.Store;

/// <summary>What the Cassandra store promises beyond the port: several processes, and logs of several buckets.</summary>
public sealed class CassandraWriterTests(StoreNode node)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    [Trait("Requirement", "R4")]
    public async Task Several_writers_to_the_same_conversations_give_no_seq_twice_and_leave_none_out()
    {
        const int Writers = 3, Callers = 8, Each = 25;
        var users = Enumerable.Range(0, 3).Select(_ => UserId.New()).ToArray();
        ConversationShape[] chats = [ConversationShape.Direct(users[0], users[1]), ConversationShape.Direct(users[1], users[2])];
        var stores = new List<CassandraMessageStore>();
        for (var i = 0; i < Writers; i++) stores.Add(await node.OpenAsync(Token, o => o.AppendTimeout = TimeSpan.FromMinutes(1)));

        var sent = await Task.WhenAll(Enumerable.Range(0, Callers).Select(c => Task.Run(() => SendAsync(c), Token)));

        foreach (var chat in chats)
        {
            var promised = sent.SelectMany(s => s).Where(e => e.Conversation == chat.Id).OrderBy(e => e.Seq).ToArray();
            foreach (var store in stores)
            {
                var log = await store.ReadAsync(chat.Id, 0, long.MaxValue, 1_000, newestFirst: false, Token);
                Assert.Equal(Enumerable.Range(1, log.Count).Select(i => (long)i), log.Select(e => e.Seq));
                Assert.Equal(promised.Select(e => (e.Seq, e.Id)), log.Select(e => (e.Seq, e.Id)));
                Assert.Equal(log.Count, log.Select(e => (e.Sender, e.ClientMessageId)).Distinct().Count());
            }
        }

        stores.ForEach(store => store.Dispose());

        async Task<List<LogEntry>> SendAsync(int caller)
        {
            var random = new Random(caller);
            var own = new List<LogEntry>();
            for (var i = 0; i < Each; i++)
            {
                var chat = chats[random.Next(chats.Length)];
                var entry = Entries.Text(chat.Members[random.Next(2)], $"{caller}/{i}");
                // Through one writer, and again through another at the same time: as a client does that lost patience.
                var both = await Task.WhenAll(
                    stores[random.Next(Writers)].AppendAsync(chat, [entry], Token),
                    stores[random.Next(Writers)].AppendAsync(chat, [entry with { Id = new(Guid.NewGuid()) }], Token));
                Assert.Equal(both[0][0].Entry.Seq, both[1][0].Entry.Seq);
                Assert.Single(both, o => o[0].Status == AppendStatus.Appended);
                own.Add(both[0][0].Entry);
            }

            return own;
        }
    }

    [Fact]
    [Trait("Requirement", "R4")]
    public async Task A_writer_that_slept_while_others_wrote_goes_on_after_them()
    {
        var chat = ConversationShape.Direct(UserId.New(), UserId.New());
        using var sleeper = await node.OpenAsync(Token);
        using var other = await node.OpenAsync(Token);
        await sleeper.AppendAsync(chat, [Entries.Text(chat.Members[0], "1")], Token);
        var repeated = Entries.Text(chat.Members[1], "2");
        await other.AppendAsync(chat, [repeated], Token);

        var outcomes = await sleeper.AppendAsync(chat, [Entries.Text(chat.Members[0], "3"), repeated], Token);

        Assert.Equal([AppendStatus.Appended, AppendStatus.Duplicate], outcomes.Select(o => o.Status));
        Assert.Equal([3L, 2L], outcomes.Select(o => o.Entry.Seq));
    }

    [Fact]
    [Trait("Requirement", "R7")]
    public async Task A_log_goes_on_from_bucket_to_bucket()
    {
        var chat = ConversationShape.Direct(UserId.New(), UserId.New());
        var (alice, bob) = (chat.Members[0], chat.Members[1]);
        const int Count = (int)Buckets.Size + 40;
        var end = Buckets.Size;
        using var store = await node.OpenAsync(Token);
        var sent = Enumerable.Range(1, Count).Select(i => Entries.Text(i % 100 == 0 ? bob : alice, $"m{i}", i)).ToArray();
        await store.AppendAsync(chat, [.. sent.Take(256)], Token);
        await store.AdvanceAsync(bob, [new(chat.Id, 150, 150)], Entries.At(300), Token);
        foreach (var call in sent.Skip(256).Chunk(256)) await store.AppendAsync(chat, call, Token);

        // Another process, which knows nothing.
        using var other = await node.OpenAsync(Token);
        Assert.Equal(Count, (await other.GetConversationAsync(chat.Id, Token))!.HeadSeq);
        foreach (var newestFirst in (bool[])[false, true])
        {
            var page = await other.ReadAsync(chat.Id, end - 5, end + 6, 100, newestFirst, Token);
            var seqs = Enumerable.Range((int)end - 4, 10).Select(i => (long)i);
            Assert.Equal(newestFirst ? seqs.Reverse() : seqs, page.Select(e => e.Seq));
            Assert.Equal(3, (await other.ReadAsync(chat.Id, end - 2, long.MaxValue, 3, newestFirst, Token)).Count);
        }

        foreach (var i in (int[])[1, (int)end - 1, (int)end, (int)end + 1, Count])
        {
            Assert.Equal(i, (await other.FindAsync(sent[i - 1].Id, Token))!.Seq);
            var repeated = Assert.Single(await other.AppendAsync(chat, [sent[i - 1] with { Id = new(Guid.NewGuid()) }], Token));
            Assert.Equal((AppendStatus.Duplicate, i), (repeated.Status, (int)repeated.Entry.Seq));
        }

        // Positions, marks and times across the edge.
        await other.HideAsync(chat.Id, bob, [end, end + 1], Entries.At(9_000), Token);
        Assert.Equal([end, end + 1], await other.ReadHiddenAsync(chat.Id, bob, 0, long.MaxValue, Token));
        var lastOfBob = Count / 100 * 100;
        Assert.Equal(Count - lastOfBob, (await other.GetViewAsync(chat.Id, bob, Token))!.UnreadCount + Hidden(lastOfBob));
        await other.AdvanceAsync(alice, [new(chat.Id, end + 10, end - 3)], Entries.At(9_500), Token);
        var times = await other.GetReceiptTimesAsync(chat.Id, bob, 120, Token);
        Assert.Equal((Entries.At(200), Entries.At(200)), (times.DeliveredAt, times.ReadAt));

        // A deletion whose target is in the bucket before.
        await other.AppendAsync(chat, [Entries.Delete(alice, sent[0], 1, 10_000)], Token);
        var deleted = Assert.Single(await other.ReadAsync(chat.Id, 0, 2, 1, false, Token));
        Assert.True(deleted.Deleted && deleted.Text.IsEmpty);

        long Hidden(long read) => (end > read ? 1 : 0) + (end + 1 > read ? 1 : 0);
    }

    [Fact]
    public async Task Large_texts_of_one_call_are_appended_in_order()
    {
        var chat = ConversationShape.Direct(UserId.New(), UserId.New());
        using var store = await node.OpenAsync(Token);
        var sent = Enumerable.Range(0, 100).Select(i => Entries.Text(chat.Members[0], new string((char)('a' + (i % 26)), Limits.TextLength * 4))).ToArray();
        var outcomes = await store.AppendAsync(chat, sent, Token);
        Assert.Equal(Enumerable.Range(1, 100).Select(i => (long)i), outcomes.Select(o => o.Entry.Seq));
        var log = await store.ReadAsync(chat.Id, 0, long.MaxValue, 1_000, false, Token);
        Assert.Equal(sent.Select(e => e.Id), log.Select(e => e.Id));
        Assert.All(log.Zip(sent), pair => Assert.True(pair.First.Text.Span.SequenceEqual(pair.Second.Text.Span)));
    }

    [Fact]
    [Trait("Requirement", "R54")]
    public async Task Processes_that_start_together_bring_the_schema_up_to_date_once()
    {
        var keyspace = $"together_{Guid.NewGuid():N}"[..30];
        var session = await node.SessionAsync(Token);
        var options = new CassandraStoreOptions { Keyspace = keyspace };
        var applied = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ =>
            new CassandraMigrations(session, options, TimeProvider.System).ApplyAsync(Token)));
        Assert.Equal(["0001_log.cql", "0002_groups.cql", "0003_settings.cql", "0004_history.cql"], applied.SelectMany(a => a));
        Assert.Empty(await new CassandraMigrations(session, options, TimeProvider.System).ApplyAsync(Token));
    }

    [Fact]
    [Trait("Requirement", "R54")]
    public async Task A_script_that_was_applied_and_not_noted_is_applied_again()
    {
        var keyspace = $"again_{Guid.NewGuid():N}"[..30];
        var session = await node.SessionAsync(Token);
        var migrations = new CassandraMigrations(session, new() { Keyspace = keyspace }, TimeProvider.System);
        var applied = await migrations.ApplyAsync(Token);
        await session.ExecuteAsync(new CqlStatement($"TRUNCATE {keyspace}.schema_migrations") { Timeout = TimeSpan.FromSeconds(30) }.Bind(), Token);
        Assert.Equal(applied, await migrations.ApplyAsync(Token));
        Assert.Empty(await migrations.ApplyAsync(Token));
    }
}
