using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.ServiceDiscovery;
using WhatsAspire.ChatEdge.Routing;
using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Messaging.V1;

namespace WhatsAspire.ChatEdge.Tests;

/// <summary>Which replica of MessageApi gets what, on real streams to replicas that note what they were sent.</summary>
[Trait("Requirement", "R55")]
public sealed class MessageApiLinkTests : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private readonly List<Replica> _replicas = [];
    private readonly List<MessageApiLink> _links = [];
    private readonly List<ServiceProvider> _providers = [];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        for (var i = 0; i < 3; i++) _replicas.Add(await Replica.StartAsync(0));
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var link in _links)
        {
            await link.StopAsync(CancellationToken.None);
            link.Dispose();
        }

        foreach (var provider in _providers) await provider.DisposeAsync();
        foreach (var replica in _replicas) await replica.DisposeAsync();
    }

    [Fact]
    public async Task Every_edge_sends_a_conversations_operations_to_the_same_replica_and_all_replicas_have_some()
    {
        var (a, b) = (await LinkAsync(3), await LinkAsync(3));
        var conversations = Enumerable.Range(0, 60).Select(_ => new ConversationId(Guid.NewGuid())).ToArray();
        foreach (var link in new[] { a, b, a })
            await Task.WhenAll(conversations.Select(conversation => SendAsync(link, conversation)));

        foreach (var conversation in conversations)
            Assert.Single(_replicas, replica => replica.Got(conversation).Count > 0);
        Assert.All(_replicas, replica => Assert.NotEmpty(replica.Log));
        Assert.Equal(180, _replicas.Sum(replica => replica.Log.Count));
    }

    [Fact]
    public async Task What_a_replica_that_died_did_not_answer_goes_to_the_next_in_its_order_and_only_its_conversations_move()
    {
        var link = await LinkAsync(3);
        var conversations = Enumerable.Range(0, 60).Select(_ => new ConversationId(Guid.NewGuid())).ToArray();
        await Task.WhenAll(conversations.Select(conversation => SendAsync(link, conversation)));
        var before = conversations.ToDictionary(c => c, c => _replicas.Find(replica => replica.Got(c).Count > 0)!);
        var victim = before[conversations[0]];

        victim.IsMute = true;
        var unanswered = new List<Task>();
        for (var i = 0; i < 5; i++)
            unanswered.AddRange(conversations.Select(conversation => SendAsync(link, conversation)));
        await UntilAsync(() => conversations.Where(c => before[c] == victim).All(c => victim.Got(c).Count == 6), "the operations at the replica");
        await victim.DisposeAsync();
        await Task.WhenAll(unanswered).WaitAsync(Patience, Cancel);

        foreach (var conversation in conversations)
        {
            if (before[conversation] != victim)
            {
                Assert.Equal(6, before[conversation].Got(conversation).Count);
                continue;
            }

            var next = Assert.Single(_replicas, replica => replica != victim && replica.Got(conversation).Count > 0);
            var got = next.Got(conversation);
            Assert.Equal(victim.Got(conversation).Skip(1).Select(o => o.Send.ClientMessageId), got.Select(o => o.Send.ClientMessageId));
            Assert.All(got, operation => Assert.True(operation.RepeatedAfterLoss));
        }
    }

    [Fact]
    public async Task Conversations_go_home_when_their_replica_is_back()
    {
        var link = await LinkAsync(2);
        var conversation = new ConversationId(Guid.NewGuid());
        await SendAsync(link, conversation);
        var home = _replicas.FindIndex(replica => replica.Got(conversation).Count > 0);
        await _replicas[home].DisposeAsync();
        await SendAsync(link, conversation);
        Assert.Single(_replicas[1 - home].Got(conversation));

        _replicas[home] = await Replica.StartAsync(_replicas[home].Port);
        await UntilAsync(async () =>
        {
            await SendAsync(link, conversation);
            return _replicas[home].Got(conversation).Count > 0;
        }, "the conversation at its own replica");
        Assert.True(link.IsConnected);
    }

    [Fact]
    public async Task Operations_wait_for_the_first_replica_that_comes()
    {
        var port = _replicas[0].Port;
        await _replicas[0].DisposeAsync();
        var link = Link(_replicas.Take(1));
        var sent = SendAsync(link, new(Guid.NewGuid()));
        Assert.False(link.IsConnected);
        Assert.False(sent.IsCompleted);
        _replicas[0] = await Replica.StartAsync(port);
        await sent.WaitAsync(Patience, Cancel);
    }

    private async Task<MessageApiLink> LinkAsync(int replicas)
    {
        var before = _replicas.Take(replicas).Select(replica => replica.Streams).ToArray();
        var link = Link(_replicas.Take(replicas));
        await UntilAsync(() => _replicas.Take(replicas).Zip(before).All(pair => pair.First.Streams > pair.Second), "the streams");
        // The replica has its stream before the link has the replica's headers.
        await UntilAsync(() => link.Standing == replicas, "the headers");
        return link;
    }

    private MessageApiLink Link(IEnumerable<Replica> replicas)
    {
        var services = new ServiceCollection();
        services.AddSingleton<IConfiguration>(new ConfigurationBuilder().AddInMemoryCollection(
            replicas.Select((replica, i) => KeyValuePair.Create<string, string?>($"services:message-api:grpc:{i}", $"http://127.0.0.1:{replica.Port}"))).Build());
        services.AddLogging();
        services.AddServiceDiscovery();
        var provider = services.BuildServiceProvider();
        _providers.Add(provider);
        var link = new MessageApiLink(
            new(provider.GetRequiredService<ServiceEndpointResolver>()), Options.Create(new EdgeOptions()), TimeProvider.System, NullLogger<MessageApiLink>.Instance);
        _links.Add(link);
        _ = link.StartAsync(Cancel);
        return link;
    }

    private static async Task SendAsync(MessageApiLink link, ConversationId conversation)
    {
        var operation = new Pending(conversation);
        await link.SubmitAsync(operation);
        await operation.Done.Task.WaitAsync(Patience, Cancel);
    }

    private static Task UntilAsync(Func<bool> condition, string what) => UntilAsync(() => Task.FromResult(condition()), what);

    /// <summary>Replicas are asked what they have: they are not told to say when.</summary>
    private static async Task UntilAsync(Func<Task<bool>> condition, string what)
    {
        var began = System.Diagnostics.Stopwatch.GetTimestamp();
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(10));
        while (!await condition())
        {
            Assert.True(System.Diagnostics.Stopwatch.GetElapsedTime(began) < Patience, $"waited {Patience.TotalSeconds} s for {what}");
            await timer.WaitForNextTickAsync(Cancel);
        }
    }

    private sealed class Pending(ConversationId conversation) : PendingOperation(new()
    {
        Send = new() { SenderId = UserId.New().ToBytes(), ConversationId = conversation.ToBytes(), ClientMessageId = Guid.NewGuid().ToString() },
    })
    {
        public TaskCompletionSource Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public override void Complete(Result result) => Done.SetResult();

        public override void Fail(Error error) => Done.SetException(new InvalidOperationException(error.Message));
    }
}
