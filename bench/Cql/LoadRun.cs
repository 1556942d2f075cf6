using System.Diagnostics;
using System.Text.Json;
using WhatsAspire.Cql;

namespace WhatsAspire.Bench.Cql;

/// <summary>Requests per second, latencies and allocated bytes of whole requests, against a running Cassandra. One JSON line per
/// statement and number in flight. It makes a keyspace of its own, and drops it.</summary>
internal static class LoadRun
{
    private const string Keyspace = "bench_cql";
    private const int Keys = 20_000;
    private const int Warmup = 3_000;

    private static readonly int[] InFlight = [1, 16, 256];

    public static async Task<int> RunAsync(string connectionString, int seconds)
    {
        var options = new CqlOptions();
        options.Apply(connectionString);
        options.Keyspace = Keyspace;
        await using var session = await CqlSession.ConnectAsync(options);
        await RunAsync(session, $"DROP KEYSPACE IF EXISTS {Keyspace}");
        await RunAsync(session, $"CREATE KEYSPACE {Keyspace} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}");
        await RunAsync(session, "CREATE TABLE messages (k int, seq bigint, head bigint static, body text, PRIMARY KEY (k, seq))");

        var body = new string('x', 120);
        var insert = new CqlStatement("INSERT INTO messages (k, seq, body) VALUES (?, ?, ?)") { IsIdempotent = true };
        var select = new CqlStatement("SELECT seq, body FROM messages WHERE k = ? AND seq = ?");
        var move = new CqlStatement("UPDATE messages SET head = ? WHERE k = ? IF head = ?");
        var first = new CqlStatement("UPDATE messages SET head = ? WHERE k = ? IF head = null");
        var heads = new long[Keys + 256];

        foreach (var inFlight in InFlight)
        {
            await MeasureAsync("insert", inFlight, seconds, (_, i) => session.ExecuteAsync(insert.Bind((int)(i % Keys), 0L, body)));
            await MeasureAsync("read", inFlight, seconds, (_, i) => session.ExecuteAsync(select.Bind((int)(i % Keys), 0L)));
            // Each worker has a partition of its own: it measures the path, not rivalry.
            await MeasureAsync("conditional batch", inFlight, seconds, async (worker, _) =>
            {
                var partition = Keys + worker;
                var head = heads[partition];
                var fence = head == 0 ? first.Bind(1L, partition) : move.Bind(head + 1, partition, head);
                var result = await session.ExecuteAsync(new CqlBatch([fence, insert.Bind(partition, head + 1, body)]));
                if (!result.IsApplied)
                    throw new InvalidOperationException("Somebody else writes to the benchmark's keyspace.");
                heads[partition]++;
                return result;
            });
        }

        await RunAsync(session, $"DROP KEYSPACE {Keyspace}");
        return 0;
    }

    private static async Task MeasureAsync(string name, int inFlight, int seconds, Func<int, long, Task<CqlResult>> request)
    {
        await DriveAsync(inFlight, Warmup, TimeSpan.FromSeconds(10), request, latencies: null);
        var latencies = new List<long>[inFlight];
        var allocated = GC.GetTotalAllocatedBytes(precise: true);
        var processor = Environment.CpuUsage.TotalTime;
        var start = Stopwatch.GetTimestamp();
        await DriveAsync(inFlight, long.MaxValue, TimeSpan.FromSeconds(seconds), request, latencies);
        var took = Stopwatch.GetElapsedTime(start);
        processor = Environment.CpuUsage.TotalTime - processor;
        allocated = GC.GetTotalAllocatedBytes(precise: true) - allocated;
        var sorted = latencies.SelectMany(list => list).Order().ToArray();
        // What the harness itself allocates: its lists of latencies, at most 16 bytes a request.
        Console.WriteLine(JsonSerializer.Serialize(new
        {
            statement = name,
            inFlight,
            requests = sorted.Length,
            perSecond = Math.Round(sorted.Length / took.TotalSeconds),
            p50Ms = At(0.5),
            p99Ms = At(0.99),
            clientCpuMicrosecondsPerRequest = Math.Round(processor.TotalMicroseconds / sorted.Length, 1),
            allocatedBytesPerRequest = allocated / sorted.Length,
        }));

        double At(double quantile) => Math.Round(Stopwatch.GetElapsedTime(0, sorted[(int)((sorted.Length - 1) * quantile)]).TotalMilliseconds, 3);
    }

    private static Task DriveAsync(int inFlight, long most, TimeSpan duration, Func<int, long, Task<CqlResult>> request, List<long>[]? latencies)
    {
        long next = 0;
        var start = Stopwatch.GetTimestamp();
        return Task.WhenAll(Enumerable.Range(0, inFlight).Select(worker => Task.Run(async () =>
        {
            var own = new List<long>(4096);
            while (Interlocked.Increment(ref next) is var i && i <= most && Stopwatch.GetElapsedTime(start) < duration)
            {
                var before = Stopwatch.GetTimestamp();
                await request(worker, i);
                own.Add(Stopwatch.GetTimestamp() - before);
            }

            if (latencies is not null)
                latencies[worker] = own;
        })));
    }

    private static Task<CqlResult> RunAsync(CqlSession session, string text) => session.ExecuteAsync(new CqlStatement(text).Bind());
}
