using System.Globalization;
using WhatsAspire.Contracts;
using WhatsAspire.MessageApi.Storage;
using WhatsAspire.MessageApi.Storage.Rocks;
using Xunit;

namespace WhatsAspire.MessageApi.Tests.Storage;

/// <summary>What is left after the owner of a store was killed, and after its disk refused a write.</summary>
public sealed class RocksCrashTests : IDisposable
{
    private const int Workers = 8;
    private readonly RocksFolder _folder = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    [Trait("Requirement", "R3")]
    public async Task Everything_acknowledged_is_there_once_and_in_order_after_kills_at_random_moments()
    {
        var seed = Random.Shared.Next();
        var random = new Random(seed);
        var reports = new Reports();
        const int Rounds = 5;
        for (var round = 0; round < Rounds; round++)
        {
            using (var process = new StoreProcess(
                ["load", _folder.Path, seed.ToString(CultureInfo.InvariantCulture), .. reports.Next.Select(n => n.ToString(CultureInfo.InvariantCulture))]))
            {
                Assert.Equal("ready", await process.ReadLineAsync(Token));
                for (var lines = random.Next(10, 3_000); lines > 0; lines--)
                {
                    var line = await process.ReadLineAsync(Token);
                    Assert.True(line is not null, $"seed {seed}, round {round}: the process ended by itself");
                    reports.Add(line);
                }

                process.Kill();
                foreach (var line in (await process.FinishAsync(Token)).Lines) reports.Add(line);
            }

            await using var store = _folder.Open();
            await reports.CheckAsync(store, $"seed {seed}, round {round}");
        }

        TestContext.Current.SendDiagnosticMessage(
            "seed {0}: {1} kills, {2} entries acknowledged, {3} of them found written before their retry", seed, Rounds, reports.Count, reports.Duplicates);
        Assert.True(reports.Count > 100, $"only {reports.Count} entries were written");
    }

    [Fact]
    public async Task A_second_owner_is_refused_with_the_name_of_the_folder()
    {
        using var first = new StoreProcess("open", _folder.Path);
        Assert.Equal("ready", await first.ReadLineAsync(Token));

        var refusal = Assert.Throws<StoreUnavailableException>(() => _folder.Open());
        Assert.Contains($"'{_folder.Path}' is in use", refusal.Message, StringComparison.Ordinal);
        using var second = new StoreProcess("open", _folder.Path);
        var (lines, exitCode) = await second.FinishAsync(Token);
        Assert.Equal(2, exitCode);
        Assert.Contains($"'{_folder.Path}' is in use: another MessageApi has it open, and only one may own it", Assert.Single(lines), StringComparison.Ordinal);

        first.CloseInput();
        Assert.Equal(0, (await first.FinishAsync(Token)).ExitCode);
        await using var store = _folder.Open();
        Assert.Throws<StoreUnavailableException>(() => _folder.Open());
    }

    [Fact]
    [Trait("Requirement", "R3")]
    public async Task A_refused_write_fails_its_calls_and_the_store_recovers_when_the_disk_does()
    {
        if (!OperatingSystem.IsLinux()) Assert.Skip("file size limits are set by Linux system calls");
        using var process = new StoreProcess("full", _folder.Path);
        var (lines, exitCode) = await process.FinishAsync(Token);
        Assert.True(exitCode == 0, string.Join('\n', lines));

        Assert.Contains(lines, l => l.StartsWith("failed a write failed and was not acknowledged: ", StringComparison.Ordinal));
        Assert.Equal("fault none", lines[^1]);
        var stored = lines.Where(l => l.StartsWith("stored ", StringComparison.Ordinal)).Select(l => l.Split(' ')).ToArray();
        Assert.Equal(8, stored.Length);
        await using var store = _folder.Open();
        var log = await ReadAllAsync(store, ConversationShape.Direct(Users[0], Users[1]).Id);
        Assert.Equal(Enumerable.Range(1, log.Count).Select(i => (long)i), log.Select(e => e.Seq));
        Assert.Equal(Enumerable.Range(0, log.Count).Select(i => $"f-{i}"), log.OrderBy(e => Number(e.ClientMessageId)).Select(e => e.ClientMessageId));
        foreach (var fields in stored)
            Assert.Equal("f-" + fields[1], log[int.Parse(fields[2], CultureInfo.InvariantCulture) - 1].ClientMessageId);
    }

