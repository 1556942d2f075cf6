using System.Diagnostics.Metrics;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using WhatsAspire.Backplane.Queue;
using WhatsAspire.Backplane.Queue.Sqlite;

namespace WhatsAspire.Backplane.Tests.Queue;

/// <summary>A queue's file in a folder of its own, removed at the end.</summary>
internal sealed class QueueFile : IDisposable
{
    /// <summary>SQLITE_BUSY.</summary>
    private const int Busy = 5;

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

    /// <summary>Whether no process holds the lock of those that write.</summary>
    public bool CanWrite()
    {
        using var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = Path, Pooling = false }.ToString());
        connection.Open();
        using var begin = connection.CreateCommand();
        begin.CommandTimeout = 1;
        begin.CommandText = "BEGIN IMMEDIATE; ROLLBACK";
        try
        {
            begin.ExecuteNonQuery();
            return true;
        }
        catch (SqliteException e) when (e.SqliteErrorCode == Busy)
        {
            return false;
        }
    }

    public void Dispose() => _folder.Delete(recursive: true);
}
