using System.Diagnostics.Metrics;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using WhatsAspire.Contracts;
using WhatsAspire.MessageApi.Storage;
using WhatsAspire.MessageApi.Storage.Rocks;

namespace WhatsAspire.StoreHost;

internal static class Host
{
    private static readonly Stream Output = Console.OpenStandardOutput();
    private static readonly Lock OutputLock = new();

    public static RocksMessageStore Open(string folder) => new(
        Options.Create(new RocksStoreOptions { Path = folder, MemtableMebibytes = 4, ReopenInterval = TimeSpan.FromMilliseconds(20) }),
        new ServiceCollection().AddMetrics().BuildServiceProvider().GetRequiredService<IMeterFactory>(),
        TimeProvider.System,
        NullLogger<RocksMessageStore>.Instance);

    /// <summary>Writes a line in one call, so that a kill never leaves half of one.</summary>
    public static void Report(string line)
    {
        var bytes = Encoding.UTF8.GetBytes(line + "\n");
        lock (OutputLock) Output.Write(bytes);
    }

    public static NewEntry Entry(UserId sender, string key, string text, MessageIdGenerator ids) => new()
    {
        Id = ids.Next(),
        Sender = sender,
        ClientMessageId = key,
        Kind = EntryKind.Text,
        Text = Encoding.UTF8.GetBytes(text),
        CreatedAt = TimeProvider.System.GetUtcNow(),
        ContentHash = (ulong)text.Length,
    };

    /// <summary>Opens the folder, says so, and goes when its input ends.</summary>
    public static async Task<int> OpenOnlyAsync(string folder)
    {
        try
        {
            await using var store = Open(folder);
            Report("ready");
            await Console.In.ReadToEndAsync();
            return 0;
        }
        catch (StoreUnavailableException e)
        {
            Report("refused " + e.Message);
            return 2;
        }
    }
}
