using System.Text.Json;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using WhatsAspire.Backplane.EdgeTransport;
using WhatsAspire.Backplane.Queue;
using WhatsAspire.Contracts.Edge.V1;
using WhatsAspire.Contracts.Events;

namespace WhatsAspire.Backplane.Redelivery;

/// <summary>Takes live deliveries that failed and puts them on the queue, one event for what failed of a conversation in the
/// meantime. Bounded: what comes on top is counted and dropped, and found by the activity check. While deliveries succeed
/// nothing happens here. In a process without a queue failures are only counted.</summary>
public sealed class RedeliveryOutbox(
    RedeliveryMetrics metrics, IOptions<BackplaneOptions> options, TimeProvider time, ILogger<RedeliveryOutbox> logger,
    IEventQueue? queue = null) : BackgroundService
{
    private const int Together = 64;

    // What fails together mostly concerns the same conversations.
    private static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan Retry = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan LastMoment = TimeSpan.FromSeconds(2);

    private readonly Lock _gate = new();
    private readonly SemaphoreSlim _signal = new(0, 1);
    private Dictionary<string, Undelivered> _waiting = new(StringComparer.Ordinal);

    /// <summary>Takes an event that did not reach all of its users, without waiting.</summary>
    /// <param name="live">What was to be delivered.</param>
    /// <param name="reason">For the metric: a word of the code.</param>
    /// <param name="served">The edge whose own connections have had it; null where there is none.</param>
    public void Failed(LiveEvent live, string reason, string? served)
    {
        ArgumentNullException.ThrowIfNull(live);
        metrics.Failed(reason);
        if (queue is null)
        {
            metrics.Dropped(1, "no_queue");
            return;
        }

        if (!Undelivered.CanBe(live))
        {
            metrics.Dropped(1, "kind");
            return;
        }

        var key = live.Kind == DeliveryKind.LoggedOut ? live.Users[0].ToString() : live.Conversation.ToString();
        lock (_gate)
        {
            if (!_waiting.TryGetValue(key, out var undelivered))
            {
                if (_waiting.Count >= options.Value.RedeliveryBacklog)
                {
                    metrics.Dropped(1, "full");
                    return;
                }

                _waiting[key] = undelivered = new();
            }

            metrics.Dropped(undelivered.Add(live, served), "many");
            if (_signal.CurrentCount == 0) _signal.Release();
        }
    }

    /// <summary>Takes a delivery to another edge that failed.</summary>
    internal void Failed(Delivery delivery, string reason, string? served) => Failed(LiveEvent.From(delivery), reason, served);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (queue is null) return;
        try
        {
            while (true)
            {
                await _signal.WaitAsync(stoppingToken);
                await Task.Delay(Pace, time, stoppingToken);
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

    /// <returns>False when something has to wait.</returns>
    private async Task<bool> PublishAsync(CancellationToken cancellationToken)
    {
        Dictionary<string, Undelivered> taken;
        lock (_gate) (taken, _waiting) = (_waiting, new(StringComparer.Ordinal));
        var failed = 0;
        QueueUnavailableException? error = null;
        foreach (var chunk in taken.Chunk(Together))
        {
            await Task.WhenAll(chunk.Select(async one =>
            {
                try
                {
                    if (error is not null || cancellationToken.IsCancellationRequested) throw error ?? new QueueUnavailableException("the process ends");
                    await queue!.PublishAsync(RedeliveryEvent.Topic, new()
                    {
                        Key = one.Key,
                        Type = RedeliveryEvent.Type,
                        Payload = JsonSerializer.SerializeToUtf8Bytes(one.Value.ToEvent(), EventJson.Default.RedeliveryEvent),
                    }, cancellationToken);
                    metrics.Published();
                }
                catch (Exception e) when (e is QueueUnavailableException or OperationCanceledException or ObjectDisposedException)
                {
                    error ??= e as QueueUnavailableException ?? new QueueUnavailableException(e.Message, e);
                    Interlocked.Increment(ref failed);
                    PutBack(one.Key, one.Value);
                }
                catch (Exception e)
                {
                    // It would fail again for ever.
                    logger.RedeliveryRefused(e);
                    metrics.Dropped(1, "refused");
                }
            }));
        }

        if (failed > 0) logger.RedeliveryDelayed(failed, error!.Message);
        return failed == 0;
    }

    private void PutBack(string key, Undelivered earlier)
    {
        lock (_gate)
        {
            if (_waiting.TryGetValue(key, out var undelivered)) undelivered.Merge(earlier);
            else if (_waiting.Count < options.Value.RedeliveryBacklog) _waiting[key] = earlier;
            else metrics.Dropped(1, "full");
            if (_signal.CurrentCount == 0) _signal.Release();
        }
    }

    public override void Dispose()
    {
        _signal.Dispose();
        base.Dispose();
    }
}
