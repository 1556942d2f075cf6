using System.Diagnostics.Metrics;
using System.Text.Json;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using WhatsAspire.Backplane.Queue;
using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Events;
using WhatsAspire.MessageApi.Fanout;
using WhatsAspire.MessageApi.Storage;
using WhatsAspire.ServiceDefaults;

namespace WhatsAspire.FanoutWorker.Tests;

/// <summary>What MessageApi puts on the queue, and what it does without one.</summary>
[Trait("Requirement", "R21")]
public sealed class PublishTests : IAsyncLifetime
{
    private readonly TestFolder _folder = new();
    private readonly ConversationId _group = ConversationId.NewGroup();
    private readonly List<FanoutEvent> _published = [];
    private readonly List<(string Path, long Entries)> _decided = [];
    private readonly RefusalLog _log = new();
    private MeterListener _listener = null!;
    private IHost _host = null!;
    private int _count;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private GroupFanout Fanout => _host.Services.GetRequiredService<GroupFanout>();

    private string SettingsPath => _folder.File("settings.json");

    public async ValueTask InitializeAsync()
    {
        var builder = Host.CreateEmptyApplicationBuilder(new());
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Queue:Path"] = _folder.File("queue.db"),
            ["Queue:PollInterval"] = "00:00:00.005",
            ["Fanout:PublishTimeout"] = "00:00:05",
            ["Fanout:PublishRetry"] = "00:00:00",
            ["SettingsFile"] = SettingsPath,
        });
        builder.Logging.AddProvider(_log);
        builder.AddServiceDefaults();
        builder.AddQueue();
        builder.AddFanout();
        _host = builder.Build();
        await _host.StartAsync(Cancel);
        // Only what this test's own meters say.
        var meters = _host.Services.GetRequiredService<IMeterFactory>();
        _listener = new()
        {
            InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Name == "whatsaspire.messages.fanouts" && ReferenceEquals(instrument.Meter.Scope, meters)) listener.EnableMeasurementEvents(instrument);
            },
        };
        _listener.SetMeasurementEventCallback<long>((_, value, tags, _) =>
        {
            lock (_decided) _decided.Add(((string)tags[0].Value!, value));
        });
        _listener.Start();
        await _host.Services.GetRequiredService<IEventQueue>().SubscribeAsync(FanoutEvent.Topic, "test", (received, _) =>
        {
            Assert.Equal((FanoutEvent.Type, _group.ToString()), (received.Type, received.Key));
            lock (_published) _published.Add(JsonSerializer.Deserialize(received.Payload.Span, EventJson.Default.FanoutEvent)!);
            return new(Handled.Done);
        }, Cancel);
    }

    public async ValueTask DisposeAsync()
    {
        await _host.StopAsync(CancellationToken.None);
        _host.Dispose();
        _listener.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public async Task Entries_of_a_group_beyond_the_threshold_are_on_the_queue_in_their_order()
    {
        _count = 101;
        var except = ConnectionId.New(TimeProvider.System);
        var entries = Enumerable.Range(1, 64).Select(seq => new FanoutEntry(Entry(seq), seq == 1 ? except : null, null)).ToArray();

        Assert.True(await Fanout.TryPublishAsync(ConversationShape.Group(_group), _count, entries));

        await Wait.UntilAsync(() => Published().Length == 64, "all are there");
        Assert.Equal(entries.Select(entry => (entry.Entry.Seq, entry.Entry.Sender, entry.Except)), Published().Select(one => (one.Seq, one.SenderId, one.Except)));
        Assert.All(Published(), one => Assert.Null(one.To));
        Assert.Equal(("queue", 64), Assert.Single(_decided));
    }

    [Fact]
    public async Task Smaller_groups_and_direct_conversations_are_left_to_the_edge()
    {
        _count = 100;
        Assert.False(await Fanout.TryPublishAsync(ConversationShape.Group(_group), _count, [new(Entry(1), null, null)]));
        Assert.False(await Fanout.TryPublishAsync(ConversationShape.Direct(UserId.New(), UserId.New()), 200, [new(Entry(1), null, null)]));
        Assert.Equal(("direct", 1), Assert.Single(_decided));
    }

    [Fact]
    public async Task Without_the_queue_an_entry_is_left_to_the_edge_and_with_it_again_no_longer()
    {
        _count = 101;
        Assert.True(await Fanout.TryPublishAsync(ConversationShape.Group(_group), _count, [new(Entry(1), null, null)]));
        using (var other = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = _folder.File("queue.db"), Pooling = false }.ToString()))
        {
            other.Open();
            using var begin = other.CreateCommand();
            begin.CommandText = "BEGIN IMMEDIATE";
            begin.ExecuteNonQuery();
            Assert.False(await Fanout.TryPublishAsync(ConversationShape.Group(_group), _count, [new(Entry(2), null, null)]));
        }

        await Wait.UntilAsync(
            async () => await Fanout.TryPublishAsync(ConversationShape.Group(_group), _count, [new(Entry(3), null, null)]), "the queue takes entries again");
        Assert.Contains(("fallback", 1), _decided);
    }

    [Fact]
    public async Task The_threshold_is_changed_by_the_settings_file_while_the_service_runs()
    {
        _count = 5;
        Assert.False(await IsQueuedAsync(1));
        await File.WriteAllTextAsync(SettingsPath, """{ "Fanout": { "Threshold": 4 } }""", Cancel);
        await Wait.UntilAsync(() => IsQueuedAsync(2), "the new threshold holds");

        // Half of a file, a value that can't be and one of another type: what held goes on to hold.
        foreach (var bad in new[] { """{ "Fanout": """, """{ "Fanout": { "Threshold": -1 } }""", """{ "Fanout": { "Threshold": "many" } }""" })
        {
            var refused = _log.Refused;
            await File.WriteAllTextAsync(SettingsPath, bad, Cancel);
            await Wait.UntilAsync(() => _log.Refused > refused, "the log says that the file can't be used");
            Assert.True(await IsQueuedAsync(3));
        }

        await File.WriteAllTextAsync(SettingsPath, """{ "Fanout": { "Threshold": 5 } }""", Cancel);
        await Wait.UntilAsync(async () => !await IsQueuedAsync(4), "the new threshold holds");
        _count = 100;
        Assert.True(await IsQueuedAsync(5));
        File.Delete(SettingsPath);
        await Wait.UntilAsync(async () => !await IsQueuedAsync(6), "the default holds again");
    }

    private async Task<bool> IsQueuedAsync(long seq) => await Fanout.TryPublishAsync(ConversationShape.Group(_group), _count, [new(Entry(seq), null, null)]);

    private FanoutEvent[] Published()
    {
        lock (_published) return [.. _published];
    }

    private LogEntry Entry(long seq) => new()
    {
        Conversation = _group,
        Seq = seq,
        Id = new(Guid.NewGuid()),
        Sender = UserId.New(),
        ClientMessageId = $"m{seq}",
        Kind = EntryKind.Text,
        Text = "hello"u8.ToArray(),
        CreatedAt = TimeProvider.System.GetUtcNow(),
        VisibleNumber = seq,
    };

    /// <summary>Counts how often the settings file could not be used.</summary>
    private sealed class RefusalLog : ILoggerProvider, ILogger
    {
        private int _refused;

        public int Refused => Volatile.Read(ref _refused);

        public ILogger CreateLogger(string categoryName) => this;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (eventId.Id == 7011) Interlocked.Increment(ref _refused);
        }

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public void Dispose()
        {
        }
    }
}
