using System.Collections.Concurrent;
using System.Threading.Channels;
using Grpc.Core;
using Microsoft.Extensions.Options;
using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Messaging.V1;

namespace WhatsAspire.ChatEdge.Routing;

/// <summary>The long-lived stream of operations to MessageApi. Batches form by themselves: what comes while one write
/// is under way leaves with the next. When the stream breaks, what was not answered is sent again, in its order, on
/// the next one: every operation is idempotent. What has waited longer than the timeout fails as unavailable, and its
/// client tries again.</summary>
internal sealed class MessageApiLink(
    Messaging.MessagingClient client, IOptions<EdgeOptions> options, TimeProvider time, ILogger<MessageApiLink> logger) : BackgroundService
{
    private const int Batch = 256;
    private static readonly TimeSpan FirstRetry = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LastRetry = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(3);
    private readonly ConcurrentDictionary<ulong, PendingOperation> _pending = new();
    private readonly Channel<PendingOperation> _waiting = Channel.CreateBounded<PendingOperation>(
        new BoundedChannelOptions(8192) { SingleReader = true });

    private ulong _lastId;
    private volatile bool _isConnected;

    /// <summary>For the calls that are no operations of the stream.</summary>
    public Messaging.MessagingClient Client => client;

    /// <summary>Whether the stream stands; for readiness.</summary>
    public bool IsConnected => _isConnected;

    /// <summary>Takes an operation; waits while too many wait already.</summary>
    public ValueTask SubmitAsync(PendingOperation operation)
    {
        operation.Operation.Id = Interlocked.Increment(ref _lastId);
        operation.SubmittedAt = time.GetTimestamp();
        _pending[operation.Operation.Id] = operation;
        return _waiting.Writer.TryWrite(operation) ? default : _waiting.Writer.WriteAsync(operation);
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        Task.WhenAll(RunAsync(stoppingToken), ExpireAsync(stoppingToken));

    private async Task RunAsync(CancellationToken stopping)
    {
        var retry = FirstRetry;
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                await StreamAsync(() => retry = FirstRetry, stopping);
            }
            catch (Exception e) when (e is RpcException or IOException or HttpRequestException or TimeoutException or InvalidOperationException
                && !stopping.IsCancellationRequested)
            {
                logger.ApiStreamLost(e is RpcException rpc ? rpc.Status.Detail : e.Message);
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                return;
            }

            _isConnected = false;
            try
            {
                await Task.Delay(retry, time, stopping);
            }
            catch (OperationCanceledException)
            {
                return;
            }

            retry = retry * 2 < LastRetry ? retry * 2 : LastRetry;
        }
    }

    private async Task StreamAsync(Action onConnected, CancellationToken stopping)
    {
        using var broken = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        using var call = client.Exchange(cancellationToken: broken.Token);
        // The server sends its headers at once: they tell a standing stream from a refused connection.
        await call.ResponseHeadersAsync.WaitAsync(ConnectTimeout, time, broken.Token);
        onConnected();
        _isConnected = true;
        logger.ApiStreamOpened();
        var results = ReadAsync(call.ResponseStream, broken);
        try
        {
            var batch = new OperationBatch();
            foreach (var (_, operation) in _pending.Where(p => p.Value.WasWritten).OrderBy(p => p.Key))
            {
                operation.Operation.RepeatedAfterLoss = true;
                batch.Operations.Add(operation.Operation);
                if (batch.Operations.Count < Batch) continue;
                await call.RequestStream.WriteAsync(batch, broken.Token);
                batch = new();
            }

            if (batch.Operations.Count > 0) await call.RequestStream.WriteAsync(batch, broken.Token);
            while (await _waiting.Reader.WaitToReadAsync(broken.Token))
            {
                batch = new();
                while (batch.Operations.Count < Batch && _waiting.Reader.TryRead(out var operation))
                {
                    if (!_pending.ContainsKey(operation.Operation.Id)) continue;   // expired
                    operation.WasWritten = true;
                    batch.Operations.Add(operation.Operation);
                }

                if (batch.Operations.Count > 0) await call.RequestStream.WriteAsync(batch, broken.Token);
            }
        }
        catch (OperationCanceledException) when (!stopping.IsCancellationRequested)
        {
            await results;   // throws what broke the stream
            throw new IOException("the stream was ended");
        }
    }

    private async Task ReadAsync(IAsyncStreamReader<ResultBatch> stream, CancellationTokenSource broken)
    {
        try
        {
            while (await stream.MoveNext(broken.Token))
                foreach (var result in stream.Current.Results)
                    if (_pending.TryRemove(result.Id, out var operation)) Finish(operation, result);
        }
        finally
        {
            await broken.CancelAsync();
        }
    }

    private void Finish(PendingOperation operation, Result result)
    {
        try
        {
            operation.Complete(result);
        }
        catch (Exception e)
        {
            // One operation's fault must not take the stream down for all others.
            logger.CompletionFailed(e);
        }
    }

    private async Task ExpireAsync(CancellationToken stopping)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1), time);
        try
        {
            while (await timer.WaitForNextTickAsync(stopping))
            {
                var now = time.GetTimestamp();
                foreach (var (id, operation) in _pending)
                    if (time.GetElapsedTime(operation.SubmittedAt, now) > options.Value.OperationTimeout && _pending.TryRemove(id, out _))
                        operation.Fail(Error.Unavailable("the message service does not answer; send it again, it will be stored once"));
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // The process ends: its clients connect elsewhere and send again.
        }
    }
}