    private static readonly UserId[] Users = [.. Enumerable.Range(1, 4).Select(i => new UserId(new Guid(i, 0, 0, [0, 0, 0, 0, 0, 0, 0, 0])))];

    private static int Number(string key) => int.Parse(key.Split('-')[1], CultureInfo.InvariantCulture);

    private static async Task<List<LogEntry>> ReadAllAsync(RocksMessageStore store, ConversationId conversation)
    {
        var log = new List<LogEntry>();
        while (true)
        {
            var page = await store.ReadAsync(conversation, log.Count, long.MaxValue, 1_000, false, Token);
            if (page.Count == 0) return log;
            log.AddRange(page);
        }
    }

    /// <summary>What the killed processes had reported as acknowledged.</summary>
    private sealed class Reports
    {
        private readonly Dictionary<(int Worker, int Number), (ConversationId Conversation, long Seq, MessageId Id)> _entries = [];
        private readonly Dictionary<(ConversationId, UserId), (long Delivered, long Read)> _positions = [];

        public int Count => _entries.Count;
        public int Duplicates { get; private set; }

        /// <summary>For each worker the first number that was not acknowledged.</summary>
        public int[] Next { get; } = [.. Enumerable.Repeat(1, Workers)];

        public void Add(string line)
        {
            var f = line.Split(' ');
            if (f[0] == "entry")
            {
                var (worker, number) = (int.Parse(f[1], CultureInfo.InvariantCulture), int.Parse(f[2], CultureInfo.InvariantCulture));
                Assert.NotEqual("Conflict", f[6]);
                if (f[6] == "Duplicate") Duplicates++;
                _entries.Add((worker, number), (new(Guid.Parse(f[3])), long.Parse(f[4], CultureInfo.InvariantCulture), new(Guid.Parse(f[5]))));
                Next[worker] = Math.Max(Next[worker], number + 1);
            }
            else
            {
                Assert.Equal("position", f[0]);
                var key = (new ConversationId(Guid.Parse(f[1])), new UserId(Guid.Parse(f[2])));
                var old = _positions.GetValueOrDefault(key);
                _positions[key] = (
                    Math.Max(old.Delivered, long.Parse(f[3], CultureInfo.InvariantCulture)),
                    Math.Max(old.Read, long.Parse(f[4], CultureInfo.InvariantCulture)));
            }
        }

        public async Task CheckAsync(RocksMessageStore store, string when)
        {
            var keys = new HashSet<string>();
            var logs = new Dictionary<ConversationId, List<LogEntry>>();
            foreach (var conversation in _entries.Values.Select(e => e.Conversation).Distinct())
            {
                var log = logs[conversation] = await ReadAllAsync(store, conversation);
                var state = await store.GetConversationAsync(conversation, Token);
                Assert.True(state!.HeadSeq == log.Count, $"{when}: the head is {state.HeadSeq}, the log ends at {log.Count}");
                for (var i = 0; i < log.Count; i++)
                {
                    Assert.True(log[i].Seq == i + 1, $"{when}: seq {log[i].Seq} at place {i + 1}");
                    Assert.True(log[i].VisibleNumber == i + 1, $"{when}: visible number {log[i].VisibleNumber} at place {i + 1}");
                    Assert.True(keys.Add(log[i].ClientMessageId), $"{when}: {log[i].ClientMessageId} is there twice");
                    Assert.True(i == 0 || log[i - 1].CreatedAt <= log[i].CreatedAt, $"{when}: time falls at {i + 1}");
                    Assert.Equal(log[i].Id, (await store.FindAsync(log[i].Id, Token))?.Id);
                }
            }

            foreach (var ((worker, number), place) in _entries)
            {
                var log = logs[place.Conversation];
                Assert.True(place.Seq <= log.Count, $"{when}: the acknowledged entry {worker}-{number} at {place.Seq} is lost");
                var entry = log[(int)place.Seq - 1];
                Assert.Equal($"{worker}-{number}", entry.ClientMessageId);
                Assert.Equal(place.Id, entry.Id);
                Assert.Equal(20 + (number % 300), entry.Text.Length);
            }

            foreach (var ((conversation, user), position) in _positions)
            {
                var member = await store.GetMemberAsync(conversation, user, Token);
                Assert.True(
                    member is not null && member.DeliveredSeq >= position.Delivered && member.ReadSeq >= position.Read,
                    $"{when}: {position} was acknowledged and {member} is there");
            }
        }
    }
}
