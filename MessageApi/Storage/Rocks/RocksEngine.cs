using System.Globalization;
using RocksDbSharp;

namespace WhatsAspire.MessageApi.Storage.Rocks;

/// <summary>One opening of the folder. Readers hold a <see cref="Lease"/> while they use it, so that closing waits for
/// them: a native handle must not go away under a call.</summary>
internal sealed class RocksEngine : IDisposable
{
    /// <summary>The layout that this program reads and writes; a folder says its own in its first row.</summary>
    private const byte LayoutVersion = 1;

    private static readonly string[] Families =
        ["default", "log", "dedup", "messages", "conversations", "advances", "hidden", "users", "purge", "members", "settings"];

    private readonly DbOptions _options;
    private readonly RocksDb _db;
    private readonly WriteOptions _durable = new WriteOptions().SetSync(true);
    private readonly ReadOptions _reads = new();
    private readonly ManualResetEventSlim _unused = new(false);

    /// <summary>Leases, and one for being open.</summary>
    private int _users = 1;

    private RocksEngine(DbOptions options, RocksDb db)
    {
        _options = options;
        _db = db;
        Log = db.GetColumnFamily("log");
        Dedup = db.GetColumnFamily("dedup");
        Messages = db.GetColumnFamily("messages");
        Conversations = db.GetColumnFamily("conversations");
        Advances = db.GetColumnFamily("advances");
        Hidden = db.GetColumnFamily("hidden");
        Users = db.GetColumnFamily("users");
        Purge = db.GetColumnFamily("purge");
        Members = db.GetColumnFamily("members");
        Settings = db.GetColumnFamily("settings");
    }

    /// <summary>(conversation, seq) → the entry.</summary>
    public ColumnFamilyHandle Log { get; }

    /// <summary>(sender, client message id) → content hash and place of the entry.</summary>
    public ColumnFamilyHandle Dedup { get; }

    /// <summary>message id → place of the entry.</summary>
    public ColumnFamilyHandle Messages { get; }

    /// <summary>conversation → shape, head, positions of the members.</summary>
    public ColumnFamilyHandle Conversations { get; }

    /// <summary>(conversation, user, kind, seq) → time.</summary>
    public ColumnFamilyHandle Advances { get; }

    /// <summary>(conversation, user, seq) → that the user deleted the entry for himself.</summary>
    public ColumnFamilyHandle Hidden { get; }

    /// <summary>(user, conversation) → nothing.</summary>
    public ColumnFamilyHandle Users { get; }

    /// <summary>(conversation, seq) of entries whose old bytes are still to be removed from the files.</summary>
    public ColumnFamilyHandle Purge { get; }

    /// <summary>(group, user) → positions.</summary>
    public ColumnFamilyHandle Members { get; }

    /// <summary>(conversation, user) → how the user has it in his list, where he said so.</summary>
    public ColumnFamilyHandle Settings { get; }

    /// <summary>How often the write-ahead log was synced to disk since the opening.</summary>
    public long WalSyncs
    {
        get
        {
            // The bindings read a ticker by a number that changes between versions of RocksDB; its name does not.
            const string Name = "rocksdb.wal.synced COUNT : ";
            var all = _options.GetStatisticsString();
            var start = all.IndexOf(Name, StringComparison.Ordinal);
            if (start < 0) throw new InvalidOperationException("RocksDB does not count the syncs of its write-ahead log");
            start += Name.Length;
            var end = all.IndexOf('\n', start);
            return long.Parse(all.AsSpan(start, (end < 0 ? all.Length : end) - start), CultureInfo.InvariantCulture);
        }
    }

