using System.Threading.Channels;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;

namespace WhatsAspire.Backplane.Queue.Sqlite;

/// <summary>The one thread of this process that writes to the log. It takes everything that waits, in the order in which it
/// came, and commits it with one sync to disk; what comes during the sync makes the next commit. Other processes' commits
/// come between them.</summary>
internal sealed class LogWriter : IAsyncDisposable
{
    private const int Batch = 2048;
    private const int BatchBytes = 8 * 1024 * 1024;

    private readonly string _file;
    private readonly SqliteQueueOptions _settings;
    private readonly ILogger _logger;
    private readonly Action _committed;
    private readonly Channel<LogWrite> _queue;
    private readonly TaskCompletionSource _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private LogTables? _tables;
    private QueueUnavailableException? _fault;

    /// <param name="settings">The file and its time-outs.</param>
    /// <param name="capacity">Writes that may wait.</param>
    /// <param name="committed">Called after each commit.</param>
    /// <param name="logger">Where failures go.</param>
    /// <exception cref="QueueUnavailableException">The file can't be opened.</exception>
    public LogWriter(SqliteQueueOptions settings, int capacity, Action committed, ILogger logger)
    {
        (_settings, _committed, _logger) = (settings, committed, logger);
        _file = settings.File;
        _queue = Channel.CreateBounded<LogWrite>(new BoundedChannelOptions(capacity) { SingleReader = true });
        _tables = new(LogConnection.Open(_file, settings.WriteTimeout));
        new Thread(Run) { Name = "queue commit", IsBackground = true }.Start();
    }

    /// <summary>Why the last commit failed; null when it did not.</summary>
    public QueueUnavailableException? Fault => Volatile.Read(ref _fault);

    /// <summary>Takes a place in the queue, in the order of the calls; waits while it is full.</summary>
    /// <exception cref="ObjectDisposedException">The queue is closed.</exception>
    public async ValueTask EnqueueAsync(LogWrite write, CancellationToken cancellationToken)
    {
        try
        {
            await _queue.Writer.WriteAsync(write, cancellationToken);
        }
        catch (ChannelClosedException)
        {
            throw new ObjectDisposedException(nameof(SqliteEventQueue));
        }
    }

    /// <summary>Runs a write and waits until it is on disk.</summary>
    public async Task<T> WriteAsync<T>(Func<LogTables, T> apply, CancellationToken cancellationToken = default)
    {
        var write = new LogWrite<T>(apply, 0);
        await EnqueueAsync(write, cancellationToken);
        return await write.Task.WaitAsync(cancellationToken);
    }

    /// <summary>Commits what waits, and ends.</summary>
    public async ValueTask DisposeAsync()
    {
        _queue.Writer.TryComplete();
        await _stopped.Task;
    }

    private void Run()
    {
        var taken = new List<LogWrite>();
        while (WaitForWork())
        {
            var bytes = 0;
            while (taken.Count < Batch && bytes < BatchBytes && _queue.Reader.TryRead(out var next))
            {
                bytes += next.Bytes;
                taken.Add(next);
            }

            if (taken.Count > 0) Commit(taken);
            taken.Clear();
        }

        _tables?.Connection.Dispose();
        _stopped.SetResult();
    }

    private bool WaitForWork()
    {
        var waiting = _queue.Reader.WaitToReadAsync();
        return waiting.IsCompleted ? waiting.Result : waiting.AsTask().GetAwaiter().GetResult();
    }

    private void Commit(List<LogWrite> writes)
    {
        try
        {
            _tables ??= new(LogConnection.Open(_file, _settings.WriteTimeout));
            _tables.Connection.Begin();
            for (var i = 0; i < writes.Count; i++)
            {
                try
                {
                    writes[i].Apply(_tables);
                }
                catch (ArgumentException e)
                {
                    // Refused before it wrote anything: it fails alone.
                    writes[i].Fail(e);
                    writes.RemoveAt(i--);
                }
            }

            _tables.Connection.Commit();
            Volatile.Write(ref _fault, null);
        }
        catch (Exception e)
        {
            // Whatever it was, nothing may be answered as done. A new connection leaves behind what this one had begun.
            _tables?.Connection.Dispose();
            _tables = null;
            var error = e as QueueUnavailableException
                ?? new QueueUnavailableException($"a write to the queue failed and was not acknowledged: {e.Message}", e);
            _logger.QueueWriteFailed(_file, writes.Count, e is SqliteException sqlite ? sqlite.SqliteExtendedErrorCode : 0, e);
            Volatile.Write(ref _fault, error);
            foreach (var write in writes) write.Fail(error);
            return;
        }

        foreach (var write in writes) write.Complete();
        _committed();
    }
}

/// <summary>Something to be written.</summary>
internal abstract class LogWrite(int bytes)
{
    /// <summary>What it adds to the commit, roughly.</summary>
    public int Bytes => bytes;

    /// <summary>Inside the transaction. An <see cref="ArgumentException"/> refuses it, before it wrote anything.</summary>
    public abstract void Apply(LogTables tables);

    /// <summary>It is on disk.</summary>
    public abstract void Complete();

    public abstract void Fail(Exception error);
}

/// <summary>A write with a result.</summary>
internal sealed class LogWrite<T>(Func<LogTables, T> apply, int bytes) : LogWrite(bytes)
{
    private readonly TaskCompletionSource<T> _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private T _result = default!;

    public Task<T> Task => _done.Task;

    public override void Apply(LogTables tables) => _result = apply(tables);

    public override void Complete() => _done.TrySetResult(_result);

    public override void Fail(Exception error) => _done.TrySetException(error);
}
