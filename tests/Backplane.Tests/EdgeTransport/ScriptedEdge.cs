using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using WhatsAspire.Backplane.Sessions;
using WhatsAspire.Contracts.Edge.V1;
using Transport = WhatsAspire.Contracts.Edge.V1.EdgeTransport;

namespace WhatsAspire.Backplane.Tests.EdgeTransport;

/// <summary>Another edge, over a real stream, which does as the test says.</summary>
internal sealed class ScriptedEdge : Transport.EdgeTransportBase, IAsyncDisposable
{
    private readonly List<long> _seen = [];
    private WebApplication _server = null!;

    /// <summary>Ends its streams with an error.</summary>
    public bool Breaks { get; set; }

    /// <summary>Takes nothing before this has ended.</summary>
    public TaskCompletionSource? Holds { get; set; }

    public EdgeLease Lease { get; private set; } = null!;

    public long[] Seen
    {
        get
        {
            lock (_seen) return [.. _seen];
        }
    }

    public static async Task<ScriptedEdge> StartAsync(string id)
    {
        var edge = new ScriptedEdge();
        var builder = WebApplication.CreateBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddGrpc();
        builder.Services.AddSingleton(edge);
        builder.WebHost.ConfigureKestrel(k => k.Listen(System.Net.IPAddress.Loopback, 0, l => l.Protocols = HttpProtocols.Http2));
        edge._server = builder.Build();
        edge._server.MapGrpcService<ScriptedEdge>();
        await edge._server.StartAsync(TestContext.Current.CancellationToken);
        edge.Lease = new(id, new(edge._server.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First()));
        return edge;
    }

    public ValueTask DisposeAsync() => _server.DisposeAsync();

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
