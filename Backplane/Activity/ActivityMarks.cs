using System.Threading.Channels;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;
using WhatsAspire.Contracts;

namespace WhatsAspire.Backplane.Activity;

/// <summary>Counts, per user, the messages and receipts that concern him: <c>activity:{user}</c> in Redis. An edge that
/// compares the count with what was delivered to it finds out that a live delivery was lost on the way, whoever
/// lost it. Counts may be off after a crash of Redis or of a counting process; that costs a needless look, never a
/// message.</summary>
public sealed class ActivityMarks(IConnectionMultiplexer redis, TimeProvider time, ILogger<ActivityMarks> logger) : BackgroundService
{
    /// <summary>A count that nobody adds to or asks for is forgotten after this.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromHours(1);

    private const int Batch = 1024;
    private static readonly TimeSpan Retry = TimeSpan.FromMilliseconds(500);

    // What does not fit is not counted. It fills only while Redis is gone, and edges look for themselves after that.
    private readonly Channel<UserId> _waiting = Channel.CreateBounded<UserId>(
        new BoundedChannelOptions(65536) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true });

    /// <summary>Adds one to the user's count, soon and without waiting.</summary>
    public void Add(UserId user) => _waiting.Writer.TryWrite(user);

    /// <summary>The counts of some users, 0 where there is none; keeps them from being forgotten.</summary>
    public async Task<long[]> ReadAsync(IReadOnlyList<UserId> users)
    {
        ArgumentNullException.ThrowIfNull(users);
        var db = redis.GetDatabase();
        var reads = new Task<RedisValue>[users.Count];
        for (var i = 0; i < reads.Length; i++)
        {
            reads[i] = db.StringGetAsync(Key(users[i]));
            db.KeyExpire(Key(users[i]), Lifetime, flags: CommandFlags.FireAndForget);
        }

        var counts = new long[reads.Length];
        for (var i = 0; i < reads.Length; i++) counts[i] = (long?)await reads[i] ?? 0;
        return counts;
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var counts = new Dictionary<UserId, int>();
        var writes = new List<(UserId User, int Count, Task<long> Write)>();
        while (counts.Count > 0 || await _waiting.Reader.WaitToReadAsync(stoppingToken))
        {
            while (counts.Count < Batch && _waiting.Reader.TryRead(out var user))
                counts[user] = counts.GetValueOrDefault(user) + 1;
            try
            {
                var db = redis.GetDatabase();
                foreach (var (user, count) in counts) writes.Add((user, count, db.StringIncrementAsync(Key(user), count)));
                foreach (var (user, count, write) in writes)
                    if (await write == count)   // new
                        db.KeyExpire(Key(user), Lifetime, flags: CommandFlags.FireAndForget);
                counts.Clear();
            }
            catch (Exception e) when (e is RedisException or TimeoutException)
            {
                // Counted twice costs a needless look; not counted at all would hide what Redis' absence kept back.
                logger.ActivityNotCounted(counts.Count, e);
                await Task.Delay(Retry, time, stoppingToken);
            }

            writes.Clear();
        }
    }

    private static RedisKey Key(UserId user) => $"activity:{user}";
}
