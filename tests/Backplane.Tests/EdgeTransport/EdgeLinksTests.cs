using System.Diagnostics.Metrics;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using WhatsAspire.Backplane.EdgeTransport;
using WhatsAspire.Backplane.Queue;
using WhatsAspire.Backplane.Queue.Sqlite;
using WhatsAspire.Backplane.Redelivery;
using WhatsAspire.Backplane.Tests.Queue;
using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Edge.V1;
using WhatsAspire.Contracts.Events;

namespace WhatsAspire.Backplane.Tests.EdgeTransport;

/// <summary>What becomes of deliveries that another edge does not confirm.</summary>
public sealed class EdgeLinksTests : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private readonly QueueFile _file = new();
    private readonly ConversationId _chat = new(Guid.NewGuid());
    private readonly UserId _user = UserId.New();
    private ScriptedEdge _script = null!;
    private SqliteEventQueue _queue = null!;
    private RedeliveryOutbox _outbox = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _queue = _file.Open(new() { Partitions = 1 });
        var meters = new ServiceCollection().AddMetrics().BuildServiceProvider().GetRequiredService<IMeterFactory>();
        _outbox = new(
            new(meters), Options.Create(new BackplaneOptions()), TimeProvider.System, NullLogger<RedeliveryOutbox>.Instance, _queue);
        await _outbox.StartAsync(Token);
        _script = await ScriptedEdge.StartAsync("other");
    }

    public async ValueTask DisposeAsync()
    {
        await _script.DisposeAsync();
        await _outbox.StopAsync(Token);
        _outbox.Dispose();
        await _queue.DisposeAsync();
        _file.Dispose();
    }

    [Fact]
    public async Task What_is_confirmed_is_never_put_on_the_queue()
    {
        await using var links = Links();
        Assert.True(await links.SendConfirmedAsync(_script.Lease, Delivery(1)).WaitAsync(Patience, Token));
        links.Send(_script.Lease, Delivery(2));
        Assert.True(await links.SendConfirmedAsync(_script.Lease, Delivery(3)).WaitAsync(Patience, Token));
        await links.DisposeAsync();
        Assert.Equal([1L, 2L, 3L], _script.Seen);
        await _queue.PublishAsync(RedeliveryEvent.Topic, new() { Key = "k", Type = "end" }, Token);
        Assert.Empty(await UndeliveredAsync(seqs: 0));
    }

    [Fact]
    public async Task What_an_edge_that_breaks_has_not_confirmed_is_put_on_the_queue()
    {
        await using var links = Links();
        Assert.True(await links.SendConfirmedAsync(_script.Lease, Delivery(1)).WaitAsync(Patience, Token));
        _script.Breaks = true;
        links.Send(_script.Lease, Delivery(2));
        Assert.False(await links.SendConfirmedAsync(_script.Lease, Delivery(3)).WaitAsync(Patience, Token));
        links.Send(_script.Lease, Delivery(4));

        // The third had somebody who waited for it.
        var lacking = await UndeliveredAsync(seqs: 2);
        Assert.Equal([2L, 4L], lacking.Select(m => m.Seq).Order());
        Assert.All(lacking, m => Assert.Equal([_user], m.To));

        _script.Breaks = false;
        Assert.True(await links.SendConfirmedAsync(_script.Lease, Delivery(5)).WaitAsync(Patience, Token));
    }

    [Fact]
    public async Task What_does_not_fit_into_the_queue_of_a_link_is_put_on_the_queue()
    {
        _script.Holds = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var links = Links(edgeQueue: 16);
        // Until the stream's window and the link's queue are full; what is taken into the stream meanwhile makes room once more.
        var undelivered = UndeliveredAsync(seqs: 1);
        var seq = 0L;
        var confirmed = new List<Task<bool>>();
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(1));
        while (!undelivered.IsCompleted && await timer.WaitForNextTickAsync(Token))
        {
            confirmed.Add(links.SendConfirmedAsync(_script.Lease, Delivery(++seq)));
            links.Send(_script.Lease, Delivery(++seq));
        }

        var lacking = (await undelivered).Select(m => m.Seq).ToArray();
        Assert.All(lacking, one => Assert.True(one % 2 == 0, $"{one} had somebody who waited for it"));
        // What is not refused by now fitted in.
        var fitted = confirmed.Where(one => !one.IsCompleted).ToArray();
        Assert.NotEmpty(fitted);
        _script.Holds.SetResult();
        Assert.All(await Task.WhenAll(fitted).WaitAsync(Patience, Token), Assert.True);
    }

    private EdgeLinks Links(int edgeQueue = 8192) => new(
        new(), Options.Create(new BackplaneOptions { EdgeQueue = edgeQueue }), _outbox, new NoLocalDelivery(),
        NullLogger<EdgeLinks>.Instance, new NeverStopping());

    private Delivery Delivery(long seq) => new LiveEvent
    {
        Users = [_user],
        Kind = DeliveryKind.Message,
        Conversation = _chat,
        Seq = seq,
        Frame = "{}"u8.ToArray(),
    }.ToDelivery();

    private async Task<List<UndeliveredMessage>> UndeliveredAsync(int seqs)
    {
        var messages = new List<UndeliveredMessage>();
        var enough = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var subscription = await _queue.SubscribeAsync(RedeliveryEvent.Topic, "test", (received, _) =>
        {
            if (received.Type == "end") enough.TrySetResult();
            else messages.AddRange(JsonSerializer.Deserialize(received.Payload.Span, EventJson.Default.RedeliveryEvent)!.Messages!);
            if (seqs > 0 && messages.Count >= seqs) enough.TrySetResult();
            return new(Handled.Done);
        }, Token);
        await enough.Task.WaitAsync(Patience, Token);
        return messages;
    }

    private sealed class NeverStopping : IHostApplicationLifetime
    {
        public CancellationToken ApplicationStarted => default;
        public CancellationToken ApplicationStopping => default;
        public CancellationToken ApplicationStopped => default;

        public void StopApplication()
        {
        }
    }
}
