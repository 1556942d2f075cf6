using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using WhatsAspire.Contracts;
using WhatsAspire.MessageApi.Storage;
using WhatsAspire.MessageApi.Storage.Rocks;

// Durable appends to the RocksDB store: how many a second, how long one takes, what one costs.
// dotnet run -c Release --project bench/Store [-- seconds [folder]]
var seconds = args.Length > 0 ? double.Parse(args[0], CultureInfo.InvariantCulture) : 4;
var root = args.Length > 1 ? args[1] : Path.GetTempPath();
var folder = Path.Combine(root, $"whatsaspire-bench-{Environment.ProcessId}");
var letters = Encoding.ASCII.GetBytes(Convert.ToBase64String(RandomNumberGenerator.GetBytes(750_000)));
long messages = 0;
using var services = new ServiceCollection().AddMetrics().BuildServiceProvider();
try
{
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
        $"{Environment.ProcessorCount} cores, folder {folder}, 100 bytes of text, {seconds} s each, 1,000 conversations"));
    Console.WriteLine($"{"callers",8} {"messages/s",11} {"p50 ms",8} {"p99 ms",8} {"commits/s",10} {"in one",7} {"CPU µs each",12}");
    foreach (var callers in (args.Length > 2 ? [int.Parse(args[2], CultureInfo.InvariantCulture)] : (int[])[1, 8, 64, 512])) await MeasureAsync(callers);
    // Opened again, everything moves from the write-ahead log to tables.
    await Open().DisposeAsync();
    var bytes = new DirectoryInfo(folder).GetFiles("*.sst").Sum(f => f.Length);
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{messages:N0} messages, {(double)bytes / messages:N0} bytes on disk each"));
}
finally
{
    if (Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
}

RocksMessageStore Open() => new(
    Options.Create(new RocksStoreOptions { Path = folder }),
    services.GetRequiredService<IMeterFactory>(),
    TimeProvider.System,
    NullLogger<RocksMessageStore>.Instance);

async Task MeasureAsync(int callers)
{
    await using var store = Open();
    var chats = Enumerable.Range(0, 1_000).Select(_ => ConversationShape.Direct(UserId.New(), UserId.New())).ToArray();
    var ids = new MessageIdGenerator(TimeProvider.System);
    foreach (var chat in chats) await store.AppendAsync(chat, [Entry(ids, chat, 0)], CancellationToken.None);

    using var process = Process.GetCurrentProcess();
    var times = new List<double>[callers];
    var syncs = store.WalSyncs;
    var cpu = process.TotalProcessorTime;
    var start = Stopwatch.GetTimestamp();
    await Task.WhenAll(Enumerable.Range(0, callers).Select(c => Task.Run(() => CallAsync(c))));
    var elapsed = Stopwatch.GetElapsedTime(start).TotalSeconds;
    process.Refresh();
    cpu = process.TotalProcessorTime - cpu;
    syncs = store.WalSyncs - syncs;

    messages += times.Sum(t => t.Count);
    var all = times.SelectMany(t => t).Order().ToArray();
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
        $"{callers,8} {all.Length / elapsed,11:N0} {all[all.Length / 2],8:N2} {all[all.Length * 99 / 100],8:N2} {syncs / elapsed,10:N0} {(double)all.Length / syncs,7:N1} {cpu.TotalMicroseconds / all.Length,12:N1}"));

    async Task CallAsync(int caller)
    {
        var own = times[caller] = [];
        var random = new Random(caller);
        while (Stopwatch.GetElapsedTime(start).TotalSeconds < seconds)
        {
            var chat = chats[random.Next(chats.Length)];
            var begun = Stopwatch.GetTimestamp();
            await store.AppendAsync(chat, [Entry(ids, chat, own.Count)], CancellationToken.None);
            own.Add(Stopwatch.GetElapsedTime(begun).TotalMilliseconds);
        }
    }
}

NewEntry Entry(MessageIdGenerator ids, ConversationShape chat, int number)
{
    var id = ids.Next();
    return new()
    {
        Id = id,
        Sender = chat.Members[number % 2],
        ClientMessageId = id.ToString(),
        Kind = EntryKind.Text,
        // Letters that do not compress.
        Text = letters.AsMemory(Random.Shared.Next(letters.Length - 100), 100),
        CreatedAt = TimeProvider.System.GetUtcNow(),
        ContentHash = (ulong)number,
    };
}
