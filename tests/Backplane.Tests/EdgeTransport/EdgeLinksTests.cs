using System.Diagnostics.Metrics;
using System.Text.Json;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using WhatsAspire.Backplane.EdgeTransport;
using WhatsAspire.Backplane.Queue;
using WhatsAspire.Backplane.Queue.Sqlite;
using WhatsAspire.Backplane.Redelivery;
using WhatsAspire.Backplane.Sessions;
using WhatsAspire.Backplane.Tests.Queue;
using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Edge.V1;
using WhatsAspire.Contracts.Events;
using Transport = WhatsAspire.Contracts.Edge.V1.EdgeTransport;

namespace WhatsAspire.Backplane.Tests.EdgeTransport;

/// <summary>What becomes of deliveries that another edge does not confirm.</summary>
public sealed class EdgeLinksTests : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private readonly QueueFile _file = new();
    private readonly ConversationId _chat = new(Guid.NewGuid());
    private readonly UserId _user = UserId.New();
    private readonly ScriptedEdge _script = new();
    private SqliteEventQueue _queue = null!;
    private RedeliveryOutbox _outbox = null!;
    private WebApplication _edge = null!;
    private EdgeLease _lease = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _queue = _file.Open(new() { Partitions = 1 });
        var meters = new ServiceCollection().AddMetrics().BuildServiceProvider().GetRequiredService<IMeterFactory>();
        _outbox = new(
            new(meters), Options.Create(new BackplaneOptions()), TimeProvider.System, NullLogger<RedeliveryOutbox>.Instance, _queue);
        await _outbox.StartAsync(Token);
        var builder = WebApplication.CreateBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddGrpc();
        builder.Services.AddSingleton(_script);
        builder.WebHost.ConfigureKestrel(k => k.Listen(System.Net.IPAddress.Loopback, 0, l => l.Protocols = HttpProtocols.Http2));
        _edge = builder.Build();
        _edge.MapGrpcService<ScriptedEdge>();
        await _edge.StartAsync(Token);
        _lease = new("other", new(_edge.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First()));
    }

    public async ValueTask DisposeAsync()
    {
        await _edge.DisposeAsync();
        await _outbox.StopAsync(Token);
        _outbox.Dispose();
        await _queue.DisposeAsync();
        _file.Dispose();
    }

    [Fact]
    public async Task What_is_confirmed_is_never_put_on_the_queue()
    {
        await using var links = Links();
        Assert.True(await links.SendConfirmedAsync(_lease, Delivery(1)).WaitAsync(Patience, Token));
        links.Send(_lease, Delivery(2));
        Assert.True(await links.SendConfirmedAsync(_lease, Delivery(3)).WaitAsync(Patience, Token));
        await links.DisposeAsync();
        Assert.Equal([1L, 2L, 3L], _script.Seen);
        await _queue.PublishAsync(RedeliveryEvent.Topic, new() { Key = "k", Type = "end" }, Token);
        Assert.Empty(await UndeliveredAsync(seqs: 0));
    }

    [Fact]
    public async Task What_an_edge_that_breaks_has_not_confirmed_is_put_on_the_queue()
    {
        await using var links = Links();
        Assert.True(await links.SendConfirmedAsync(_lease, Delivery(1)).WaitAsync(Patience, Token));
        _script.Breaks = true;
        links.Send(_lease, Delivery(2));
        Assert.False(await links.SendConfirmedAsync(_lease, Delivery(3)).WaitAsync(Patience, Token));
        links.Send(_lease, Delivery(4));

        // The third had somebody who waited for it.
        var lacking = await UndeliveredAsync(seqs: 2);
        Assert.Equal([2L, 4L], lacking.Select(m => m.Seq).Order());
        Assert.All(lacking, m => Assert.Equal([_user], m.To));

        _script.Breaks = false;
        Assert.True(await links.SendConfirmedAsync(_lease, Delivery(5)).WaitAsync(Patience, Token));
    }

    [Fact]
    public async Task What_does_not_fit_into_the_queue_of_a_link_is_put_on_the_queue()
    {
        _script.Holds = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var links = Links(edgeQueue: 16);
        var seq = 1L;
        // Until the stream's window and the link's queue are full, which a confirmed send tells.
        var confirmed = new List<Task<bool>>();
        do confirmed.Add(links.SendConfirmedAsync(_lease, Delivery(seq++)));
        while (!confirmed[^1].IsCompleted);
        Assert.False(await confirmed[^1]);
        links.Send(_lease, Delivery(seq));

        Assert.Contains(seq, (await UndeliveredAsync(seqs: 1)).Select(m => m.Seq));
        _script.Holds.SetResult();
        Assert.All(await Task.WhenAll(confirmed.SkipLast(1)).WaitAsync(Patience, Token), Assert.True);
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

    private sealed class ScriptedEdge : Transport.EdgeTransportBase
    {
        private readonly List<long> _seen = [];

        public bool Breaks { get; set; }

        public TaskCompletionSource? Holds { get; set; }

        public long[] Seen
        {
            get
            {
                lock (_seen) return [.. _seen];
            }
        }

        public override async Task Deliver(
            IAsyncStreamReader<DeliveryBatch> requestStream, IServerStreamWriter<DeliveryReport> responseStream, ServerCallContext context)
        {
            while (await requestStream.MoveNext(context.CancellationToken))
            {
                if (Breaks) throw new RpcException(new(StatusCode.Unavailable, "broken"));
                if (Holds is { } held) await held.Task.WaitAsync(context.CancellationToken);
                lock (_seen) _seen.AddRange(requestStream.Current.Deliveries.Select(d => d.Seq));
                await responseStream.WriteAsync(new() { Id = requestStream.Current.Id }, context.CancellationToken);
            }
        }
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
