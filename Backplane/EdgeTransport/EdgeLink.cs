using System.Threading.Channels;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.Extensions.Logging;
using WhatsAspire.Backplane.Sessions;
using WhatsAspire.Contracts.Edge.V1;
using EdgeTransportClient = WhatsAspire.Contracts.Edge.V1.EdgeTransport.EdgeTransportClient;

namespace WhatsAspire.Backplane.EdgeTransport;

/// <summary>The stream to one edge. Batches form by themselves: what comes while one write is under way leaves with
/// the next. A stream that breaks is opened once more, and what the edge had not confirmed is sent again; if that
/// fails too the edge is taken for gone, the link closes, and what was not confirmed has failed.</summary>
internal sealed class EdgeLink : IAsyncDisposable
{
    private const int Batch = 256;
    private const int Unconfirmed = 16;
    private static readonly TimeSpan Idle = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(2);

    private readonly EdgeLease _edge;
    private readonly string _from;
    private readonly ILogger _logger;
    private readonly Action<Delivery> _failed;
    private readonly Channel<Item> _waiting;
    private readonly CancellationTokenSource _stop;
    private readonly SemaphoreSlim _window = new(Unconfirmed, Unconfirmed);
    private readonly Queue<Sent> _unconfirmed = new();
    private ulong _lastBatch;

    /// <param name="edge">The other side.</param>
    /// <param name="from">This process, for its logs.</param>
    /// <param name="capacity">Deliveries that may wait.</param>
    /// <param name="failed">Takes, when the link has closed, each delivery that was not confirmed and whose failure nobody looks
    /// after.</param>
    /// <param name="logger">Where failures go.</param>
    /// <param name="stopping">Closes the link.</param>
    public EdgeLink(EdgeLease edge, string from, int capacity, Action<Delivery> failed, ILogger logger, CancellationToken stopping)
    {
        (_edge, _from, _failed, _logger) = (edge, from, failed, logger);
        _waiting = Channel.CreateBounded<Item>(new BoundedChannelOptions(capacity) { SingleReader = true });
        _stop = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        Completion = Task.Run(RunAsync, CancellationToken.None);
    }

    /// <summary>Completes, never faults, when the link has closed for good.</summary>
    public Task Completion { get; }

    public bool IsClosed => _waiting.Reader.Completion.IsCompleted || Completion.IsCompleted;

