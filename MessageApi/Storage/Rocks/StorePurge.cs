namespace WhatsAspire.MessageApi.Storage.Rocks;

/// <summary>Removes the old bytes of deleted entries from the files. Overwriting a row leaves its old version in the
/// write-ahead log and in older tables until RocksDB happens to merge those; the purge makes it happen. Its list of
/// what is left to do is written with the deletion itself, so that no restart forgets it.</summary>
internal sealed class StorePurge(GroupCommit commits) : IDisposable
{
    /// <summary>Entries of one pass: bounds its memory.</summary>
    private const int PassLimit = 10_000;

    private readonly SemaphoreSlim _one = new(1);

    public async Task<int> RunAsync(CancellationToken cancellationToken)
    {
        await _one.WaitAsync(cancellationToken);
        try
        {
            // Compaction waits for the disk in native code: not on a thread of the pool.
            return await Task.Factory.StartNew(
                () => Run(cancellationToken), cancellationToken, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        }
        finally
        {
            _one.Release();
        }
    }

    public void Dispose() => _one.Dispose();

    private int Run(CancellationToken cancellationToken)
    {
        var total = 0;
        while (true)
        {
            var keys = Waiting();
            if (keys.Count == 0) return total;
            using (var lease = commits.Use())
            {
                // The new versions leave memory, and with them the logs that held the old ones.
                lease.Engine.Flush();
            }

            var start = 0;
            for (var i = 1; i <= keys.Count; i++)
            {
                if (i < keys.Count && keys[i].AsSpan(0, Keys.Id).SequenceEqual(keys[start].AsSpan(0, Keys.Id))) continue;
                cancellationToken.ThrowIfCancellationRequested();
                using var lease = commits.Use();
                lease.Engine.Compact(lease.Engine.Log, keys[start], keys[i - 1]);
                start = i;
            }

            using (var lease = commits.Use())
            {
                lease.Engine.DeleteObsoleteFiles();
            }

            total += keys.Count;
            var done = new Purged(keys);
            commits.EnqueueAsync(done, cancellationToken).AsTask().GetAwaiter().GetResult();
            done.Task.WaitAsync(cancellationToken).GetAwaiter().GetResult();
        }
    }

    private List<byte[]> Waiting()
    {
        using var lease = commits.Use();
        var keys = new List<byte[]>();
        using var rows = lease.Engine.Iterate(lease.Engine.Purge);
        for (rows.SeekToFirst(); rows.Valid() && keys.Count < PassLimit; rows.Next()) keys.Add(rows.Key());
        RocksEngine.Check(rows);
        return keys;
    }

    private sealed class Purged(List<byte[]> keys) : Operation<int>
    {
        protected override int Run(CommitBatch batch)
        {
            foreach (var key in keys) batch.Purged(key);
            return keys.Count;
        }
    }
}
