using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using WhatsAspire.Backplane.Queue;
using WhatsAspire.Backplane.Queue.Kafka;
using WhatsAspire.LocalEngines;
using Xunit;

namespace WhatsAspire.Engines.Tests.Queue;

/// <summary>A Kafka server for the tests of a class; each test has topics of its own.</summary>
public sealed class KafkaServer : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);
    private readonly DirectoryInfo _folder = System.IO.Directory.CreateTempSubdirectory("kafka-");
    private KafkaEngine? _engine;

    /// <summary>The server's process.</summary>
    public RunningEngine Process { get; private set; } = null!;

    public string ConnectionString => _engine!.ConnectionString;

    public async ValueTask InitializeAsync()
    {
        var ports = FreePorts.Take(2);
        try
        {
            _engine = new(_folder.FullName, ports[0], ports[1]);
        }
        catch (MissingEngineException)
        {
            return;   // each test says so
        }

        Process = new(_engine);
        await StartAsync();
    }

    public Task StartAsync() => Process.StartAsync(Patience, TestContext.Current.CancellationToken);

    /// <summary>Skips or fails a test where there is no Kafka.</summary>
    public void Need() => Engine.Need(Engine.Kafka, () => _engine ?? new KafkaEngine(_folder.FullName, 1, 2));

    public KafkaEventQueue Open(QueueOptions options, Action<KafkaQueueOptions>? change = null)
    {
        var settings = new KafkaQueueOptions
        {
            BootstrapServers = ConnectionString,
            CommitInterval = TimeSpan.FromMilliseconds(50),
            SessionTimeout = TimeSpan.FromSeconds(3),
        };
        change?.Invoke(settings);
        var meters = new ServiceCollection().AddMetrics().BuildServiceProvider().GetRequiredService<IMeterFactory>();
        return new(Options.Create(options), Options.Create(settings), new QueueMetrics(meters), TimeProvider.System, new TestLog());
    }

    public async ValueTask DisposeAsync()
    {
        if (Process is not null) await Process.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    /// <summary>Shows what the queue logs among the test's diagnostics.</summary>
    private sealed class TestLog : ILogger<KafkaEventQueue>
    {
        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Warning;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            TestContext.Current.SendDiagnosticMessage("{0} {1} {2}", logLevel, formatter(state, exception), exception?.Message ?? "");
    }
}
