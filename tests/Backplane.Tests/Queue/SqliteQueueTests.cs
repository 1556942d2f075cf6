using System.Globalization;
using System.Text;
using Microsoft.Data.Sqlite;
using WhatsAspire.Backplane.Queue;
using WhatsAspire.Backplane.Queue.Sqlite;

namespace WhatsAspire.Backplane.Tests.Queue;

/// <summary>What is special about the embedded queue: processes that share a file, leases, trimming.</summary>
public sealed class SqliteQueueTests : IDisposable
{
    private const string Topic = "events";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private readonly QueueFile _file = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _file.Dispose();

    [Fact]
    [Trait("Requirement", "R3")]
    public async Task Everything_acknowledged_is_there_in_order_after_kills_of_two_publishers_at_random_moments()
    {
        var seed = Random.Shared.Next();
        var random = new Random(seed);
        var stored = new int[2][] { [-1, -1], [-1, -1] };
        for (var round = 0; round < 4; round++)
        {
            using var one = new QueueProcess(["publish", _file.Path, "one", .. Next(stored[0])]);
            using var two = new QueueProcess(["publish", _file.Path, "two", .. Next(stored[1])]);
            await Task.WhenAll(FollowAsync(one, stored[0], random.Next(20, 400)), FollowAsync(two, stored[1], random.Next(20, 400)));
        }

        await using var queue = _file.Open(new() { Partitions = 4 });
        foreach (var (topic, last) in new[] { ("one", stored[0]), ("two", stored[1]) })
        {
            var numbers = new[] { new List<int>(), new List<int>() };
            foreach (var range in await queue.RangesAsync(topic, Token))
                foreach (var e in await queue.ReadAsync(topic, range.Partition, 0, range.End, int.MaxValue, Token))
                    numbers[e.Key[1] - '0'].Add(int.Parse(Encoding.UTF8.GetString(e.Payload.Span), CultureInfo.InvariantCulture));
            for (var key = 0; key < 2; key++)
            {
                Assert.True(last[key] > 20, $"seed {seed}: only {last[key]} were acknowledged");
                // What was stored and not acknowledged was published again after the kill.
                var next = 0;
                foreach (var number in numbers[key])
                {
                    Assert.True(number <= next, $"seed {seed}: {topic}/{key} has {number} where {next} should be");
                    next = Math.Max(next, number + 1);
                }

                Assert.True(next > last[key], $"seed {seed}: {topic}/{key} ends at {next - 1}, and {last[key]} was acknowledged");
            }
        }
    }

    [Fact]
    public async Task A_frozen_owner_is_replaced_and_begins_nothing_when_it_wakes()
    {
        using var frozen = new QueueProcess("consume", _file.Path, Topic, "g");
        Assert.Equal("ready", await frozen.ReadLineAsync(Token));
        await using var queue = _file.Open(new() { Partitions = 4 });
        await PublishAsync(queue, 0, 200);
        // In the midst of its work.
        while (await frozen.ReadLineAsync(Token) is { } line && line != "end k0 20") { }
        frozen.Freeze();
        // In the midst of a commit it holds the file's lock, which nobody can take from it: the others wait for it.
        while (!_file.CanWrite())
        {
            frozen.Thaw();
            await frozen.ReadLineAsync(Token);
            frozen.Freeze();
        }

        var seen = new List<string>();
        var all = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using (await queue.SubscribeAsync(Topic, "g", (received, _) =>
        {
            lock (seen)
            {
                seen.Add($"{received.Key} {Encoding.UTF8.GetString(received.Payload.Span)}");
                if (seen.Distinct().Count(s => s.EndsWith(" 199", StringComparison.Ordinal)) == 8) all.TrySetResult();
            }

            return new(Handled.Done);
        }, Token))
        {
            await all.Task.WaitAsync(Patience, Token);
            frozen.Thaw();
            // It joins again: what comes now is shared, and comes to it as to a new member.
            await PublishAsync(queue, 200, 20);
            while (await frozen.ReadLineAsync(Token) is { } line && !line.StartsWith("end", StringComparison.Ordinal)) { }
        }

        await PublishAsync(queue, 220, 1);
        frozen.CloseInput();
        var lines = await frozen.FinishAsync(Token);
        // One call for each partition may have been under way when it froze. No other was begun with what it held then.
        var begun = lines.Where(l => l.StartsWith("begin", StringComparison.Ordinal)).Select(l => int.Parse(l.Split(' ')[2], CultureInfo.InvariantCulture));
        Assert.DoesNotContain(begun, n => n is > 40 and < 200);
    }

