using System.Threading.Channels;

namespace WhatsAspire.MessageApi.Storage.Rocks;

/// <summary>The one thread that writes. It takes all operations that wait, in the order in which they came, writes
/// them as one batch with one sync to disk, and answers all of them. Those that come during the sync make the next
/// batch: so batches grow with the load by themselves, and on an idle system nobody waits for a timer.
/// <para>When a write fails, all operations of the batch fail, and the folder is closed and opened again: RocksDB's
/// replay of its log then decides whether the batch took effect, whole or not at all. While the folder cannot be
/// opened every call fails at once, and the opening is tried again at intervals.</para></summary>
internal sealed class GroupCommit : IAsyncDisposable
{
    private readonly RocksStoreOptions _settings;
    private readonly StoreMetrics _metrics;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Channel<Operation> _queue;
    private readonly TaskCompletionSource _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private RocksEngine? _engine;
    private StoreUnavailableException? _fault;

    /// <summary>When the folder was last opened, or could not be.</summary>
    private long _openedAt;

    /// <exception cref="StoreUnavailableException">The folder cannot be opened.</exception>
    public GroupCommit(RocksStoreOptions settings, StoreMetrics metrics, TimeProvider time, ILogger logger)
    {
        (_settings, _metrics, _time, _logger) = (settings, metrics, time, logger);
        _queue = Channel.CreateBounded<Operation>(new BoundedChannelOptions(settings.QueueLength)
        {
            SingleReader = true,
            FullMode = BoundedChannelFullMode.Wait,
        });
        _engine = RocksEngine.Open(settings);
        logger.Opened(settings.Path);
        new Thread(Run) { Name = "store commit", IsBackground = true }.Start();
    }

    /// <summary>Why the store does not answer; null while it does.</summary>
    public StoreUnavailableException? Fault => Volatile.Read(ref _fault);

    /// <summary>The open folder, for a read.</summary>
    /// <exception cref="StoreUnavailableException">It is not open.</exception>
    public RocksEngine.Lease Use() =>
        Volatile.Read(ref _engine)?.Use() ?? throw new StoreUnavailableException(Fault?.Message ?? "the message store is closed", Fault);

    /// <summary>Takes a place in the queue; waits for one while it is full.</summary>
    /// <exception cref="ObjectDisposedException">The store is closed.</exception>
    public async ValueTask EnqueueAsync(Operation operation, CancellationToken cancellationToken)
    {
        try
        {
            await _queue.Writer.WriteAsync(operation, cancellationToken);
        }
        catch (ChannelClosedException)
        {
            throw new ObjectDisposedException(nameof(RocksMessageStore));
        }
    }

    /// <summary>Commits what waits, and closes the folder.</summary>
    public async ValueTask DisposeAsync()
    {
        _queue.Writer.TryComplete();
        await _stopped.Task;
    }

    private void Run()
    {
        using var batch = new CommitBatch();
        var taken = new List<Operation>();
        while (WaitForWork())
        {
            var bytes = 0;
            while (taken.Count < _settings.OperationsPerCommit && bytes >> 10 < _settings.CommitKibibytes
                && _queue.Reader.TryRead(out var next))
            {
                bytes += next.Bytes;
                taken.Add(next);
            }

            if (taken.Count > 0) Commit(batch, taken);
            taken.Clear();
        }

        Interlocked.Exchange(ref _engine, null)?.Dispose();
        _logger.Closed(_settings.Path);
        _stopped.SetResult();
    }

    /// <returns>False when the store is closed and nothing waits any more.</returns>
    private bool WaitForWork()
    {
        var waiting = _queue.Reader.WaitToReadAsync();
        if (waiting.IsCompleted) return waiting.Result;
        var task = waiting.AsTask();
        while (_engine is null && !task.Wait(_settings.ReopenInterval)) Reopen();
        return task.GetAwaiter().GetResult();
    }

    private void Commit(CommitBatch batch, List<Operation> operations)
    {
        var start = _time.GetTimestamp();
        if (_engine is null && _time.GetElapsedTime(_openedAt) >= _settings.ReopenInterval) Reopen();
        if (_engine is not { } engine)
        {
            foreach (var operation in operations) operation.Fail(_fault!);
            return;
        }

        try
        {
            var entries = Prepare(batch, engine, operations);
            if (batch.Commit()) _metrics.Committed(entries, _time.GetElapsedTime(start));
        }
        catch (Exception e)
        {
            // Whatever it was, nothing of the batch may be answered as done.
            _logger.CommitFailed(operations.Count, e);
            _metrics.CommitFailed(e);
            var error = new StoreUnavailableException($"a write failed and was not acknowledged: {e.Message}", e);
            Volatile.Write(ref _fault, error);
            Volatile.Write(ref _engine, null);
            engine.Dispose();
            Reopen();
            foreach (var operation in operations) operation.Fail(error);
            return;
        }

        foreach (var operation in operations) operation.Complete();
    }

    private static int Prepare(CommitBatch batch, RocksEngine engine, List<Operation> operations)
    {
        var entries = 0;
        batch.Start(engine);
        for (var i = 0; i < operations.Count; i++)
        {
            var operation = operations[i];
            try
            {
                operation.Apply(batch);
                entries += operation.Entries;
            }
            catch (ArgumentException e)
            {
                // Refused before it put a row: it fails alone.
                operation.Fail(e);
                operations.RemoveAt(i--);
            }
        }

        return entries;
    }

    private void Reopen()
    {
        _openedAt = _time.GetTimestamp();
        try
        {
            var engine = RocksEngine.Open(_settings);
            Volatile.Write(ref _engine, engine);
            Volatile.Write(ref _fault, null);
            _logger.Opened(_settings.Path);
        }
        catch (StoreUnavailableException e)
        {
            _logger.ReopenFailed(_settings.Path, e);
            Volatile.Write(ref _fault, e);
        }
    }
}
