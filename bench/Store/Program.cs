using System.Diagnostics.Metrics;
using System.Globalization;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using WhatsAspire.Bench.Store;
using WhatsAspire.Cql;
using WhatsAspire.MessageApi.Storage.Cassandra;
using WhatsAspire.MessageApi.Storage.Rocks;
#if CQL_DATASTAX
using Session = WhatsAspire.MessageApi.DataStax.DataStaxSession;
#else
using Session = WhatsAspire.Cql.CqlSession;
#endif

// Durable appends: how many a second, how long one takes, what one costs. With --group: what a group's readers cost.
// dotnet run -c Release --project bench/Store [-- [--seconds N] [--callers N] [--group MEMBERS] [--folder DIR | --cassandra "Contact Points=HOST:PORT" --copies N]]
var options = args.Chunk(2).ToDictionary(pair => pair[0], pair => pair[^1]);
var seconds = double.Parse(options.GetValueOrDefault("--seconds", "4"), CultureInfo.InvariantCulture);
int[] callers = options.TryGetValue("--callers", out var some) ? [int.Parse(some, CultureInfo.InvariantCulture)] : [1, 8, 64, 512];
using var services = new ServiceCollection().AddMetrics().BuildServiceProvider();
var meters = services.GetRequiredService<IMeterFactory>();
var load = new AppendLoad(seconds);
var group = options.TryGetValue("--group", out var members) ? new GroupLoad(seconds, int.Parse(members, CultureInfo.InvariantCulture)) : null;

Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
    $"{Environment.ProcessorCount} cores, 100 bytes of text, {seconds} s each, 1,000 conversations"));
if (options.TryGetValue("--cassandra", out var connection)) await CassandraAsync(connection, options.GetValueOrDefault("--copies", "1"));
else await RocksAsync(options.GetValueOrDefault("--folder", Path.GetTempPath()));

async Task RocksAsync(string root)
{
    var folder = Path.Combine(root, $"whatsaspire-bench-{Environment.ProcessId}");
    try
    {
        Console.WriteLine($"RocksDB in {folder}");
        if (group is not null)
        {
            await using var store = Open(folder);
            await group.MeasureAsync(store);
            return;
        }

        var messages = 0L;
        foreach (var count in callers)
        {
            await using var store = Open(folder);
            messages += await load.MeasureAsync(store, count, () => store.WalSyncs);
        }

        // Opened again, everything moves from the write-ahead log to tables.
        await Open(folder).DisposeAsync();
        var bytes = new DirectoryInfo(folder).GetFiles("*.sst").Sum(f => f.Length);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{messages:N0} messages, {(double)bytes / messages:N0} bytes on disk each"));
    }
    finally
    {
        if (Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
    }
}

RocksMessageStore Open(string folder) => new(
    Options.Create(new RocksStoreOptions { Path = folder }), meters, TimeProvider.System, NullLogger<RocksMessageStore>.Instance);

async Task CassandraAsync(string cluster, string copies)
{
    Console.WriteLine($"Cassandra at {cluster}, {copies} copies, by {typeof(Session).Name}");
    var client = new CqlOptions();
    client.Apply(cluster);
    await using var session = new Session(client);
    var settings = new CassandraStoreOptions
    {
        Keyspace = $"bench_{copies}",
        Replication = $"{{'class': 'NetworkTopologyStrategy', 'replication_factor': {copies}}}",
        AppendTimeout = TimeSpan.FromMinutes(1),
    };
    await new CassandraMigrations(session, settings, TimeProvider.System).ApplyAsync(CancellationToken.None);
    if (group is not null)
    {
        using var store = new CassandraMessageStore(session, Options.Create(settings), meters, TimeProvider.System);
        await group.MeasureAsync(store);
        return;
    }

    foreach (var count in callers)
    {
        using var store = new CassandraMessageStore(session, Options.Create(settings), meters, TimeProvider.System);
        await load.MeasureAsync(store, count, null);
    }
}