    [Fact]
    public void A_commit_of_an_owner_that_was_replaced_changes_nothing()
    {
        using var log = LogConnection.Open(_file.Path, Patience);
        var tables = new LogTables(log);
        var topic = tables.FindOrMake(Topic, 1);
        var group = tables.FindOrMakeGroup(topic, "g");
        for (var i = 0; i < 5; i++) tables.Append(Topic, 1, new() { Key = "k", Type = "t" }, null, 0);
        var old = Assert.Single(tables.Balance(group, "old", new HashSet<(int, long)>(), nowMs: 0, leaseMs: 100).Owned);
        var held = new HashSet<(int, long)> { (old.Partition, old.Epoch) };
        Assert.True(tables.CommitOffset(group, "old", 0, old.Epoch, 2));

        // Before the lease has run out nobody else gets it; after that the next one does, with a higher epoch.
        Assert.Empty(tables.Balance(group, "new", new HashSet<(int, long)>(), nowMs: 99, leaseMs: 100).Owned);
        var successor = Assert.Single(tables.Balance(group, "new", new HashSet<(int, long)>(), nowMs: 100, leaseMs: 100).Owned);
        Assert.Equal((2, true), (successor.Committed, successor.Epoch > old.Epoch));

        Assert.False(tables.CommitOffset(group, "old", 0, old.Epoch, 4));
        Assert.DoesNotContain(tables.Balance(group, "old", held, nowMs: 101, leaseMs: 100).Owned, o => held.Contains((o.Partition, o.Epoch)));
        tables.Release(group, "old", 0, old.Epoch);
        Assert.True(tables.CommitOffset(group, "new", 0, successor.Epoch, 3));
        // Offsets never fall.
        Assert.True(tables.CommitOffset(group, "new", 0, successor.Epoch, 1));
        Assert.Equal(3, log.Scalar("SELECT committed FROM cursors WHERE group_id = @0", group));
    }

    [Fact]
    public async Task Another_process_wakes_consumers_within_the_poll_interval()
    {
        using var consumer = new QueueProcess("consume", _file.Path, Topic, "g");
        Assert.Equal("ready", await consumer.ReadLineAsync(Token));
        await using var queue = _file.Open(new() { Partitions = 4 });
        var took = new List<double>();
        for (var i = 0; i < 20; i++)
        {
            var started = TimeProvider.System.GetTimestamp();
            await queue.PublishAsync(Topic, new() { Key = "k", Type = "t", Payload = Encoding.UTF8.GetBytes($"{i}") }, Token);
            Assert.Equal($"begin k {i}", await consumer.ReadLineAsync(Token));
            took.Add(TimeProvider.System.GetElapsedTime(started).TotalMilliseconds);
            Assert.Equal($"end k {i}", await consumer.ReadLineAsync(Token));
        }

        took.Sort();
        TestContext.Current.SendDiagnosticMessage("from publish to handler in another process: median {0:F1} ms, worst {1:F1} ms", took[10], took[^1]);
    }

    [Fact]
    public async Task What_every_group_has_consumed_is_trimmed_and_dead_letters_and_the_rest_are_kept()
    {
        await using var queue = _file.Open(new() { Partitions = 1 }, o => o.KeepConsumed = TimeSpan.Zero);
        var (one, two) = (new TaskCompletionSource(), new TaskCompletionSource());
        await using (await queue.SubscribeAsync(Topic, "one", (e, _) => Until(e, "9", one, e.Position.Offset == 3), Token))
        await using (await queue.SubscribeAsync(Topic, "two", (e, _) => Until(e, "4", two, false), Token))
        {
            await PublishAsync(queue, 0, 10, keys: 1);
            await Task.WhenAll(one.Task, two.Task).WaitAsync(Patience, Token);
        }

        await queue.TrimOnceAsync(Token);
        var range = Assert.Single(await queue.RangesAsync(Topic, Token));
        // The second group did not say that it is done with the fifth and the later ones.
        Assert.Equal((4, 10), (range.First, range.End));
        Assert.Single((await queue.DeadLetters.ListAsync(Topic, null, 10, Token)).Letters);

        var late = new TaskCompletionSource<long>();
        await using var third = await queue.SubscribeAsync(Topic, "three", (e, _) =>
        {
            late.TrySetResult(e.Position.Offset);
            return new(Handled.Done);
        }, Token);
        Assert.Equal(4, await late.Task.WaitAsync(Patience, Token));

        static async ValueTask<Handled> Until(ReceivedEvent e, string last, TaskCompletionSource end, bool dies)
        {
            if (Encoding.UTF8.GetString(e.Payload.Span) == last)
            {
                end.TrySetResult();
                if (last == "4") return Handled.RetryLater(TimeSpan.FromMinutes(1));
            }

            await Task.Yield();
            return dies ? Handled.Dead("no") : Handled.Done;
        }
    }

