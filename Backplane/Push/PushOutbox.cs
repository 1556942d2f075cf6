using System.Diagnostics;
using System.Text.Json;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using StackExchange.Redis;
using WhatsAspire.Backplane.Queue;
using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Events;

namespace WhatsAspire.Backplane.Push;

/// <summary>Takes users who may have to be told something while none of their devices is connected, and puts them on the queue
/// for the PushWorker: one event for what comes of a conversation in the meantime. Bounded: what comes on top is counted and
/// dropped. A push that is lost costs a notification, never a message. In a process without a queue they are only
/// counted.</summary>
public sealed class PushOutbox(
    PushMetrics metrics, PushedMarks marks, IOptions<BackplaneOptions> options, TimeProvider time, ILogger<PushOutbox> logger,
    IEventQueue? queue = null) : BackgroundService
{
    private const int Together = 256;
    private static readonly TimeSpan Retry = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan LastMoment = TimeSpan.FromSeconds(2);

    private readonly Lock _gate = new();
    private readonly SemaphoreSlim _signal = new(0, 1);
    private Dictionary<Waiting, Latest> _waiting = [];

    private readonly record struct Waiting(UserId User, ConversationId Conversation, bool IsRead);

    private readonly record struct Latest(long Seq, string? TraceParent);

    /// <summary>A message came for a user who is connected nowhere, or who left without having acked it. Does not wait.</summary>
    /// <param name="user">Whom to tell.</param>
    /// <param name="conversation">Of the message.</param>
    /// <param name="seq">Of the message.</param>
    /// <param name="traceParent">W3C traceparent of the message, or null.</param>
    public void AddMessage(UserId user, ConversationId conversation, long seq, string? traceParent = null) =>
        Add(new(user, conversation, false), new(seq, traceParent));

    /// <summary>A message came for users who are connected nowhere; completes when that is durable. For a caller that is asked
    /// again when it fails, which then says it again: handling it twice is harmless.</summary>
    /// <param name="users">Whom to tell. Distinct.</param>
    /// <param name="conversation">Of the message.</param>
    /// <param name="seq">Of the message.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    /// <exception cref="QueueUnavailableException">Of some it may be durable, of some not.</exception>
    public async Task AddMessageDurablyAsync(
        IReadOnlyList<UserId> users, ConversationId conversation, long seq, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(users);
        if (queue is null)
        {
            metrics.Dropped(users.Count, "no_queue");
            return;
        }

        foreach (var chunk in users.Chunk(Together))
            await Task.WhenAll(chunk.Select(user => PublishAsync(new(user, conversation, false), new(seq, null), cancellationToken)));
    }

    /// <summary>A user read up to here on some device: what the others show may have to go. Does not wait.</summary>
    public void AddRead(UserId user, ConversationId conversation, long seq) => Add(new(user, conversation, true), new(seq, null));

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (queue is null) return;
        try
        {
            while (true)
            {
                await _signal.WaitAsync(stoppingToken);
                if (!await PublishAsync(stoppingToken)) await Task.Delay(Retry, time, stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The process ends.
        }
    }

    /// <summary>Puts on the queue what still waits, if that is quick.</summary>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        if (queue is null) return;
        using var last = new CancellationTokenSource(LastMoment, time);
        await PublishAsync(last.Token);
    }

    private void Add(Waiting waiting, Latest latest)
    {
        if (queue is null)
        {
            metrics.Dropped(1, "no_queue");
            return;
        }

        lock (_gate)
        {
            if (_waiting.TryGetValue(waiting, out var known))
            {
                if (known.Seq < latest.Seq) _waiting[waiting] = latest;
                return;
            }

            if (_waiting.Count >= options.Value.PushBacklog)
            {
                metrics.Dropped(1, "full");
                return;
            }

            _waiting[waiting] = latest;
            if (_signal.CurrentCount == 0) _signal.Release();
        }
    }

    /// <returns>False when something has to wait.</returns>
    private async Task<bool> PublishAsync(CancellationToken cancellationToken)
    {
        Dictionary<Waiting, Latest> taken;
        lock (_gate) (taken, _waiting) = (_waiting, []);
        await DropNeedlessAsync(taken);
        string? failure = null;
        var failed = 0;
        foreach (var chunk in taken.Chunk(Together))
        {
            await Task.WhenAll(chunk.Select(async one =>
            {
                try
                {
                    if (failure is not null || cancellationToken.IsCancellationRequested)
                        throw new QueueUnavailableException(failure ?? "the process ends");
                    await PublishAsync(one.Key, one.Value, cancellationToken);
                }
                catch (Exception e) when (e is QueueUnavailableException or OperationCanceledException or ObjectDisposedException)
                {
                    failure ??= e.Message;
                    Interlocked.Increment(ref failed);
                    Add(one.Key, one.Value);
                }
                catch (Exception e)
                {
                    // It would fail again for ever.
                    logger.PushRefused(e);
                    metrics.Dropped(1, "refused");
                }
            }));
        }

        if (failed > 0) logger.PushDelayed(failed, failure!);
        return failed == 0;
    }

    private async Task PublishAsync(Waiting waiting, Latest latest, CancellationToken cancellationToken)
    {
        using var activity = latest.TraceParent is null
            ? null : BackplaneTelemetry.Source.StartActivity("push", ActivityKind.Internal, latest.TraceParent);
        var push = new PushEvent { UserId = waiting.User, ConversationId = waiting.Conversation, Seq = latest.Seq, IsRead = waiting.IsRead };
        await queue!.PublishAsync(PushEvent.Topic, new()
        {
            Key = waiting.User.ToString(),
            Type = PushEvent.Type,
            Payload = JsonSerializer.SerializeToUtf8Bytes(push, EventJson.Default.PushEvent),
        }, cancellationToken);
        metrics.Published(waiting.IsRead ? "read" : "message");
    }

    /// <summary>Reads of what nobody was pushed. While Redis does not tell, all reads go on the queue.</summary>
    private async Task DropNeedlessAsync(Dictionary<Waiting, Latest> taken)
    {
        var reads = taken.Keys.Where(waiting => waiting.IsRead).ToArray();
        if (reads.Length == 0) return;
        try
        {
            var pushed = await marks.HaveAsync(Array.ConvertAll(reads, read => (read.User, read.Conversation)));
            for (var i = 0; i < reads.Length; i++)
                if (!pushed[i]) taken.Remove(reads[i]);
        }
        catch (Exception e) when (e is RedisException or TimeoutException)
        {
            logger.PushedNotKnown(reads.Length, e.Message);
        }
    }
}