    /// <exception cref="StoreUnavailableException">Another process owns the folder, or it cannot be opened.</exception>
    public static RocksEngine Open(RocksStoreOptions settings)
    {
        var options = DatabaseOptions(settings);
        var cache = Cache.CreateLru((ulong)settings.BlockCacheMebibytes << 20);
        var families = new ColumnFamilies(FamilyOptions(cache, "default", settings));
        foreach (var name in Families.AsSpan(1)) families.Add(name, FamilyOptions(cache, name, settings));
        var path = System.IO.Path.GetFullPath(settings.Path);
        try
        {
            System.IO.Directory.CreateDirectory(path);
            WalCheck.Run(path);
            var engine = new RocksEngine(options, RocksDb.Open(options, path, families));
            engine.CheckLayout(path);
            return engine;
        }
        catch (RocksDbException e) when (e.Message.Contains("/LOCK", StringComparison.Ordinal)
            || e.Message.Contains("\\LOCK", StringComparison.Ordinal))
        {
            throw new StoreUnavailableException(
                $"the folder '{path}' is in use: another MessageApi has it open, and only one may own it", e);
        }
        catch (Exception e) when (e is RocksDbException or IOException or UnauthorizedAccessException)
        {
            throw new StoreUnavailableException($"the folder '{path}' cannot be opened: {e.Message}", e);
        }
    }

    /// <exception cref="StoreUnavailableException">Closed.</exception>
    public Lease Use()
    {
        while (true)
        {
            var users = Volatile.Read(ref _users);
            if (users == 0) throw new StoreUnavailableException("the message store is closed");
            if (Interlocked.CompareExchange(ref _users, users + 1, users) == users) return new(this);
        }
    }

    /// <summary>Waits for the readers and closes. Nothing is lost: what was committed is in the write-ahead log.</summary>
    public void Dispose()
    {
        Release();
        _unused.Wait();
        _db.Dispose();
        _unused.Dispose();
        GC.KeepAlive(_options);
        GC.KeepAlive(_durable);
        GC.KeepAlive(_reads);
    }

    /// <exception cref="StoreUnavailableException">The files cannot be read.</exception>
    public byte[]? Get(ColumnFamilyHandle family, ReadOnlySpan<byte> key, ReadOptions? reads = null)
    {
        try
        {
            return _db.Get(key, family, reads ?? _reads);
        }
        catch (RocksDbException e)
        {
            throw Unreadable(e);
        }
    }

    public Iterator Iterate(ColumnFamilyHandle family, ReadOptions? reads = null) => _db.NewIterator(family, reads ?? _reads);

    /// <summary>What is committed now, for reads of several rows that belong together.</summary>
    public At TakeSnapshot() => new(_db.CreateSnapshot());

    /// <summary>Ends a walk: an iterator that meets an error looks as if it had come to the end.</summary>
    /// <exception cref="StoreUnavailableException">The files cannot be read.</exception>
    public static void Check(Iterator iterator)
    {
        try
        {
            Native.Instance.rocksdb_iter_get_error(iterator.Handle);
        }
        catch (RocksDbException e)
        {
            throw Unreadable(e);
        }
    }

    /// <summary>Writes the rows whole or not at all, and returns when they are on disk.</summary>
    public void Commit(WriteBatch batch) => _db.Write(batch, _durable);

    /// <summary>Writes all memtables to tables, after which no write-ahead log older than this call is kept.</summary>
    public void Flush()
    {
        var handles = Array.ConvertAll(Families, f => _db.GetColumnFamily(f).Handle);
        var options = new FlushOptions().SetWaitForFlush(true);
        Native.Instance.rocksdb_flush_cfs(_db.Handle, options.Handle, handles, handles.Length);
        GC.KeepAlive(options);
    }

    /// <summary>Deletes files that hold nothing any more, instead of at some later time.</summary>
    public void DeleteObsoleteFiles()
    {
        _db.DisableFileDeletions();
        _db.EnableFileDeletions();
    }

    /// <summary>Merges all versions of the keys in the range into one: only the newest stays on disk.</summary>
    public void Compact(ColumnFamilyHandle family, byte[] from, byte[] to) => _db.CompactRange(from, to, family);

    private static StoreUnavailableException Unreadable(RocksDbException e) => new($"a read failed: {e.Message}", e);

    private void Release()
    {
        if (Interlocked.Decrement(ref _users) == 0) _unused.Set();
    }

