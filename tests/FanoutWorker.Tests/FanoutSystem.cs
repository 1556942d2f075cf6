using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using WhatsAspire.Backplane;
using WhatsAspire.Backplane.Activity;
using WhatsAspire.Backplane.Queue;
using WhatsAspire.Backplane.Sessions;
using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Events;
using WhatsAspire.EmbeddedRedis;
using WhatsAspire.LocalEngines;
using WhatsAspire.ServiceDefaults;

namespace WhatsAspire.FanoutWorker.Tests;

/// <summary>Whole workers on the embedded queue and Garnet, with edges and a MessageApi that do what the test wants.</summary>
internal sealed class FanoutSystem : IAsyncDisposable
{
    private readonly TestFolder _folder = new();
    private readonly List<TestEdge> _edges = [];
    private readonly List<WebApplication> _workers = [];
    private readonly ConcurrentQueue<PushEvent> _pushes = new();
    private readonly int _redisPort = FreePorts.Take(1)[0];
    private EmbeddedRedisServer _redis = null!;
    private WebApplication _api = null!;
    private IHost _outside = null!;

    public ScriptedGroup Group { get; } = new();

    public IEventQueue Queue => _outside.Services.GetRequiredService<IEventQueue>();

    public ActivityMarks Marks => _outside.Services.GetRequiredService<ActivityMarks>();

    /// <summary>Who is to be pushed to.</summary>
    public IReadOnlyCollection<PushEvent> Pushes => _pushes;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static async Task<FanoutSystem> StartAsync()
    {
        var system = new FanoutSystem();
        var options = new EmbeddedRedisOptions { Port = system._redisPort, DataPath = system._folder.File("redis") };
        system._redis = new(Options.Create(options), NullLoggerFactory.Instance, NullLogger<EmbeddedRedisServer>.Instance);
        await system._redis.StartAsync(Cancel);

        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { ContentRootPath = system._folder.Path });
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http2));
        builder.Services.AddGrpc();
        builder.Services.AddSingleton(system.Group);
        system._api = builder.Build();
        system._api.MapGrpcService<ScriptedGroup>();
        await system._api.StartAsync(Cancel);

        var outside = Host.CreateEmptyApplicationBuilder(new());
        system.Configure(outside);
        system._outside = outside.Build();
        await system._outside.StartAsync(Cancel);
        await system.Queue.SubscribeAsync(PushEvent.Topic, "test", (received, _) =>
        {
            system._pushes.Enqueue(JsonSerializer.Deserialize(received.Payload.Span, EventJson.Default.PushEvent)!);
            return new(Handled.Done);
        }, Cancel);
        return system;
    }

    public async Task<TestEdge> AddEdgeAsync(params IEnumerable<UserId> users)
    {
        var edge = await TestEdge.StartAsync(_outside.Services.GetRequiredService<SessionRegistry>(), _folder.Path);
        _edges.Add(edge);
        await edge.ConnectAsync(users);
        return edge;
    }

    /// <summary>Starts a worker that is sure of who is connected.</summary>
    public async Task<WebApplication> StartWorkerAsync(params IEnumerable<(string Name, string Value)> settings)
    {
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { ContentRootPath = _folder.Path });
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        Configure(builder);
        builder.Configuration.AddInMemoryCollection(settings.ToDictionary(setting => setting.Name, setting => (string?)setting.Value));
        builder.AddServiceDefaults();
        builder.AddFanoutWorker();
        var worker = builder.Build();
        _workers.Add(worker);
        await worker.StartAsync(Cancel);
        await Wait.UntilAsync(() => worker.Services.GetRequiredService<SessionRegistry>().IsWhole, "the worker is sure of the sessions");
        return worker;
    }

    /// <summary>Starts a worker as a process, to be killed.</summary>
    public Process StartWorkerProcess(params IEnumerable<(string Name, string Value)> settings)
    {
        var start = new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "WhatsAspire.FanoutWorker"))
        {
            WorkingDirectory = _folder.Path,
            RedirectStandardOutput = true,
        };
        start.Environment["ASPNETCORE_URLS"] = "http://127.0.0.1:0";
        start.Environment["Logging__LogLevel__Default"] = "None";
        // A test that fails leaves no process.
        start.Environment[ProcessIdentity.ParentVariable] = ProcessIdentity.Current().ToString();
        foreach (var (name, value) in Settings()) start.Environment[name.Replace(":", "__", StringComparison.Ordinal)] = value;
        foreach (var (name, value) in settings) start.Environment[name.Replace(":", "__", StringComparison.Ordinal)] = value;
        return Process.Start(start)!;
    }

    /// <summary>Puts an entry on the queue, as MessageApi does.</summary>
    public Task PublishAsync(long seq, UserId sender, ConnectionId? except = null) => Queue.PublishAsync(FanoutEvent.Topic, new()
    {
        Key = Group.Id.ToString(),
        Type = FanoutEvent.Type,
        Payload = JsonSerializer.SerializeToUtf8Bytes(
            new FanoutEvent
            {
                ConversationId = Group.Id,
                Seq = seq,
                SenderId = sender,
                Except = except,
                At = TimeProvider.System.GetUtcNow(),
            }, EventJson.Default.FanoutEvent),
    }, Cancel);

    public async Task<long> SendAsync(UserId sender, string text = "hello")
    {
        var seq = Group.AppendText(sender, text);
        await PublishAsync(seq, sender);
        return seq;
    }

    public async ValueTask DisposeAsync()
    {
        // Edges first: a worker that waits for one would be waited for.
        foreach (var edge in _edges) await edge.DisposeAsync();
        foreach (var worker in _workers) await worker.DisposeAsync();
        _outside.Dispose();
        await _api.DisposeAsync();
        await _redis.StopAsync(CancellationToken.None);
        _redis.Dispose();
        _folder.Dispose();
    }

    private void Configure(IHostApplicationBuilder builder)
    {
        builder.Configuration.AddInMemoryCollection(Settings());
        builder.AddBackplane();
        builder.AddQueue();
    }

    private Dictionary<string, string?> Settings() => new()
    {
        ["ConnectionStrings:redis"] = $"127.0.0.1:{_redisPort}",
        ["Backplane:LeaseTime"] = "00:05:00",
        ["Backplane:LeaseRenewal"] = "00:00:00.100",
        ["Backplane:LeaseCache"] = "00:00:00",
        ["Queue:Path"] = _folder.File("queue.db"),
        ["Queue:Partitions"] = "4",
        ["Queue:LeaseTime"] = "00:00:01",
        ["Queue:PollInterval"] = "00:00:00.005",
        ["Queue:StopGrace"] = "00:00:00.100",
        ["services:message-api:grpc:0"] = _api.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single(),
    };
}
