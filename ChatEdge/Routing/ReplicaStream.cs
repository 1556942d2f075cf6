using System.IO.Hashing;
using System.Text;
using System.Threading.Channels;
using Grpc.Core;
using Grpc.Net.Client;
using WhatsAspire.Contracts.Messaging.V1;

namespace WhatsAspire.ChatEdge.Routing;

/// <summary>The long-lived stream of operations to one replica of MessageApi. Batches form by themselves: what comes while
/// one write is under way leaves with the next.</summary>
internal sealed class ReplicaStream : IDisposable
{
    private const int Batch = 256;
    private static readonly TimeSpan FirstRetry = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LastRetry = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(3);

    private readonly MessageApiLink _link;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly GrpcChannel _channel;
    private readonly CancellationTokenSource _ended;

    // Bounded by the link, which takes no more operations than it has room for in all.
    private readonly Channel<PendingOperation> _waiting = Channel.CreateUnbounded<PendingOperation>(new() { SingleReader = true });

    public ReplicaStream(Uri address, MessageApiLink link, TimeProvider time, ILogger logger, CancellationToken stopping)
    {
        (Address, _link, _time, _logger) = (address, link, time, logger);
        Seed = (long)XxHash3.HashToUInt64(Encoding.UTF8.GetBytes(address.AbsoluteUri));
        _channel = GrpcChannel.ForAddress(address, new GrpcChannelOptions
        {
            MaxReceiveMessageSize = 32 * 1024 * 1024,
            HttpHandler = new SocketsHttpHandler
            {
                ConnectTimeout = ConnectTimeout,
                EnableMultipleHttp2Connections = true,
                // A replica that hangs, or whose machine is gone, closes nothing: within five seconds others take over.
                KeepAlivePingDelay = TimeSpan.FromSeconds(2),
                KeepAlivePingTimeout = TimeSpan.FromSeconds(3),
                KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests,
            },
            DisposeHttpClient = true,
        });
        Client = new(_channel);
        _ended = CancellationTokenSource.CreateLinkedTokenSource(stopping);
    }

    public Uri Address { get; }

    /// <summary>Of the hash that gives conversations to replicas: the same on every edge.</summary>
    public long Seed { get; }

    /// <summary>For the calls that are no operations of the stream.</summary>
    public Messaging.MessagingClient Client { get; }

    /// <summary>Whether the stream stands. Changed by the link alone.</summary>
    public bool IsConnected { get; set; }

    public void Enqueue(PendingOperation operation) => _waiting.Writer.TryWrite(operation);

    /// <summary>Takes out what waits.</summary>
    public void Drain()
    {
        while (_waiting.Reader.TryRead(out _))
        {
            // The link knows them all.
        }
    }

    /// <summary>Ends it: the replica is no more.</summary>
    public void End() => _ended.Cancel();

    public void Dispose()
    {
        _ended.Dispose();
        _channel.Dispose();
    }

    /// <summary>Keeps a stream open until the end.</summary>
    public async Task RunAsync()
    {
        var retry = FirstRetry;
        while (!_ended.IsCancellationRequested)
        {
            try
            {
                await StreamAsync(() => retry = FirstRetry);
            }
            catch (Exception e) when (e is RpcException or IOException or HttpRequestException or TimeoutException or InvalidOperationException
                or OperationCanceledException && !_ended.IsCancellationRequested)
            {
                _logger.ApiStreamLost(Address, e is RpcException rpc ? rpc.Status.Detail : e.Message);
            }
            catch (Exception e) when (e is OperationCanceledException or RpcException && _ended.IsCancellationRequested)
            {
                // It is over.
            }

            _link.Disconnected(this);
            try
            {
                await Task.Delay(retry, _time, _ended.Token);
            }
            catch (OperationCanceledException)
            {
                return;
            }

            retry = retry * 2 < LastRetry ? retry * 2 : LastRetry;
        }
    }

    private async Task StreamAsync(Action onConnected)
    {
        using var broken = CancellationTokenSource.CreateLinkedTokenSource(_ended.Token);
        using var call = Client.Exchange(cancellationToken: broken.Token);
        // The server sends its headers at once: they tell a standing stream from a refused connection.
        await call.ResponseHeadersAsync.WaitAsync(ConnectTimeout, _time, broken.Token);
        onConnected();
        _logger.ApiStreamOpened(Address);
        var results = ReadAsync(call.ResponseStream, broken);
        try
        {
            _link.Connected(this);
            while (await _waiting.Reader.WaitToReadAsync(broken.Token))
            {
                var batch = new OperationBatch();
                while (batch.Operations.Count < Batch && _waiting.Reader.TryRead(out var operation))
                {
                    if (!_link.IsPending(operation)) continue;   // expired
                    // An earlier stream broke before the answer came.
                    if (operation.WasWritten) operation.Operation.RepeatedAfterLoss = true;
                    operation.WasWritten = true;
                    batch.Operations.Add(operation.Operation);
                }

                if (batch.Operations.Count > 0) await call.RequestStream.WriteAsync(batch, broken.Token);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or RpcException or InvalidOperationException && !_ended.IsCancellationRequested)
        {
            await broken.CancelAsync();
            await results;   // throws what broke the stream
            throw new IOException("the stream was ended", e);
        }
    }

    private async Task ReadAsync(IAsyncStreamReader<ResultBatch> stream, CancellationTokenSource broken)
    {
        try
        {
            while (await stream.MoveNext(broken.Token))
                foreach (var result in stream.Current.Results) _link.Answered(result);
        }
        finally
        {
            await broken.CancelAsync();
        }
    }
}
