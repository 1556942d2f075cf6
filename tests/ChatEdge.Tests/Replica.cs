using System.Collections.Concurrent;
using System.Net;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Messaging.V1;

namespace WhatsAspire.ChatEdge.Tests;

/// <summary>A replica that answers everything, unless it is mute.</summary>
internal sealed class Replica : Messaging.MessagingBase, IAsyncDisposable
{
    private readonly WebApplication _app;
    private int _streams;
    private bool _disposed;

    private Replica(int port)
    {
        // The settings file of the service, which is beside the tests, is not for it.
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { ContentRootPath = Path.GetTempPath() });
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, port, listen => listen.Protocols = HttpProtocols.Http2));
        builder.Services.AddGrpc();
        builder.Services.AddSingleton(this);
        _app = builder.Build();
        _app.MapGrpcService<Replica>();
    }

    public ConcurrentQueue<Operation> Log { get; } = new();

    public bool IsMute { get; set; }

    /// <summary>How operations are answered.</summary>
    public Func<Operation, Result> Answer { get; set; } = operation => new() { Id = operation.Id, Sent = new() };

    public int Streams => _streams;

    public int Port { get; private set; }

    public static async Task<Replica> StartAsync(int port)
    {
        var replica = new Replica(port);
        await replica._app.StartAsync(TestContext.Current.CancellationToken);
        replica.Port = new Uri(replica._app.Urls.Single()).Port;
        return replica;
    }

    public IReadOnlyList<Operation> Got(ConversationId conversation) =>
        [.. Log.Where(operation => operation.Send.ConversationId.ToConversationId() == conversation)];

    public override async Task Exchange(
        IAsyncStreamReader<OperationBatch> requestStream, IServerStreamWriter<ResultBatch> responseStream, ServerCallContext context)
    {
        await context.WriteResponseHeadersAsync([]);
        Interlocked.Increment(ref _streams);
        while (await requestStream.MoveNext(context.CancellationToken))
        {
            var results = new ResultBatch();
            foreach (var operation in requestStream.Current.Operations)
            {
                Log.Enqueue(operation);
                if (!IsMute) results.Results.Add(Answer(operation));
            }

            if (results.Results.Count > 0) await responseStream.WriteAsync(results, context.CancellationToken);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_disposed) return;
        _disposed = true;
        // As if it were killed: nothing is finished.
        using var now = new CancellationTokenSource();
        await now.CancelAsync();
        await _app.StopAsync(now.Token);
        await _app.DisposeAsync();
    }
}
