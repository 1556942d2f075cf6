using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using WhatsAspire.Backplane.EdgeTransport;
using WhatsAspire.Backplane.Sessions;
using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Messaging.V1;
using WhatsAspire.EmbeddedRedis;
using WhatsAspire.LocalEngines;

namespace WhatsAspire.Backplane.Tests.EdgeTransport;

/// <summary>What goes from a sender's edge to the others, over an embedded Redis and real streams.</summary>
public sealed class LiveRouterTests : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("whatsaspire-router-");
    private readonly LocalConnections _local = new();
    private EmbeddedRedisServer _redis = null!;
    private IHost _host = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        var port = FreePorts.Take(1)[0];
        _redis = new(
            Options.Create(new EmbeddedRedisOptions { Port = port, DataPath = _folder.FullName }), NullLoggerFactory.Instance,
            NullLogger<EmbeddedRedisServer>.Instance);
        await _redis.StartAsync(Token);
        var builder = Host.CreateEmptyApplicationBuilder(new());
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?> { ["ConnectionStrings:redis"] = $"127.0.0.1:{port}" });
        builder.Services.AddSingleton<ILocalDelivery>(_local);
        builder.AddBackplane();
        _host = builder.Build();
        await _host.StartAsync(Token);
    }

    public async ValueTask DisposeAsync()
    {
        await _host.StopAsync(Token);
        _host.Dispose();
        await _redis.StopAsync(Token);
        _redis.Dispose();
        _folder.Delete(recursive: true);
    }

    [Fact]
    [Trait("Requirement", "R21")]
    public async Task A_group_s_message_is_measured_once_when_the_last_edge_has_it()
    {
        await using var first = await ScriptedEdge.StartAsync("first");
        await using var second = await ScriptedEdge.StartAsync("second");
        var users = Enumerable.Range(0, 12).Select(_ => UserId.New()).ToArray();
        // The sender is here, and ten are on two edges; one is nowhere.
        _local.Users.Add(users[0]);
        for (var i = 1; i <= 10; i++) await ConnectAsync(users[i], i <= 6 ? first : second);
        using var measured = new Measurements(_host.Services.GetRequiredService<IMeterFactory>());
        second.Holds = new(TaskCreationOptions.RunContinuationsAsynchronously);

        Route(users, ConversationKind.Group, duplicate: false);
        await UntilAsync(() => measured.Sum("whatsaspire.fanout.deliveries") == 7);
        Assert.Empty(measured.Of("whatsaspire.fanout.latency"));
        second.Holds.SetResult();
        await UntilAsync(() => measured.Of("whatsaspire.fanout.latency").Count > 0);

        var (took, tags) = Assert.Single(measured.Of("whatsaspire.fanout.latency"));
        Assert.InRange(took, 60, 120);
        Assert.Equal("direct 11-100", tags);
        Assert.Equal((11, 2), (measured.Sum("whatsaspire.fanout.deliveries"), measured.Sum("whatsaspire.fanout.edge_calls")));
    }

    [Fact]
    public async Task Neither_a_direct_message_nor_a_repeated_one_is_measured_and_both_arrive()
    {
        await using var edge = await ScriptedEdge.StartAsync("edge");
        var users = new[] { UserId.New(), UserId.New() };
        await ConnectAsync(users[1], edge);
        using var measured = new Measurements(_host.Services.GetRequiredService<IMeterFactory>());

        Route(users, ConversationKind.Direct, duplicate: false);
        Route(users, ConversationKind.Group, duplicate: true);
        await UntilAsync(() => edge.Seen.Length == 2);
        Assert.Empty(measured.Of("whatsaspire.fanout.edge_calls"));
    }

    [Fact]
    public async Task What_one_edge_did_not_take_is_not_measured_as_if_all_had_it()
    {
        await using var edge = await ScriptedEdge.StartAsync("edge");
        var users = new[] { UserId.New(), UserId.New(), UserId.New() };
        await ConnectAsync(users[1], edge);
        edge.Breaks = true;
        using var measured = new Measurements(_host.Services.GetRequiredService<IMeterFactory>());

        Route(users, ConversationKind.Group, duplicate: false);
        // The link has given up, and what comes next opens another.
        await UntilAsync(() => measured.Sum("whatsaspire.redelivery.failures") > 0);
        edge.Breaks = false;
        Route(users, ConversationKind.Group, duplicate: false);
        await UntilAsync(() => measured.Of("whatsaspire.fanout.latency").Count > 0);
        Assert.Single(measured.Of("whatsaspire.fanout.latency"));
    }

    [Fact]
    public async Task An_event_that_can_t_be_delivered_does_not_end_the_way_of_the_others()
    {
        await using var edge = await ScriptedEdge.StartAsync("edge");
        var users = new[] { UserId.New(), UserId.New() };
        await ConnectAsync(users[1], edge);
        _local.Fails = true;
        using var measured = new Measurements(_host.Services.GetRequiredService<IMeterFactory>());

        Route(users, ConversationKind.Direct, duplicate: false);
        await UntilAsync(() => _local.Failed > 0);
        _local.Fails = false;
        Route(users, ConversationKind.Direct, duplicate: false);
        await UntilAsync(() => edge.Seen.Length > 0);
    }

    private static async Task UntilAsync(Func<bool> holds)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(Token);
        end.CancelAfter(Patience);
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(10));
        while (!holds()) await timer.WaitForNextTickAsync(end.Token);
    }

    private readonly ConversationId _chat = ConversationId.NewGroup();
    private long _seq;

    private void Route(UserId[] users, ConversationKind kind, bool duplicate)
    {
        var sent = new SendResult
        {
            Duplicate = duplicate,
            Kind = kind,
            Entry = new()
            {
                ConversationId = _chat.ToBytes(),
                MessageId = UserId.New().ToBytes(),
                SenderId = users[0].ToBytes(),
                Seq = ++_seq,
                Kind = EntryKind.Text,
                CreatedAtMs = TimeProvider.System.GetUtcNow().AddSeconds(-60).ToUnixTimeMilliseconds(),
            },
        };
        foreach (var user in users[1..]) sent.Recipients.Add(user.ToBytes());
        LiveMessages.Route(_host.Services.GetRequiredService<LiveEvents>(), users[0], sent, "hello"u8, null, null);
    }

    private async Task ConnectAsync(UserId user, ScriptedEdge edge)
    {
        var sessions = _host.Services.GetRequiredService<SessionRegistry>();
        await sessions.RenewLeaseAsync(edge.Lease);
        await sessions.AddAsync(user, new(ConnectionId.New(TimeProvider.System), DeviceId.New(), edge.Lease.EdgeId));
    }

    private sealed class LocalConnections : ILocalDelivery
    {
        private int _failed;

        public HashSet<UserId> Users { get; } = [];

        public bool Fails { get; set; }

        public int Failed => _failed;

        public string EdgeId => "here";

        public bool Deliver(UserId user, LiveEvent live)
        {
            if (!Fails) return Users.Contains(user);
            Interlocked.Increment(ref _failed);
            throw new InvalidOperationException("broken");
        }
    }

    /// <summary>What our instruments measured meanwhile.</summary>
    private sealed class Measurements : IDisposable
    {
        private readonly MeterListener _listener = new();
        private readonly ConcurrentQueue<(string Instrument, double Value, string Tags)> _all = new();

        public Measurements(IMeterFactory meters)
        {
            _listener.InstrumentPublished = (published, listener) =>
            {
                // Other tests run beside this one.
                if (published.Meter.Scope == meters) listener.EnableMeasurementEvents(published);
            };
            _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Add(instrument, value, tags));
            _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Add(instrument, value, tags));
            _listener.Start();
        }

        public List<(double Value, string Tags)> Of(string instrument) =>
            [.. _all.Where(one => one.Instrument == instrument).Select(one => (one.Value, one.Tags))];

        public double Sum(string instrument) => Of(instrument).Sum(one => one.Value);

        public void Dispose() => _listener.Dispose();

        private void Add(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags) =>
            _all.Enqueue((instrument.Name, value, string.Join(' ', tags.ToArray().Select(tag => tag.Value))));
    }
}
