using System.Diagnostics.Metrics;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
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
using WhatsAspire.Contracts.Frames;

namespace WhatsAspire.Backplane.Tests.Redelivery;

/// <summary>Failed live deliveries get on the queue, joined and bounded.</summary>
public sealed class RedeliveryOutboxTests : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private readonly QueueFile _file = new();
    private readonly SqliteEventQueue _queue;
    private readonly Dictionary<string, long> _counts = [];
    private readonly MeterListener _listener = new();
    private readonly IMeterFactory _meters = new ServiceCollection().AddMetrics().BuildServiceProvider().GetRequiredService<IMeterFactory>();
    private readonly UserId _ann = UserId.New();
    private readonly UserId _bob = UserId.New();

    public RedeliveryOutboxTests()
    {
        _queue = _file.Open(new() { Partitions = 1 });
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Scope == _meters) listener.EnableMeasurementEvents(instrument);
        };
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) =>
        {
            var key = tags.Length == 0 ? instrument.Name : $"{instrument.Name} {tags[0].Value}";
            lock (_counts) _counts[key] = _counts.GetValueOrDefault(key) + value;
        });
        _listener.Start();
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private ConversationId Chat => ConversationId.Direct(_ann, _bob);

    public async ValueTask DisposeAsync()
    {
        _listener.Dispose();
        await _queue.DisposeAsync();
        _file.Dispose();
    }

    [Fact]
    public async Task What_fails_of_a_conversation_is_one_event_without_any_text()
    {
        using var outbox = Outbox();
        var except = new ConnectionId(Guid.NewGuid());
        outbox.Failed(Message(7, [_ann, _bob]) with { Except = except }, "look_up", "edge");
        outbox.Failed(Message(6, [_bob]), "look_up", "edge");
        outbox.Failed(Message(7, [_bob]), "link_lost", "edge");
        outbox.Failed(Receipt(3, 2), "look_up", "edge");
        outbox.Failed(Receipt(5, 1), "look_up", "edge");
        outbox.Failed(new LiveEvent { Users = [_ann], Kind = DeliveryKind.Conversation, Conversation = Chat, Frame = "secret"u8.ToArray() }, "look_up", "edge");
        await outbox.StartAsync(Token);

        var (received, failed) = Assert.Single(await ReadAsync(1));
        Assert.Equal((Chat.ToString(), RedeliveryEvent.Type), (received.Key, received.Type));
        Assert.DoesNotContain("secret", System.Text.Encoding.UTF8.GetString(received.Payload.Span), StringComparison.Ordinal);
        Assert.Equal([6L, 7L], failed.Messages!.Select(m => m.Seq));
        Assert.Equal(except, failed.Messages![1].Except);
        Assert.Equal(new[] { _ann, _bob }.Order(), failed.Messages[1].To.Order());
        var receipt = Assert.Single(failed.Receipts!);
        Assert.Equal((_bob, 5L, 2L), (receipt.UserId!.Value, receipt.DeliveredSeq, receipt.ReadSeq));
        Assert.Equal([_ann], failed.Changed);
        Assert.Equal((Chat, "edge"), (failed.ConversationId, failed.Served));
        Assert.Equal(5, _counts["whatsaspire.redelivery.failures look_up"]);
        Assert.Equal(1, _counts["whatsaspire.redelivery.failures link_lost"]);
        Assert.Equal(1, _counts["whatsaspire.redelivery.published"]);
        await outbox.StopAsync(Token);
    }

    [Fact]
    public async Task Of_many_messages_the_newest_are_kept_and_too_many_conversations_are_counted()
    {
        using var outbox = Outbox(backlog: 16);
        for (var seq = 1; seq <= Undelivered.MaxMessages + 8; seq++) outbox.Failed(Message(seq, [_bob]), "look_up", null);
        for (var i = 0; i < 20; i++)
            outbox.Failed(Message(1, [_bob]) with { Conversation = new(Guid.NewGuid()) }, "look_up", null);
        await outbox.StartAsync(Token);

        var events = await ReadAsync(16);
        Assert.Equal(16, events.Count);
        var chat = events.Single(e => e.Failed.ConversationId == Chat).Failed;
        Assert.Equal(Enumerable.Range(9, Undelivered.MaxMessages).Select(s => (long)s), chat.Messages!.Select(m => m.Seq));
        Assert.Equal(8, _counts["whatsaspire.redelivery.dropped many"]);
        Assert.Equal(5, _counts["whatsaspire.redelivery.dropped full"]);
        await outbox.StopAsync(Token);
    }

    [Fact]
    public async Task A_queue_that_is_out_of_reach_for_a_while_gets_everything_later()
    {
        var broken = new BrokenForAWhile(_queue);
        using var outbox = Outbox(queue: broken);
        await outbox.StartAsync(Token);
        outbox.Failed(Message(1, [_ann]), "look_up", null);
        await broken.Failed.Task.WaitAsync(Patience, Token);
        outbox.Failed(Message(2, [_bob]), "look_up", null);
        broken.IsBroken = false;

        var seqs = (await ReadAsync(1, seq: 2)).SelectMany(e => e.Failed.Messages!).Select(m => m.Seq).Distinct().Order();
        Assert.Equal([1L, 2L], seqs);
        await outbox.StopAsync(Token);
    }

    [Fact]
    public async Task What_fails_while_the_process_ends_gets_on_the_queue()
    {
        using var outbox = Outbox();
        await outbox.StartAsync(Token);
        outbox.Failed(Message(1, [_bob]), "link_lost", "edge");
        await outbox.StopAsync(Token);
        Assert.Single(await ReadAsync(1));
    }

    [Fact]
    public async Task A_logout_is_redelivered_and_what_is_of_no_use_later_is_not()
    {
        using var outbox = Outbox();
        var device = DeviceId.New();
        outbox.Failed(new LiveEvent { Users = [_ann], Kind = DeliveryKind.LoggedOut, CloseDevice = device }, "look_up", null);
        outbox.Failed(new LiveEvent { Users = [_ann], Kind = DeliveryKind.Replaced, CloseConnection = new(Guid.NewGuid()), Conversation = Chat }, "look_up", null);
        await outbox.StartAsync(Token);
        var logout = Assert.Single(await ReadAsync(1));
        Assert.Equal((_ann.ToString(), new LoggedOutDevice(_ann, device)), (logout.Received.Key, Assert.Single(logout.Failed.LoggedOut!)));
        Assert.Null(logout.Failed.ConversationId);
        Assert.Equal(1, _counts["whatsaspire.redelivery.dropped kind"]);
        await outbox.StopAsync(Token);
    }

    [Fact]
    public async Task Without_a_queue_failures_are_counted_and_nothing_else()
    {
        using var outbox = new RedeliveryOutbox(
            new(_meters), Options.Create(new BackplaneOptions()), TimeProvider.System, NullLogger<RedeliveryOutbox>.Instance);
        await outbox.StartAsync(Token);
        outbox.Failed(Message(1, [_bob]), "look_up", null);
        Assert.Equal(1, _counts["whatsaspire.redelivery.dropped no_queue"]);
        await outbox.StopAsync(Token);
    }

    private RedeliveryOutbox Outbox(int backlog = 4096, IEventQueue? queue = null) => new(
        new(_meters), Options.Create(new BackplaneOptions { RedeliveryBacklog = backlog }), TimeProvider.System,
        NullLogger<RedeliveryOutbox>.Instance, queue ?? _queue);

    private LiveEvent Message(long seq, UserId[] users) => new()
    {
        Users = users,
        Kind = DeliveryKind.Message,
        Conversation = Chat,
        Seq = seq,
        Frame = "{\"text\":\"secret\"}"u8.ToArray(),
    };

    private LiveEvent Receipt(long delivered, long read) => new()
    {
        Users = [_ann],
        Kind = DeliveryKind.Receipt,
        Conversation = Chat,
        DeliveredSeq = delivered,
        ReadSeq = read,
        Frame = FrameWriter.Receipt(Chat.ToBytes().Span, _bob, delivered, read, 1_764_000_000_000),
    };

    /// <summary>Reads the queue until it has so many events, or one with that message.</summary>
    private async Task<List<(ReceivedEvent Received, RedeliveryEvent Failed)>> ReadAsync(int count, long? seq = null)
    {
        var events = new List<(ReceivedEvent, RedeliveryEvent)>();
        var enough = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var subscription = await _queue.SubscribeAsync(RedeliveryEvent.Topic, "test", (received, _) =>
        {
            var failed = JsonSerializer.Deserialize(received.Payload.Span, EventJson.Default.RedeliveryEvent)!;
            events.Add((received, failed));
            if (seq is null ? events.Count == count : failed.Messages!.Any(m => m.Seq == seq)) enough.TrySetResult();
            return new(Handled.Done);
        }, Token);
        await enough.Task.WaitAsync(Patience, Token);
        return events;
    }

    private sealed class BrokenForAWhile(IEventQueue inner) : IEventQueue
    {
        public bool IsBroken { get; set; } = true;

        public TaskCompletionSource Failed { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public IDeadLetters DeadLetters => inner.DeadLetters;

        public Task<EventPosition> PublishAsync(string topic, QueueEvent message, CancellationToken cancellationToken)
        {
            if (!IsBroken) return inner.PublishAsync(topic, message, cancellationToken);
            Failed.TrySetResult();
            throw new QueueUnavailableException("broken");
        }

        public Task PrepareAsync(string topic, CancellationToken cancellationToken) => inner.PrepareAsync(topic, cancellationToken);

        public Task<IQueueSubscription> SubscribeAsync(
            string topic, string group, QueueHandler handler, CancellationToken cancellationToken) =>
            inner.SubscribeAsync(topic, group, handler, cancellationToken);
    }
}