    private void CheckLayout(string path)
    {
        var found = _db.Get(Keys.Layout, cf: null, _reads);
        if (found is null)
        {
            _db.Put(Keys.Layout, [LayoutVersion], cf: null, _durable);
        }
        else if (found[0] != LayoutVersion)
        {
            Dispose();
            throw new StoreUnavailableException(
                $"the folder '{path}' has layout {found[0]}; this program reads layout {LayoutVersion}");
        }
    }

    private static DbOptions DatabaseOptions(RocksStoreOptions settings)
    {
        var options = new DbOptions()
            .SetCreateIfMissing(true)
            .SetCreateMissingColumnFamilies(true)
            // Replays up to the first record that is not whole: the tail that a crash left half-written, which was
            // never acknowledged.
            .SetWalRecoveryMode(Recovery.PointInTime)
            .SetMaxTotalWalSize((ulong)settings.WalMebibytes << 20)
            .SetDbWriteBufferSize((ulong)settings.MemtableMebibytes << 20)
            .SetMaxOpenFiles(settings.OpenFiles)
            .SetBytesPerSync(1 << 20)
            // A recycled log file would keep the text of deleted messages.
            .SetRecycleLogFileNum(0)
            .SetMaxLogFileSize(4 << 20)
            .SetKeepLogFileNum(4)
            .SetStatsDumpPeriodSec(0)
            // One thread writes.
            .SetAllowConcurrentMemtableWrite(false)
            .SetEnableWriteThreadAdaptiveYield(false)
            .EnableStatistics();
        var native = Native.Instance;
        native.rocksdb_options_set_statistics_level(options.Handle, (int)StatisticsLevel.ExceptHistogramOrTimers);
        native.rocksdb_options_set_stats_persist_period_sec(options.Handle, 0);
        native.rocksdb_options_set_max_background_jobs(options.Handle, settings.BackgroundJobs);
        // A log file that was synced and is missing or shorter than it was stops the opening.
        native.rocksdb_options_set_track_and_verify_wals_in_manifest(options.Handle, 1);
        // The store opens the folder again after an error; RocksDB's own attempts would run against that.
        native.rocksdb_options_set_max_bgerror_resume_count(options.Handle, 0);
        return options;
    }

    private static ColumnFamilyOptions FamilyOptions(Cache cache, string name, RocksStoreOptions settings)
    {
        var table = new BlockBasedTableOptions()
            .SetBlockCache(cache)
            .SetBlockSize(name == "log" ? 16UL << 10 : 8UL << 10)
            // Ten bits a key: one look-up in a hundred for a client message id that is not there reads a block.
            .SetFilterPolicy(BloomFilterPolicy.Create(10, false))
            .SetCacheIndexAndFilterBlocks(true)
            .SetPinL0FilterAndIndexBlocksInCache(true);
        var options = new ColumnFamilyOptions()
            .SetBlockBasedTableFactory(table)
            .SetCompression(Compression.Lz4)
            .SetLevelCompactionDynamicLevelBytes(true)
            .SetWriteBufferSize((ulong)settings.MemtableMebibytes << 18)
            .SetMaxWriteBufferNumber(4);
        if (name == "dedup")
        {
            // Each append looks for a client message id that is not there: a filter answers that for memtables too.
            options.SetMemtablePrefixBloomSizeRatio(0.05);
            Native.Instance.rocksdb_options_set_memtable_whole_key_filtering(options.Handle, 1);
        }

        return options;
    }

    /// <summary>A moment of the folder.</summary>
    public sealed class At(Snapshot snapshot) : IDisposable
    {
        public ReadOptions Reads { get; } = new ReadOptions().SetSnapshot(snapshot);

        public void Dispose() => snapshot.Dispose();
    }

    /// <summary>Keeps the engine open.</summary>
    public readonly struct Lease(RocksEngine engine) : IDisposable
    {
        public RocksEngine Engine => engine;

        public void Dispose() => engine.Release();
    }
}
