using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using WhatsAspire.Backplane.Sessions;
using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Edge.V1;

namespace WhatsAspire.FanoutWorker.Tests;

/// <summary>An edge that notes what it is given, and confirms it unless it is told not to.</summary>
internal sealed class TestEdge : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly Script _script;
    private readonly SessionRegistry _registry;

    private TestEdge(WebApplication app, Script script, SessionRegistry registry, string id)
    {
        (_app, _script, _registry, Id) = (app, script, registry, id);
    }

    public string Id { get; }

    /// <summary>All deliveries so far, whether confirmed or not.</summary>
    public Delivery[] Got
    {
        get
        {
            lock (_script.Got) return [.. _script.Got];
        }
    }

    public IEnumerable<long> Seqs => Got.Select(delivery => delivery.Seq);

    /// <summary>Ends each stream that brings something.</summary>
    public bool Breaks
    {
        set => _script.Breaks = value;
    }

    public static async Task<TestEdge> StartAsync(SessionRegistry registry, string folder)
    {
        var script = new Script();
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { ContentRootPath = folder });
        builder.Logging.ClearProviders();
        builder.Services.AddGrpc();
        builder.Services.AddSingleton(script);
        builder.WebHost.ConfigureKestrel(k => k.Listen(System.Net.IPAddress.Loopback, 0, l => l.Protocols = HttpProtocols.Http2));
        var app = builder.Build();
        app.MapGrpcService<Script>();
        await app.StartAsync(TestContext.Current.CancellationToken);
        var edge = new TestEdge(app, script, registry, Guid.NewGuid().ToString("N")[..16]);
        var address = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();
        await registry.RenewLeaseAsync(new(edge.Id, new(address)));
        return edge;
    }

    public async Task ConnectAsync(params IEnumerable<UserId> users)
    {
        foreach (var user in users) await _registry.AddAsync(user, new(ConnectionId.New(TimeProvider.System), DeviceId.New(), Id));
    }

    /// <summary>From now on it takes what comes and confirms nothing, until the result is completed.</summary>
    public TaskCompletionSource Hold() => _script.Holds = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>As if it had been dead for longer than its lease.</summary>
    public Task EndLeaseAsync() => _registry.EndLeaseAsync(Id);

    public ValueTask DisposeAsync()
    {
        _script.Holds?.TrySetResult();
        return _app.DisposeAsync();
    }

    private sealed class Script : EdgeTransport.EdgeTransportBase
    {
        public List<Delivery> Got { get; } = [];

        public volatile bool Breaks;

        public TaskCompletionSource? Holds { get; set; }

        public override async Task Deliver(
            IAsyncStreamReader<DeliveryBatch> requestStream, IServerStreamWriter<DeliveryReport> responseStream, ServerCallContext context)
        {
            while (await requestStream.MoveNext(context.CancellationToken))
            {
                if (Breaks) throw new RpcException(new(StatusCode.Unavailable, "broken"));
                lock (Got) Got.AddRange(requestStream.Current.Deliveries);
                if (Holds is { } held) await held.Task.WaitAsync(context.CancellationToken);
                await responseStream.WriteAsync(new() { Id = requestStream.Current.Id }, context.CancellationToken);
            }
        }
    }
}
