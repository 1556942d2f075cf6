using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using WhatsAspire.Backplane.Queue;
using WhatsAspire.Backplane.Queue.Sqlite;

namespace WhatsAspire.Backplane.Tests.Queue;

/// <summary>A queue's file in a folder of its own, removed at the end.</summary>
internal sealed class QueueFile : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("queue-");

    public string Path => System.IO.Path.Combine(_folder.FullName, "queue.db");

    public SqliteEventQueue Open(QueueOptions options, Action<SqliteQueueOptions>? change = null, TimeProvider? time = null)
    {
        var settings = new SqliteQueueOptions
        {
            Path = Path,
            PollInterval = TimeSpan.FromMilliseconds(5),
            LeaseTime = TimeSpan.FromSeconds(1.5),
            CommitInterval = TimeSpan.FromMilliseconds(20),
        };
        change?.Invoke(settings);
        var meters = new ServiceCollection().AddMetrics().BuildServiceProvider().GetRequiredService<IMeterFactory>();
        return new(
            Options.Create(options), Options.Create(settings), new QueueMetrics(meters), time ?? TimeProvider.System,
            NullLogger<SqliteEventQueue>.Instance);
    }

    public void Dispose() => _folder.Delete(recursive: true);
}
