using System.Diagnostics.Metrics;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using WhatsAspire.Contracts;
using WhatsAspire.MessageApi.Storage;
using WhatsAspire.MessageApi.Storage.Rocks;
using Xunit;

namespace WhatsAspire.MessageApi.Tests.Storage;

/// <summary>What the RocksDB store promises beyond the port.</summary>
public sealed class RocksStoreTests : IDisposable
{
    private readonly RocksFolder _folder = new();
    private readonly ConversationShape _chat = ConversationShape.Direct(UserId.New(), UserId.New());

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    [Trait("Requirement", "R3")]
    public async Task A_sync_to_disk_stands_before_every_acknowledgement()
    {
        await using var store = _folder.Open();
        for (var i = 0; i < 20; i++)
        {
            var before = store.WalSyncs;
            await AppendAsync(store, $"m{i}");
            var appended = store.WalSyncs;
            Assert.True(appended > before, $"append {i} was acknowledged without a sync");
            await store.AdvanceAsync(_chat.Members[1], [new(_chat.Id, i + 1, 0)], DateTimeOffset.UnixEpoch, Token);
            Assert.True(store.WalSyncs > appended, $"advance {i} was acknowledged without a sync");
        }
    }

    [Fact]
    public async Task Operations_that_wait_together_share_a_sync()
    {
        await using var store = _folder.Open();
        var before = store.WalSyncs;
        await Task.WhenAll(Enumerable.Range(0, 500).Select(i => AppendAsync(store, $"m{i}")));
        Assert.InRange(store.WalSyncs - before, 1, 250);
    }

    [Fact]
    public async Task A_full_queue_makes_callers_wait_and_loses_none()
    {
        await using var store = _folder.Open(o => (o.QueueLength, o.OperationsPerCommit) = (2, 3));
        var outcomes = await Task.WhenAll(Enumerable.Range(0, 100).Select(i => AppendAsync(store, $"m{i}")));
        Assert.Equal(Enumerable.Range(1, 100).Select(i => (long)i), outcomes.Select(o => o.Entry.Seq));
    }

    [Fact]
    public async Task What_waits_when_the_store_is_closed_is_committed()
    {
        var store = _folder.Open();
        var calls = Enumerable.Range(0, 100).Select(i => AppendAsync(store, $"m{i}")).ToArray();
        await store.DisposeAsync();
        Assert.All(await Task.WhenAll(calls), o => Assert.Equal(AppendStatus.Appended, o.Status));
        await Assert.ThrowsAsync<ObjectDisposedException>(() => AppendAsync(store, "late"));
        await Assert.ThrowsAsync<StoreUnavailableException>(async () => await store.GetConversationAsync(_chat.Id, Token));

        await using var again = _folder.Open();
        Assert.Equal(100, (await LogAsync(again)).Count);
    }

    [Theory]
    [InlineData(TailDamage.Noise)]
    [InlineData(TailDamage.Zeros)]
    [Trait("Requirement", "R3")]
    public async Task A_tail_that_is_no_record_is_dropped_and_nothing_else(TailDamage damage)
    {
        await WriteAsync(10);
        var wal = Wal();
        var bytes = await File.ReadAllBytesAsync(wal, Token);
        var tail = damage == TailDamage.Noise ? RandomNumberGenerator.GetBytes(5_000) : new byte[5_000];
        await File.WriteAllBytesAsync(wal, [.. bytes, .. tail], Token);
        await CheckAsync(10);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(40)]
    [InlineData(200)]
    [Trait("Requirement", "R3")]
    public async Task A_record_that_a_crash_left_half_written_is_gone_whole_with_all_its_rows(int cut)
    {
        await WriteAsync(10);
        using (var wal = File.OpenWrite(Wal())) wal.SetLength(wal.Length - cut);
        await CheckAsync(9);
    }

    [Theory]
    [InlineData(0.2)]
    [InlineData(0.5)]
    [InlineData(0.8)]
    [Trait("Requirement", "R3")]
    public async Task A_log_that_is_damaged_before_acknowledged_records_is_not_opened(double where)
    {
        await WriteAsync(200);
        var wal = Wal();
        var bytes = await File.ReadAllBytesAsync(wal, Token);
        var damaged = bytes.ToArray();
        damaged[(int)(bytes.Length * where)] ^= 0x40;
        await File.WriteAllBytesAsync(wal, damaged, Token);
        var refusal = Assert.Throws<StoreUnavailableException>(() => _folder.Open());
        Assert.Contains(wal, refusal.Message, StringComparison.Ordinal);
        Assert.Contains("is damaged at byte", refusal.Message, StringComparison.Ordinal);

        await File.WriteAllBytesAsync(wal, bytes, Token);
        await CheckAsync(200);
    }

    [Fact]
    [Trait("Requirement", "R8")]
    public async Task A_purge_removes_the_text_of_deleted_messages_from_all_files()
    {
        var secret = Convert.ToHexString(RandomNumberGenerator.GetBytes(40));
        LogEntry target;
        await using (var store = _folder.Open())
        {
            target = (await AppendAsync(store, secret)).Entry;
            await AppendAsync(store, "stays");
        }

        // The text moves from the write-ahead log to a table when the folder is opened again.
        await using (var store = _folder.Open())
        {
            Assert.NotEmpty(FilesWith(secret));
            var delete = Entry("") with { Kind = EntryKind.Delete, TargetSeq = target.Seq, Target = target.Id };
            await store.AppendAsync(_chat, [delete], Token);
            Assert.NotEmpty(FilesWith(secret));
        }

        await using (var store = _folder.Open())
        {
            Assert.Equal(1, await store.PurgeAsync(Token));
            Assert.Empty(FilesWith(secret));
            Assert.Equal(0, await store.PurgeAsync(Token));
            var log = await LogAsync(store);
            Assert.True(log[0].Deleted);
            Assert.Equal("stays", Encoding.UTF8.GetString(log[1].Text.Span));
        }
    }

