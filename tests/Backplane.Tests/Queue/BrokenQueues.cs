using WhatsAspire.Backplane.Queue;
using WhatsAspire.Backplane.Queue.Sqlite;

namespace WhatsAspire.Backplane.Tests.Queue;

/// <summary>A correct queue, for others to break.</summary>
internal class SoundQueue : IEventQueue, IAsyncDisposable
{
    public SqliteEventQueue Inner { get; set; } = null!;

    public IDeadLetters DeadLetters => Inner.DeadLetters;

    public virtual Task<EventPosition> PublishAsync(string topic, QueueEvent message, CancellationToken cancellationToken) =>
        Inner.PublishAsync(topic, message, cancellationToken);

    public Task PrepareAsync(string topic, CancellationToken cancellationToken) => Inner.PrepareAsync(topic, cancellationToken);

    public virtual Task<IQueueSubscription> SubscribeAsync(
        string topic, string group, QueueHandler handler, CancellationToken cancellationToken) =>
        Inner.SubscribeAsync(topic, group, handler, cancellationToken);

    public virtual Task CrashAsync() => Inner.CrashAsync();

    public ValueTask DisposeAsync() => Inner.DisposeAsync();
}

/// <summary>Acknowledges every seventh event and does not store it.</summary>
internal sealed class DropsEvents : SoundQueue
{
    private int _calls;

    public override Task<EventPosition> PublishAsync(string topic, QueueEvent message, CancellationToken cancellationToken) =>
        Interlocked.Increment(ref _calls) % 7 == 0
            ? Task.FromResult(new EventPosition(0, 0)) : base.PublishAsync(topic, message, cancellationToken);
}

/// <summary>Lets an event be overtaken by those that are published while it waits.</summary>
internal sealed class ReordersEvents : SoundQueue
{
    private int _calls;
    private TaskCompletionSource _overtaken = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public override async Task<EventPosition> PublishAsync(string topic, QueueEvent message, CancellationToken cancellationToken)
    {
        // Where no other call comes it must go on at last.
        if (Interlocked.Increment(ref _calls) % 3 == 0)
            await Task.WhenAny(_overtaken.Task, Task.Delay(TimeSpan.FromMilliseconds(20), cancellationToken));
        var stored = base.PublishAsync(topic, message, cancellationToken);
        Interlocked.Exchange(ref _overtaken, new(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();
        return await stored;
    }
}

/// <summary>Takes an event for done when its handler has begun.</summary>
internal sealed class CommitsEarly : SoundQueue
{
    public override Task<IQueueSubscription> SubscribeAsync(
        string topic, string group, QueueHandler handler, CancellationToken cancellationToken) =>
        base.SubscribeAsync(topic, group, (received, cancel) =>
        {
            _ = handler(received, cancel).AsTask();
            return new(Handled.Done);
        }, cancellationToken);

    // As if the death came when the commit had been made.
    public override Task CrashAsync() => Inner.DisposeAsync().AsTask();
}

/// <summary>Acknowledges an event before it is stored: the last one is lost with the process.</summary>
internal sealed class AcknowledgesEarly : SoundQueue
{
    private (string Topic, QueueEvent Message)? _last;

    public override Task<EventPosition> PublishAsync(string topic, QueueEvent message, CancellationToken cancellationToken)
    {
        (string Topic, QueueEvent Message)? before;
        lock (this) (before, _last) = (_last, (topic, message));
        return before is null ? Task.FromResult(new EventPosition(0, 0)) : base.PublishAsync(before.Value.Topic, before.Value.Message, cancellationToken);
    }
}

/// <summary>Never comes back to what has failed.</summary>
internal sealed class ForgetsFailures : SoundQueue
{
    public override Task<IQueueSubscription> SubscribeAsync(
        string topic, string group, QueueHandler handler, CancellationToken cancellationToken) =>
        base.SubscribeAsync(topic, group, async (received, cancel) =>
        {
            try
            {
                await handler(received, cancel);
            }
            catch (Exception e) when (e is InvalidOperationException or TimeoutException)
            {
                // Whatever it was.
            }

            return Handled.Done;
        }, cancellationToken);
}

/// <summary>Gives every subscription everything, as if there were no groups.</summary>
internal sealed class KnowsNoGroups : SoundQueue
{
    public override Task<IQueueSubscription> SubscribeAsync(
        string topic, string group, QueueHandler handler, CancellationToken cancellationToken) =>
        base.SubscribeAsync(topic, group + Guid.NewGuid().ToString("N"), handler, cancellationToken);
}