    [Fact]
    public async Task What_is_too_old_is_trimmed_whoever_has_not_consumed_it()
    {
        var time = new Microsoft.Extensions.Time.Testing.FakeTimeProvider(DateTimeOffset.UtcNow);
        await using var queue = _file.Open(new() { Partitions = 1 }, o => o.Retention = TimeSpan.FromDays(1), time);
        await PublishAsync(queue, 0, 2500, keys: 1);
        time.Advance(TimeSpan.FromDays(1) + TimeSpan.FromSeconds(1));
        await PublishAsync(queue, 2500, 5, keys: 1);
        await queue.TrimOnceAsync(Token);
        var range = Assert.Single(await queue.RangesAsync(Topic, Token));
        Assert.Equal((2500, 2505), (range.First, range.End));
        Assert.Equal(5, (await queue.ReadAsync(Topic, 0, 0, range.End, 100, Token)).Count);
    }

    [Fact]
    public async Task A_file_of_another_version_is_refused()
    {
        await using (_file.Open(new())) { }
        using (var connection = new SqliteConnection($"Data Source={_file.Path};Pooling=False"))
        {
            connection.Open();
            using var command = connection.CreateCommand();
            command.CommandText = "PRAGMA user_version = 9";
            command.ExecuteNonQuery();
        }

        var refusal = Assert.Throws<QueueUnavailableException>(() => _file.Open(new()));
        Assert.Contains("version 9", refusal.Message, StringComparison.Ordinal);
        Assert.Contains(_file.Path, refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_file_that_can_not_be_written_to_fails_publishes_and_the_queue_recovers()
    {
        await using var queue = _file.Open(new() { Partitions = 1 }, o => o.WriteTimeout = TimeSpan.FromSeconds(1));
        await PublishAsync(queue, 0, 1, keys: 1);
        using (var other = new SqliteConnection($"Data Source={_file.Path};Pooling=False"))
        {
            other.Open();
            using var command = other.CreateCommand();
            command.CommandText = "BEGIN EXCLUSIVE";
            command.ExecuteNonQuery();
            await Assert.ThrowsAsync<QueueUnavailableException>(() => PublishAsync(queue, 1, 1, keys: 1));
            Assert.NotNull(queue.Writer.Fault);
        }

        await PublishAsync(queue, 2, 1, keys: 1);
        Assert.Null(queue.Writer.Fault);
        var events = await queue.ReadAsync(Topic, 0, 0, 10, 10, Token);
        Assert.Equal(["0", "2"], events.Select(e => Encoding.UTF8.GetString(e.Payload.Span)));
    }

    [Fact]
    public void Keys_stay_in_their_partitions_for_ever()
    {
        // What is stored lies where this function put it.
        Assert.Equal(
            [PartitionedKeys.Empty, PartitionedKeys.A, PartitionedKeys.Id, PartitionedKeys.Unicode],
            new[] { "", "a", "22222222-2222-5222-8222-222222222222", "grüß 🙂" }.Select(k => LogTables.PartitionOf(k, 16)));
        var counts = Enumerable.Range(0, 16_000).Select(i => LogTables.PartitionOf($"key-{i}", 16)).CountBy(p => p).ToDictionary();
        Assert.All(Enumerable.Range(0, 16), p => Assert.InRange(counts[p], 800, 1200));
    }

    private static async Task PublishAsync(SqliteEventQueue queue, int first, int count, int keys = 8)
    {
        await Task.WhenAll(Enumerable.Range(first, count).SelectMany(n => Enumerable.Range(0, keys).Select(k => queue.PublishAsync(
            Topic, new() { Key = $"k{k}", Type = "t", Payload = Encoding.UTF8.GetBytes($"{n}") }, Token))));
    }

    private static IEnumerable<string> Next(int[] stored) => stored.Select(s => (s + 1).ToString(CultureInfo.InvariantCulture));

    private static async Task FollowAsync(QueueProcess process, int[] stored, int lines)
    {
        Assert.Equal("ready", await process.ReadLineAsync(Token));
        for (; lines > 0; lines--) Note((await process.ReadLineAsync(Token))!);
        process.Kill();
        foreach (var line in await process.FinishAsync(Token)) Note(line);

        void Note(string line)
        {
            var fields = line.Split(' ');
            var key = int.Parse(fields[1], CultureInfo.InvariantCulture);
            stored[key] = Math.Max(stored[key], int.Parse(fields[2], CultureInfo.InvariantCulture));
        }
    }

    /// <summary>Computed once by another implementation of the same function.</summary>
    private static class PartitionedKeys
    {
        public const int Empty = 11;
        public const int A = 3;
        public const int Id = 4;
        public const int Unicode = 7;
    }
}
