using Grpc.Core;
using Microsoft.Extensions.Options;
using StackExchange.Redis;
using WhatsAspire.Backplane.Activity;
using WhatsAspire.ChatEdge.Connections;
using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Messaging.V1;

namespace WhatsAspire.ChatEdge.Routing;

/// <summary>Finds live deliveries that were lost on the way, whoever lost them: the mark in Redis counts the entries
/// that concern a user, this edge counts those that came for him. Where the two differ, and still do a moment later,
/// what changed since they last agreed is read from the store and given to his connections.</summary>
internal sealed class ActivityCheck(
    EdgeConnections connections, ActivityMarks marks, MessageApiLink api, EdgeMetrics metrics,
    IOptions<EdgeOptions> options, TimeProvider time, ILogger<ActivityCheck> logger) : BackgroundService
{
    private const int Batch = 500;
    // What is counted and still on its way arrives within this.
    private static readonly TimeSpan Settle = TimeSpan.FromSeconds(2);
    private TaskCompletionSource _soon = NewSignal();
    private bool _redisWasGone;

    /// <summary>Has it look now: others took this edge for gone, and what they had for it went nowhere.</summary>
    public void LookSoon() => Volatile.Read(ref _soon).TrySetResult();

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            while (true)
            {
                await _soon.Task.WaitAsync(options.Value.ActivityCheck, time, stoppingToken)
                    .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                stoppingToken.ThrowIfCancellationRequested();
                Volatile.Write(ref _soon, NewSignal());
                // Without Redis nobody counted and nobody found the other edges: everybody is looked after once.
                var all = _redisWasGone;
                _redisWasGone = false;
                foreach (var users in connections.Users.Chunk(Batch)) await CheckAsync(users, all, stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The process ends.
        }
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private async Task CheckAsync(UserConnections[] users, bool all, CancellationToken stopping)
    {
        try
        {
            var differing = await CompareAsync(users);
            if (differing.Length == 0 && !all) return;
            await Task.Delay(Settle, time, stopping);
            foreach (var user in all ? users : await CompareAsync(differing)) await RepairAsync(user, stopping);
        }
        catch (Exception e) when (e is RedisException or TimeoutException or RpcException)
        {
            _redisWasGone = true;
            logger.ActivityCheckFailed(e is RpcException rpc ? rpc.Status.Detail : e.Message);
        }
    }

    /// <returns>Those whose counts differ. One seen for the first time differs: what was lost while it connected is
    /// not known.</returns>
    private async Task<UserConnections[]> CompareAsync(UserConnections[] users)
    {
        var received = Array.ConvertAll(users, u => u.Received);
        var now = time.GetUtcNow().ToUnixTimeMilliseconds();
        var counts = await marks.ReadAsync(Array.ConvertAll(users, u => u.User));
        var differing = new List<UserConnections>();
        for (var i = 0; i < users.Length; i++)
        {
            if (users[i].Activity.Offset == counts[i] - received[i]) users[i].Activity.AgreedAtMs = now;
            else differing.Add(users[i]);
        }

        return [.. differing];
    }

    private async Task RepairAsync(UserConnections user, CancellationToken stopping)
    {
        var received = user.Received;
        var now = time.GetUtcNow().ToUnixTimeMilliseconds();
        var count = (await marks.ReadAsync([user.User]))[0];
        var since = user.Activity.AgreedAtMs;
        if (since == 0) since = now - (long)(options.Value.ActivityCheck + Settle).TotalMilliseconds;
        else metrics.DeliveryRepaired();

        var changed = new List<Summary>();
        using var call = api.Client.ListChanged(
            new() { UserId = user.User.ToBytes(), SinceMs = since },
            // A call that hangs must not keep the check from all others.
            deadline: time.GetUtcNow().UtcDateTime + options.Value.OperationTimeout, cancellationToken: stopping);
        while (await call.ResponseStream.MoveNext(stopping)) changed.AddRange(call.ResponseStream.Current.Summaries);
        user.Activity.Offset = count - received;
        user.Activity.AgreedAtMs = now;
        foreach (var connection in user.All) connection.Repair(changed, since);
    }
}
