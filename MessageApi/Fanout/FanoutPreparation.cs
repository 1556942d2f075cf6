using WhatsAspire.Backplane.Queue;
using WhatsAspire.Contracts.Events;

namespace WhatsAspire.MessageApi.Fanout;

/// <summary>Gets the queue ready as the process starts: the first message of a large group would find it slower than it waits for
/// it, and go directly.</summary>
internal sealed class FanoutPreparation(TimeProvider time, ILogger<FanoutPreparation> logger, IEventQueue? queue = null) : BackgroundService
{
    private static readonly TimeSpan Retry = TimeSpan.FromSeconds(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (queue is null) return;
        try
        {
            while (!await TryAsync(queue, stoppingToken)) await Task.Delay(Retry, time, stoppingToken);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The process ends.
        }
    }

    private async Task<bool> TryAsync(IEventQueue queue, CancellationToken stopping)
    {
        try
        {
            await queue.PrepareAsync(FanoutEvent.Topic, stopping);
            return true;
        }
        catch (QueueUnavailableException e)
        {
            logger.FanoutNotReady(e.Message);
            return false;
        }
        catch (ObjectDisposedException)
        {
            return true;
        }
    }
}
