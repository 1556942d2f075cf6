using WhatsAspire.Backplane.Queue;
using WhatsAspire.Contracts.Events;

namespace WhatsAspire.PushWorker;

/// <summary>Consumes the topic of pushes and those of the ones that have to be tried again; all workers are one group.</summary>
internal sealed class PushConsumer(IEventQueue queue, PushHandler handler, TimeProvider time) : BackgroundService
{
    /// <summary>Its offsets are kept under this name: never change it.</summary>
    private const string Group = "push";

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var subscriptions = new List<IQueueSubscription>();
        try
        {
            foreach (var topic in (IEnumerable<string>)[PushEvent.Topic, .. RetryTopics.All])
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
