using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using WhatsAspire.Contracts;
using WhatsAspire.MessageApi.Storage;

namespace WhatsAspire.Bench.Store;

/// <summary>Callers that append one message after the other, each to a random one of 1,000 conversations.</summary>
internal sealed class AppendLoad(double seconds)
{
    private readonly byte[] _letters = Encoding.ASCII.GetBytes(Convert.ToBase64String(RandomNumberGenerator.GetBytes(750_000)));
    private readonly MessageIdGenerator _ids = new(TimeProvider.System);
    private bool _hasHeading;

    /// <summary>Measures, and prints a line.</summary>
    /// <param name="store">Where to append.</param>
    /// <param name="callers">How many at once.</param>
    /// <param name="commits">A count of syncs to disk, where the store has one.</param>
    /// <returns>Messages appended.</returns>
    public async Task<long> MeasureAsync(IMessageStore store, int callers, Func<long>? commits)
    {
        if (!_hasHeading) Console.WriteLine($"{"callers",8} {"messages/s",11} {"p50 ms",8} {"p99 ms",8} {"commits/s",10} {"in one",7} {"CPU µs each",12} {"KiB each",9}");
        _hasHeading = true;
        var chats = Enumerable.Range(0, 1_000).Select(_ => ConversationShape.Direct(UserId.New(), UserId.New())).ToArray();
        await Parallel.ForEachAsync(chats, async (chat, cancel) => await store.AppendAsync(chat, [Entry(chat, 0)], cancel));

        using var process = Process.GetCurrentProcess();
        var times = new List<double>[callers];
        var before = commits?.Invoke() ?? 0;
        var cpu = process.TotalProcessorTime;
        var allocated = GC.GetTotalAllocatedBytes();
        var start = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, callers).Select(c => Task.Run(() => CallAsync(c))));
        var elapsed = Stopwatch.GetElapsedTime(start).TotalSeconds;
        process.Refresh();
        cpu = process.TotalProcessorTime - cpu;
        allocated = GC.GetTotalAllocatedBytes() - allocated;
        var synced = commits?.Invoke() - before;

        var all = times.SelectMany(t => t).Order().ToArray();
        var joined = synced is { } syncs ? string.Create(CultureInfo.InvariantCulture, $"{syncs / elapsed,10:N0} {(double)all.Length / syncs,7:N1}") : $"{"-",10} {"-",7}";
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{callers,8} {all.Length / elapsed,11:N0} {all[all.Length / 2],8:N2} {all[all.Length * 99 / 100],8:N2} {joined} {cpu.TotalMicroseconds / all.Length,12:N1} {allocated / 1024.0 / all.Length,9:N1}"));
        return all.Length;

        async Task CallAsync(int caller)
        {
            var own = times[caller] = [];
            var random = new Random(caller);
            while (Stopwatch.GetElapsedTime(start).TotalSeconds < seconds)
            {
                var chat = chats[random.Next(chats.Length)];
                var begun = Stopwatch.GetTimestamp();
                await store.AppendAsync(chat, [Entry(chat, own.Count)], CancellationToken.None);
                own.Add(Stopwatch.GetElapsedTime(begun).TotalMilliseconds);
            }
        }
    }

    private NewEntry Entry(ConversationShape chat, int number)
    {
        var id = _ids.Next();
        return new()
        {
            Id = id,
            Sender = chat.Members[number % 2],
            ClientMessageId = id.ToString(),
            Kind = EntryKind.Text,
            // Letters that do not compress.
            Text = _letters.AsMemory(Random.Shared.Next(_letters.Length - 100), 100),
            CreatedAt = TimeProvider.System.GetUtcNow(),
            ContentHash = (ulong)number,
        };
    }
}
