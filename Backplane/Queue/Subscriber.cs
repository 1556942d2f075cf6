using Microsoft.Extensions.Logging;

namespace WhatsAspire.Backplane.Queue;

/// <summary>What the workers of one subscription share.</summary>
internal sealed class Subscriber(EventQueue queue, string topic, string group, QueueHandler handler)
{
    public string Topic => topic;

    public string Group => group;

    public QueueHandler Handler => handler;

    /// <summary>The value of <c>messaging.system</c>.</summary>
    public string Engine => queue.Engine;

    public QueueOptions Options => queue.Options;

    public QueueMetrics Metrics => queue.Metrics;

    public TimeProvider Time => queue.Time;

    public ILogger Logger => queue.Logger;

    /// <summary>A place for each handler call that may be under way.</summary>
    public SemaphoreSlim Concurrency { get; } = new(queue.Options.Concurrency);

    public Task BuryAsync(ReceivedEvent dead, string reason, CancellationToken cancellationToken) =>
        DeadLetterTopics.BuryAsync(queue, dead, group, reason, cancellationToken);

    public void Describe(System.Diagnostics.Activity activity)
    {
        queue.Describe(activity, topic, "process", "process");
        activity.SetTag(BackplaneTelemetry.ConsumerGroup, group);
    }
}
