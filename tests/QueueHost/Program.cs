using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using WhatsAspire.Backplane.Queue;
using WhatsAspire.Backplane.Queue.Sqlite;

// A process on a queue's file that can be killed or frozen: QueueHost publish FILE TOPIC FIRST...
// | consume FILE TOPIC GROUP | measure FILE [POLL_MS]
var output = Console.OpenStandardOutput();
var gate = new Lock();
var meters = new ServiceCollection().AddMetrics().BuildServiceProvider().GetRequiredService<IMeterFactory>();
var settings = new SqliteQueueOptions
{
    Path = args.Length > 1 ? args[1] : "",
    PollInterval = TimeSpan.FromMilliseconds(5),
    LeaseTime = TimeSpan.FromSeconds(1.5),
    CommitInterval = TimeSpan.FromMilliseconds(20),
};
switch (args)
{
    case ["publish", _, var topic, .. var first]:
        {
            await using var queue = Open();
            Report("ready");
            await Task.WhenAll(first.Select((from, key) => Task.Run(() => PublishAsync(queue, topic, key, int.Parse(from, CultureInfo.InvariantCulture)))));
            return 0;
        }

    case ["consume", _, var topic, var group]:
        {
            await using var queue = Open();
            await using var subscription = await queue.SubscribeAsync(topic, group, async (received, cancel) =>
            {
                Report($"begin {received.Key} {Encoding.UTF8.GetString(received.Payload.Span)}");
                // Long enough to be caught at work.
                await Task.Delay(2, cancel);
                Report($"end {received.Key} {Encoding.UTF8.GetString(received.Payload.Span)}");
                return Handled.Done;
            }, CancellationToken.None);
            Report("ready");
            await Console.In.ReadToEndAsync();
            return 0;
        }

    case ["measure", ..]:
        await MeasureAsync();
        return 0;

    default:
        return 64;
}

SqliteEventQueue Open() => new(
    Options.Create(new QueueOptions { Partitions = 4 }), Options.Create(settings), new QueueMetrics(meters), TimeProvider.System,
    NullLogger<SqliteEventQueue>.Instance);

// What the queue costs on this machine: alone, together, and doing nothing.
async Task MeasureAsync()
{
    settings.PollInterval = args.Length > 2
        ? TimeSpan.FromMilliseconds(int.Parse(args[2], CultureInfo.InvariantCulture)) : new SqliteQueueOptions().PollInterval;
    await using var queue = Open();
    var message = new QueueEvent { Key = "k", Type = "host.v1", Payload = new byte[200] };
    var alone = new List<double>();
    for (var i = 0; i < 500; i++)
    {
        var began = TimeProvider.System.GetTimestamp();
        await queue.PublishAsync("measure", message, CancellationToken.None);
        alone.Add(TimeProvider.System.GetElapsedTime(began).TotalMilliseconds);
    }

    alone.Sort();
    Report(string.Create(CultureInfo.InvariantCulture, $"one publisher: median {alone[250]:F2} ms, 99 % {alone[494]:F2} ms"));
    const int count = 50_000;
    var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
    var left = count;
    var started = TimeProvider.System.GetTimestamp();
    await Task.WhenAll(Enumerable.Range(0, 500).Select(p => Task.Run(async () =>
    {
        for (var i = 0; i < count / 500; i++) await queue.PublishAsync("together", message with { Key = $"k{p}" }, CancellationToken.None);
    })));
    Report(string.Create(CultureInfo.InvariantCulture, $"500 publishers: {count / TimeProvider.System.GetElapsedTime(started).TotalSeconds:F0} events/s"));
    started = TimeProvider.System.GetTimestamp();
    await using (await queue.SubscribeAsync("together", "g", (_, _) =>
    {
        if (Interlocked.Decrement(ref left) == 0) done.SetResult();
        return new(Handled.Done);
    }, CancellationToken.None))
    {
        await done.Task;
        Report(string.Create(CultureInfo.InvariantCulture, $"consuming: {count / TimeProvider.System.GetElapsedTime(started).TotalSeconds:F0} events/s"));
        // Until the compiler and the collector have come to rest.
        await Task.Delay(TimeSpan.FromSeconds(5));
        var process = System.Diagnostics.Process.GetCurrentProcess();
        var before = process.TotalProcessorTime;
        await Task.Delay(TimeSpan.FromSeconds(10));
        process.Refresh();
        Report(string.Create(CultureInfo.InvariantCulture, $"idle subscription: {(process.TotalProcessorTime - before).TotalMilliseconds / 10:F1} ms of one core per second"));
    }
}

// Without end; each number is reported when it is acknowledged.
async Task PublishAsync(SqliteEventQueue queue, string topic, int key, int number)
{
    while (true)
    {
        var numbers = Enumerable.Range(number, 3).ToArray();
        await Task.WhenAll(numbers.Select(n => queue.PublishAsync(
            topic, new() { Key = $"k{key}", Type = "host.v1", Payload = Encoding.UTF8.GetBytes($"{n}") }, CancellationToken.None)));
        foreach (var n in numbers) Report($"stored {key} {n}");
        number += 3;
    }
}

// A line in one call, so that a kill never leaves half of one.
void Report(string line)
{
    var bytes = Encoding.UTF8.GetBytes(line + "\n");
    lock (gate) output.Write(bytes);
}
