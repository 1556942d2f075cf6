using System.Globalization;
using System.Runtime.InteropServices;
using WhatsAspire.Contracts;
using WhatsAspire.MessageApi.Storage;

namespace WhatsAspire.StoreHost;

/// <summary>Lets the operating system refuse writes, as a full disk does, by a limit on the size of files; lifts it
/// again; and reports what the store did meanwhile.</summary>
internal static partial class FullDisk
{
    private const int FileSizeLimit = 1;
    private const int FileSizeSignal = 25;

    public static async Task<int> RunAsync(string folder)
    {
        // Without this the first refused write would end the process.
        _ = Signal(FileSizeSignal, 1);
        await using var store = Host.Open(folder);
        var ids = new MessageIdGenerator(TimeProvider.System);
        var (a, b) = (Load.User(0), Load.User(1));
        var chat = ConversationShape.Direct(a, b);
        NewEntry Next(int i) => Host.Entry(a, string.Create(CultureInfo.InvariantCulture, $"f-{i}"), new string('x', 1_000), ids);

        if (GetLimit(FileSizeLimit, out var limit) != 0) return 3;
        var wal = new System.IO.DirectoryInfo(folder).GetFiles("*.log").Max(f => f.Length);
        var low = limit with { Soft = (ulong)wal + 100_000 };
        if (SetLimit(FileSizeLimit, in low) != 0) return 3;

        var number = 0;
        StoreUnavailableException? failure = null;
        while (failure is null && number < 10_000)
        {
            var calls = Enumerable.Range(number, 4).Select(i => store.AppendAsync(chat, [Next(i)], CancellationToken.None)).ToArray();
            try
            {
                await Task.WhenAll(calls);
                number += calls.Length;
            }
            catch (StoreUnavailableException e)
            {
                failure = e;
                foreach (var (call, i) in calls.Select((c, i) => (c, i)))
                    Host.Report(string.Create(CultureInfo.InvariantCulture, $"call {number + i} {(call.IsCompletedSuccessfully ? "done" : "failed")}"));
            }
        }

        if (failure is null) return 4;
        Host.Report("failed " + failure.Message);
        Host.Report("fault " + (store.Fault ?? "none"));
        if (SetLimit(FileSizeLimit, in limit) != 0) return 3;

        // Retries the same calls until the store has recovered; the parent's time limit ends a vain wait.
        for (var i = number; i < number + 8;)
        {
            try
            {
                var outcome = (await store.AppendAsync(chat, [Next(i)], CancellationToken.None))[0];
                Host.Report(string.Create(CultureInfo.InvariantCulture, $"stored {i} {outcome.Entry.Seq} {outcome.Status}"));
                i++;
            }
            catch (StoreUnavailableException)
            {
                await Task.Yield();
            }
        }

        Host.Report("fault " + (store.Fault ?? "none"));
        return 0;
    }

    [LibraryImport("libc", EntryPoint = "signal")]
    private static partial nint Signal(int number, nint handler);

    [LibraryImport("libc", EntryPoint = "getrlimit")]
    private static partial int GetLimit(int resource, out Limit limit);

    [LibraryImport("libc", EntryPoint = "setrlimit")]
    private static partial int SetLimit(int resource, in Limit limit);

    [StructLayout(LayoutKind.Sequential)]
    private readonly record struct Limit
    {
        public ulong Soft { get; init; }
        public ulong Hard { get; init; }
    }
}