    public bool TrySend(Item item) => _waiting.Writer.TryWrite(item);

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await Completion;
        _stop.Dispose();
        _window.Dispose();
    }

    private async Task RunAsync()
    {
        using var channel = GrpcChannel.ForAddress(_edge.Address, new GrpcChannelOptions
        {
            HttpHandler = new SocketsHttpHandler
            {
                ConnectTimeout = ConnectTimeout,
                KeepAlivePingDelay = TimeSpan.FromSeconds(5),
                KeepAlivePingTimeout = TimeSpan.FromSeconds(5),
                EnableMultipleHttp2Connections = false,
                ActivityHeadersPropagator = null,
            },
            DisposeHttpClient = true,
        });
        var client = new EdgeTransportClient(channel);
        var reason = "idle";
        try
        {
            for (var failures = 0; failures < 2;)
            {
                var confirmedBefore = _lastBatch;
                try
                {
                    if (await StreamAsync(client)) return;
                }
                catch (Exception e) when (IsBroken(e))
                {
                    reason = e is RpcException rpc ? rpc.Status.Detail : e.Message;
                }

                failures = _lastBatch > confirmedBefore ? 1 : failures + 1;
            }

            _logger.EdgeLinkLost(_edge.EdgeId, _edge.Address, reason);
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // The process ends: what was not delivered live is in the logs.
        }
        finally
        {
            _waiting.Writer.TryComplete();
            var left = 0;
            foreach (var sent in _unconfirmed)
                for (var i = 0; i < sent.Batch.Deliveries.Count; i++, left++) Fail(new(sent.Batch.Deliveries[i], sent.Confirmed?[i]));
            for (; _waiting.Reader.TryRead(out var item); left++) Fail(item);
            if (left > 0) _logger.DeliveriesDropped(left, _edge.EdgeId);
        }
    }

    /// <returns>True when the link has been idle and was closed in order.</returns>
    private async Task<bool> StreamAsync(EdgeTransportClient client)
    {
        using var broken = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
        using var call = client.Deliver(cancellationToken: broken.Token);
        // Batches of the stream that broke take their places in the window with them.
        foreach (var sent in _unconfirmed) await call.RequestStream.WriteAsync(sent.Batch, broken.Token);
        _logger.EdgeLinkOpened(_edge.EdgeId, _edge.Address);
        var reports = ReadReportsAsync(call, broken);
        try
        {
            while (true)
            {
                if (!_waiting.Reader.TryPeek(out _) && !await WaitAsync(broken.Token)) return true;
                await _window.WaitAsync(broken.Token);
                var batch = new DeliveryBatch { Id = ++_lastBatch, From = _from };
                var confirmed = TakeInto(batch);
                lock (_unconfirmed) _unconfirmed.Enqueue(new(batch, confirmed));
                await call.RequestStream.WriteAsync(batch, broken.Token);
            }
        }
        catch (OperationCanceledException) when (!_stop.IsCancellationRequested)
        {
            await reports;   // throws what broke the stream
            throw new IOException("the edge ended the stream");
        }
        catch (Exception e) when (IsBroken(e))
        {
            // Reports of this stream must not be taken while the next one goes through what is unconfirmed.
            await broken.CancelAsync();
            await Task.WhenAny(reports);
            throw;
        }
    }

    /// <returns>Who waits for the deliveries of the batch, place by place; null when nobody does.</returns>
    private IConfirmation?[]? TakeInto(DeliveryBatch batch)
    {
        IConfirmation?[]? confirmed = null;
        while (batch.Deliveries.Count < Batch && _waiting.Reader.TryRead(out var item))
        {
            if (item.Confirmed is not null) (confirmed ??= new IConfirmation?[Batch])[batch.Deliveries.Count] = item.Confirmed;
            batch.Deliveries.Add(item.Delivery);
        }

        return confirmed;
    }

    private void Fail(Item item)
    {
        if (item.Confirmed is not { OwnsFailures: true }) _failed(item.Delivery);
        item.Confirmed?.Set(false, item.Delivery.UserIds.Count);
    }

    // The last is what a write says to a call that the other side has ended in order.
    private static bool IsBroken(Exception e) =>
        e is RpcException or IOException or HttpRequestException or InvalidOperationException;

    /// <returns>False when nothing came for a long time; the link takes nothing any more then.</returns>
    private async Task<bool> WaitAsync(CancellationToken broken)
    {
        using var idle = CancellationTokenSource.CreateLinkedTokenSource(broken);
        idle.CancelAfter(Idle);
        try
        {
            return await _waiting.Reader.WaitToReadAsync(idle.Token);
        }
        catch (OperationCanceledException) when (!broken.IsCancellationRequested)
        {
            _waiting.Writer.TryComplete();
            return await _waiting.Reader.WaitToReadAsync(broken);
        }
    }

    private async Task ReadReportsAsync(AsyncDuplexStreamingCall<DeliveryBatch, DeliveryReport> call, CancellationTokenSource broken)
    {
        try
        {
            while (await call.ResponseStream.MoveNext(broken.Token))
            {
                var confirmed = call.ResponseStream.Current.Id;
                lock (_unconfirmed)
                    while (_unconfirmed.TryPeek(out var sent) && sent.Batch.Id <= confirmed)
                    {
                        _unconfirmed.Dequeue();
                        _window.Release();
                        for (var i = 0; i < sent.Batch.Deliveries.Count && sent.Confirmed is not null; i++)
                            sent.Confirmed[i]?.Set(true, sent.Batch.Deliveries[i].UserIds.Count);
                    }
            }
        }
        finally
        {
            await broken.CancelAsync();
        }
    }

    /// <param name="Delivery">What to send.</param>
    /// <param name="Confirmed">Told whether the edge has it; null where nobody asks.</param>
    internal readonly record struct Item(Delivery Delivery, IConfirmation? Confirmed);

    private sealed record Sent(DeliveryBatch Batch, IConfirmation?[]? Confirmed);
}
