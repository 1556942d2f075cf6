using System.Collections.Concurrent;
using WhatsAspire.Contracts;
using WhatsAspire.Engines.Tests.Cql;
using WhatsAspire.MessageApi.Storage;
using WhatsAspire.MessageApi.Storage.Cassandra;
using Xunit;

namespace WhatsAspire.Engines.Tests.Store;

/// <summary>The store on three nodes with a copy on each, two processes' worth of it, and nodes that die, hang and come back
/// while it is in use.</summary>
public sealed class CassandraClusterTests(TestCluster cluster, StoreNode stores) : IClassFixture<TestCluster>
{
    private const int Callers = 8;
    private static readonly TimeSpan Phase = TimeSpan.FromSeconds(5);

    private readonly ConcurrentQueue<LogEntry> _promised = new();
    private readonly ConcurrentDictionary<(ConversationId, UserId), long> _read = new();
    private int _unavailable;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    [Trait("Requirement", "R55")]
    public async Task A_node_that_dies_hangs_and_comes_back_under_load_loses_nothing_and_stops_nobody()
    {
        await cluster.StartAsync(3);
        await using var first = await cluster.ConnectAsync();
        await using var second = await cluster.ConnectAsync();
        var options = new CassandraStoreOptions { Replication = "{'class': 'NetworkTopologyStrategy', 'replication_factor': 3}" };
        await new CassandraMigrations(first, options, TimeProvider.System).ApplyAsync(Token);
        CassandraMessageStore[] both = [stores.Open(first), stores.Open(second)];
        var users = Enumerable.Range(0, 4).Select(_ => UserId.New()).ToArray();
        ConversationShape[] chats = [.. users.SelectMany((a, i) => users.Skip(i + 1).Select(b => ConversationShape.Direct(a, b)))];

        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var load = Enumerable.Range(0, Callers).Select(i => Task.Run(() => SendAsync(i, both, chats, stop.Token), Token)).ToArray();
        await AfterAsync(() => cluster.Nodes[2].KillAsync(Token), "before");
        await AfterAsync(() => cluster.RestartAsync(2), "one dead");
        await AfterAsync(Frozen(() => cluster.Nodes[1].Freeze()), "three again");
        await AfterAsync(Frozen(() => cluster.Nodes[1].Thaw()), "one frozen");
        await AfterAsync(Frozen(() => { }), "all three");
        await stop.CancelAsync();
        await Task.WhenAll(load);

        foreach (var store in both)
        {
            foreach (var chat in chats)
            {
                var log = await WholeLogAsync(store, chat);
                Assert.Equal(Enumerable.Range(1, log.Count).Select(i => (long)i), log.Select(e => e.Seq));
                var promised = _promised.Where(e => e.Conversation == chat.Id).OrderBy(e => e.Seq);
                Assert.Equal(promised.Select(e => (e.Seq, e.Id)), log.Select(e => (e.Seq, e.Id)));
                foreach (var user in chat.Members)
                {
                    var member = await store.GetMemberAsync(chat.Id, user, Token);
                    Assert.True(member!.ReadSeq >= _read.GetValueOrDefault((chat.Id, user)), "a read position fell");
                }
            }

            store.Dispose();
        }

        TestContext.Current.SendDiagnosticMessage(
            $"{_promised.Count} messages, each once and where it was promised; {_unavailable} calls had to be repeated by their caller.");
        Assert.Equal(0, _unavailable);
    }

    /// <summary>Lets the load run for a while, sees that it gets on, and goes on to the next state.</summary>
    private async Task AfterAsync(Func<Task> next, string state)
    {
        var before = _promised.Count;
        using var phase = new PeriodicTimer(Phase);
        await phase.WaitForNextTickAsync(Token);
        var sent = _promised.Count - before;
        TestContext.Current.SendDiagnosticMessage($"{state}: {sent / Phase.TotalSeconds:0} messages a second");
        Assert.True(sent > 0, $"nothing could be sent: {state}");
        await next();
    }

    private static Func<Task> Frozen(Action change) => () =>
    {
        change();
        return Task.CompletedTask;
    };

    private async Task SendAsync(int caller, CassandraMessageStore[] stores, ConversationShape[] chats, CancellationToken stop)
    {
        var random = new Random(caller);
        while (!stop.IsCancellationRequested)
        {
            var chat = chats[random.Next(chats.Length)];
            var (sender, other) = random.Next(2) == 0 ? (chat.Members[0], chat.Members[1]) : (chat.Members[1], chat.Members[0]);
            var entry = Entries.Text(sender, $"{caller}");
            var outcome = (await UntilAnsweredAsync(store => store.AppendAsync(chat, [entry], Token)))[0];
            _promised.Enqueue(outcome.Entry);
            await UntilAnsweredAsync(store => store.AdvanceAsync(other, [new(chat.Id, 0, outcome.Entry.Seq)], Entries.At(0), Token));
            _read.AddOrUpdate((chat.Id, other), outcome.Entry.Seq, (_, known) => Math.Max(known, outcome.Entry.Seq));
        }

        async Task<T> UntilAnsweredAsync<T>(Func<CassandraMessageStore, Task<T>> call)
        {
            while (true)
            {
                try
                {
                    return await call(stores[random.Next(stores.Length)]);
                }
                catch (StoreUnavailableException e)
                {
                    Interlocked.Increment(ref _unavailable);
                    TestContext.Current.SendDiagnosticMessage(e.Message);
                }
            }
        }
    }

    private static async Task<List<LogEntry>> WholeLogAsync(CassandraMessageStore store, ConversationShape chat)
    {
        var log = new List<LogEntry>();
        while (true)
        {
            var page = await store.ReadAsync(chat.Id, log.Count, long.MaxValue, 1_000, newestFirst: false, Token);
            log.AddRange(page);
            if (page.Count < 1_000) return log;
        }
    }
}
