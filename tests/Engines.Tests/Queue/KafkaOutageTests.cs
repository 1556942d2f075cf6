using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using WhatsAspire.Backplane.Queue;
using WhatsAspire.Backplane.Queue.Kafka;
using Xunit;

namespace WhatsAspire.Engines.Tests.Queue;

/// <summary>A broker that dies, or answers nothing for a while, costs time and no acknowledged event.</summary>
[Trait("Requirement", "R51")]
public sealed class KafkaOutageTests(KafkaServer server) : IClassFixture<KafkaServer>, IAsyncLifetime
{
    private const int Keys = 8;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);
    private readonly string _topic = $"t-{Guid.NewGuid():N}";
    private readonly ConcurrentDictionary<(int Key, int Number), bool> _acknowledged = new();
    private readonly ConcurrentDictionary<(int Key, int Number), bool> _handled = new();
    private readonly ConcurrentQueue<string> _jumps = new();
    private readonly int[] _next = new int[Keys];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync()
    {
        server.Need();
        return default;
    }

    public ValueTask DisposeAsync() => default;

    [Fact]
    public async Task A_broker_that_is_killed_under_load_and_started_again_loses_nothing_acknowledged()
    {
        await using var queue = server.Open(Options());
        await RunAsync(queue, async () =>
        {
            for (var kill = 0; kill < 3; kill++)
            {
                await AcknowledgedAsync(200);
                await server.Process.KillAsync(Token);
                await server.StartAsync();
            }

            await AcknowledgedAsync(200);
        });
    }

    [Fact]
    public async Task A_broker_that_is_frozen_and_thawed_under_load_loses_nothing_acknowledged()
    {
        await using var queue = server.Open(Options());
        await RunAsync(queue, async () =>
        {
            await AcknowledgedAsync(200);
            server.Process.Freeze();
            // Long enough for sessions to run out and requests to be given up: nothing shows it but the time.
            using var timer = new PeriodicTimer(TimeSpan.FromSeconds(6));
            await timer.WaitForNextTickAsync(Token);
            server.Process.Thaw();
            await AcknowledgedAsync(500);
        });
    }

    [Fact]
    public async Task A_broker_that_is_not_there_fails_publishes_in_time_and_says_so()
    {
        await using var queue = server.Open(Options(TimeSpan.FromSeconds(2)), o => o.BootstrapServers = "127.0.0.1:1");
        var started = TimeProvider.System.GetTimestamp();
        var failure = await Assert.ThrowsAsync<QueueUnavailableException>(() => PublishAsync(queue, 0, 0));
        Assert.Contains(_topic, failure.Message, StringComparison.Ordinal);
        Assert.True(TimeProvider.System.GetElapsedTime(started) < TimeSpan.FromSeconds(30));
        await Assert.ThrowsAsync<QueueUnavailableException>(() => queue.PingAsync());
    }

    [Fact]
    public async Task A_topic_with_a_smaller_limit_refuses_what_is_too_large_for_it()
    {
        await using (var small = server.Open(new() { Partitions = 1, MaxPayloadBytes = 1024 }))
            await small.PublishAsync(_topic, new() { Key = "k", Type = "t" }, Token);
        await using var queue = server.Open(new());
        var refusal = await Assert.ThrowsAsync<ArgumentException>(() => queue.PublishAsync(
            _topic, new() { Key = "k", Type = "t", Payload = Noise(200_000) }, Token));
        Assert.Contains("max.message.bytes", refusal.Message, StringComparison.Ordinal);
        await queue.PublishAsync(_topic, new() { Key = "k", Type = "t", Payload = Noise(20_000) }, Token);
    }

    [Fact]
    public async Task A_slow_handler_does_not_cost_its_partition()
    {
        // Many times the session's length, with a window that is full at once.
        var options = Options();
        (options.Window, options.Partitions) = (2, 1);
        await using var queue = server.Open(options, o => o.SessionTimeout = TimeSpan.FromSeconds(1));
        for (var i = 0; i < 10; i++) await PublishAsync(queue, 0, i);
        var all = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var subscription = await queue.SubscribeAsync(_topic, "g", async (received, cancel) =>
        {
            if (received.Position.Offset == 3)
            {
                using var timer = new PeriodicTimer(TimeSpan.FromSeconds(4));
                await timer.WaitForNextTickAsync(cancel);
            }

            Note(received);
            if (_handled.Count == 10) all.TrySetResult();
            return Handled.Done;
        }, Token);
        await all.Task.WaitAsync(Patience, Token);
        Assert.Empty(_jumps);
        Assert.Equal([0], subscription.Partitions);
    }

    private static QueueOptions Options(TimeSpan? timeout = null) => new()
    {
        Partitions = 4,
        PublishTimeout = timeout ?? TimeSpan.FromSeconds(20),
        StopGrace = TimeSpan.FromSeconds(2),
    };

    /// <summary>Publishes and consumes while something happens, then compares.</summary>
    private async Task RunAsync(KafkaEventQueue queue, Func<Task> happens)
    {
        using var enough = new CancellationTokenSource();
        await using var subscription = await queue.SubscribeAsync(_topic, "g", (received, _) =>
        {
            Note(received);
            return new(Handled.Done);
        }, Token);
        var load = Task.WhenAll(Enumerable.Range(0, Keys).Select(key => Task.Run(async () =>
        {
            for (var number = 0; !enough.IsCancellationRequested;)
            {
                try
                {
                    await PublishAsync(queue, key, number);
                    _acknowledged[(key, number++)] = true;
                }
                catch (QueueUnavailableException)
                {
                    // As the port says: again, and perhaps twice.
                    await Task.Yield();
                }
            }
        }, Token)));
        await happens();
        await enough.CancelAsync();
        await load.WaitAsync(Patience, Token);

        await UntilAsync(() => _acknowledged.Keys.All(_handled.ContainsKey), () =>
            $"{_acknowledged.Keys.Count(k => !_handled.ContainsKey(k))} of {_acknowledged.Count} acknowledged events to be handled");
        Assert.Empty(_jumps);
        TestContext.Current.SendDiagnosticMessage("{0} acknowledged events, all handled", _acknowledged.Count);
    }

    private void Note(ReceivedEvent received)
    {
        var (key, number) = (received.Key[1] - '0', int.Parse(Encoding.UTF8.GetString(received.Payload.Span), CultureInfo.InvariantCulture));
        // One call at a time for each key.
        if (number > _next[key]) _jumps.Enqueue($"{received.Key}: {number} where {_next[key]} should be");
        _next[key] = Math.Max(_next[key], number + 1);
        _handled[(key, number)] = true;
    }

    private Task<EventPosition> PublishAsync(KafkaEventQueue queue, int key, int number) => queue.PublishAsync(
        _topic, new() { Key = $"k{key}", Type = "t", Payload = Encoding.UTF8.GetBytes($"{number}") }, Token);

    private Task AcknowledgedAsync(int more)
    {
        var until = _acknowledged.Count + more;
        return UntilAsync(() => _acknowledged.Count >= until, () => $"{until} acknowledged events; there are {_acknowledged.Count}");
    }

    private static async Task UntilAsync(Func<bool> holds, Func<string> what)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        var started = TimeProvider.System.GetTimestamp();
        while (!holds())
        {
            Assert.True(TimeProvider.System.GetElapsedTime(started) < Patience, $"waited for {what()}");
            await timer.WaitForNextTickAsync(Token);
        }
    }

    // What can't be compressed.
    private static byte[] Noise(int length)
    {
        var bytes = new byte[length];
        new Random(1).NextBytes(bytes);
        return bytes;
    }
}