    [Fact]
    public async Task Commits_are_measured()
    {
        var seen = new List<(string Name, string? Unit, double Value)>();
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, l) =>
        {
            if (instrument.Meter.Name == "WhatsAspire.MessageApi" && instrument.Meter.Scope == _folder.Meters) l.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<long>((i, v, _, _) => Add(i, v));
        listener.SetMeasurementEventCallback<double>((i, v, _, _) => Add(i, v));
        listener.Start();
        await using (var store = _folder.Open()) await store.AppendAsync(_chat, [Entry("a"), Entry("b")], Token);

        Assert.Contains(("whatsaspire.store.commits", "{commit}", 1), seen);
        Assert.Contains(("whatsaspire.store.commit.entries", "{entry}", 2), seen);
        Assert.InRange(Assert.Single(seen, s => s is ("whatsaspire.store.commit.duration", "s", _)).Value, 0, 60);

        void Add(Instrument instrument, double value)
        {
            lock (seen) seen.Add((instrument.Name, instrument.Unit, value));
        }
    }

    [Fact]
    public async Task A_host_with_the_store_is_healthy_and_keeps_a_second_one_out()
    {
        using var host = Build(_folder.Path);
        await host.StartAsync(Token);
        Assert.Same(host.Services.GetRequiredService<RocksMessageStore>(), host.Services.GetRequiredService<IMessageStore>());
        var report = await host.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync(Token);
        Assert.Equal(HealthStatus.Healthy, report.Entries["store"].Status);

        using (var second = Build(_folder.Path))
        {
            var refusal = await Assert.ThrowsAsync<StoreUnavailableException>(() => second.StartAsync(Token));
            Assert.Contains(_folder.Path, refusal.Message, StringComparison.Ordinal);
        }

        await host.StopAsync(Token);
    }

    [Fact]
    public async Task Settings_are_checked_on_start()
    {
        using var host = Build("");
        var refusal = await Assert.ThrowsAsync<OptionsValidationException>(() => host.StartAsync(Token));
        Assert.Contains("Path", refusal.Message, StringComparison.Ordinal);
    }

    /// <summary>What follows the last whole record.</summary>
    public enum TailDamage
    {
        Noise,
        Zeros,
    }

    private static IHost Build(string path)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new());
        builder.Configuration.AddInMemoryCollection([new("Storage:Path", path)]);
        builder.AddRocksMessageStore();
        return builder.Build();
    }

    private NewEntry Entry(string text) => new()
    {
        Id = new(Guid.NewGuid()),
        Sender = _chat.Members[0],
        ClientMessageId = Guid.NewGuid().ToString("N"),
        Kind = EntryKind.Text,
        Text = Encoding.UTF8.GetBytes(text),
        CreatedAt = DateTimeOffset.UnixEpoch,
        ContentHash = 1,
    };

    private async Task<AppendOutcome> AppendAsync(RocksMessageStore store, string text) =>
        Assert.Single(await store.AppendAsync(_chat, [Entry(text)], Token));

    private async Task<IReadOnlyList<LogEntry>> LogAsync(RocksMessageStore store) =>
        await store.ReadAsync(_chat.Id, 0, long.MaxValue, 1_000, false, Token);

    /// <summary>One commit an entry, which the write-ahead log alone holds afterwards.</summary>
    private async Task WriteAsync(int entries)
    {
        await using var store = _folder.Open();
        for (var i = 1; i <= entries; i++) await AppendAsync(store, new string('m', 100) + i);
    }

    private string Wal() => System.IO.Directory.GetFiles(_folder.Path, "*.log").MaxBy(f => new FileInfo(f).Length)!;

    /// <summary>The folder opens, has so many entries with all that belongs to them, and takes more.</summary>
    private async Task CheckAsync(int entries)
    {
        await using var store = _folder.Open();
        var log = await LogAsync(store);
        Assert.Equal(Enumerable.Range(1, entries).Select(i => (long)i), log.Select(e => e.Seq));
        Assert.Equal(entries, (await store.GetConversationAsync(_chat.Id, Token))!.HeadSeq);
        Assert.Equal(entries, (await store.GetMemberAsync(_chat.Id, _chat.Members[0], Token))!.ReadSeq);
        foreach (var entry in log) Assert.Equal(entry.Seq, (await store.FindAsync(entry.Id, Token))!.Seq);
        Assert.Equal(entries + 1, (await AppendAsync(store, "after")).Entry.Seq);
    }

    private List<string> FilesWith(string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        return [.. System.IO.Directory.GetFiles(_folder.Path).Where(f => Path.GetFileName(f) != "LOCK" && ReadShared(f).AsSpan().IndexOf(bytes) >= 0)];
    }

    private static byte[] ReadShared(string file)
    {
        using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        using var copy = new MemoryStream();
        stream.CopyTo(copy);
        return copy.ToArray();
    }
}
