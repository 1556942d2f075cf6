using WhatsAspire.Backplane.Queue;
using WhatsAspire.Contracts.Events;

namespace WhatsAspire.FanoutWorker;

/// <summary>Consumes the topic of entries and that of the ones that some members lack; all workers are one group.</summary>
internal sealed class FanoutConsumer(IEventQueue queue, FanoutHandler handler, TimeProvider time) : BackgroundService
{
    /// <summary>Its offsets are kept under this name: never change it.</summary>
    private const string Group = "fanout";

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var subscriptions = new List<IQueueSubscription>();
        try
        {
            foreach (var topic in (IEnumerable<string>)[FanoutEvent.Topic, FanoutEvent.RetryTopic])
                subscriptions.Add(await queue.SubscribeAsync(topic, Group, handler.HandleAsync, stoppingToken));
            await Task.Delay(Timeout.InfiniteTimeSpan, time, stoppingToken);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The process ends; what is not done others do.
        }
        finally
        {
            await Task.WhenAll(subscriptions.Select(subscription => subscription.DisposeAsync().AsTask()));
        }
    }
}
