namespace WhatsAspire.Backplane.Queue;

/// <summary>A durable queue of events in topics, for work that must be done once the caller is gone: redelivery, fan-out
/// to large groups, push.
///
/// <para><b>Partitions and order.</b> A topic has a fixed number of partitions; an event goes to the one that its key
/// names, always the same. Events of one key are stored in the order in which their publishes were called, and handed to
/// a group's handlers in that order, one at a time. Between keys there is no order. A repeated event (below) may come
/// after later ones of its key: handlers that care compare what the event says with what they know.</para>
/// <para><b>Durability.</b> When <see cref="PublishAsync"/> completes, the event survives the death of every process:
/// on Kafka every in-sync replica has it, in the embedded log it is synced to disk. When it fails the outcome is unknown:
/// publishing again is right, and may store the event twice. Nothing else tells whether it was stored.</para>
/// <para><b>At least once.</b> Each group gets every event that was stored since the group first subscribed; a group that
/// subscribes for the first time also gets what is still kept from before. An event counts as done for a group when its
/// handler has said so, or when it lies in the dead-letter topic; only then may its offset be committed. After a crash,
/// a lost partition or a failed commit, events that were done but not yet committed come again: handlers are
/// idempotent.</para>
/// <para><b>Groups.</b> Subscriptions with one group's name share the topic's partitions, over all processes; each
/// partition is with at most one of them. When one joins or leaves, partitions move: the old owner ends the handler call
/// that is under way, or cancels it after <see cref="QueueOptions.StopGrace"/>, commits what is done, and only then hands
/// over. An owner that was frozen or cut off for longer than its lease is replaced without being asked; what it does
/// afterwards can't be committed any more. For the rest of one handler call there may then be two at work on one
/// key.</para>
/// <para><b>Failures.</b> An exception of a handler, its timeout among them, is retried after a growing, jittered wait, up
/// to <see cref="QueueOptions.MaxAttempts"/> calls; then the event goes to the topic <c>{topic}.dead</c>. While one waits,
/// later events of its key wait behind it and other keys go on. Attempts are counted in memory: a new owner begins
/// at one.</para>
/// <para><b>Limits.</b> Topics and groups: 1 to 200 of the letters, digits, <c>.</c>, <c>-</c> and <c>_</c>, a topic not
/// ending in <c>.dead</c>. Key: 1 to 256 UTF-16 units. Type: 1 to 128. Payload: at most
/// <see cref="QueueOptions.MaxPayloadBytes"/>. Headers: at most 32, 8 KiB in all. Whatever exceeds them is an
/// <see cref="ArgumentException"/>, and nothing took effect.</para>
/// <para><b>Errors.</b> <see cref="QueueUnavailableException"/> while the queue can't be reached or written to;
/// <see cref="ObjectDisposedException"/> after it was closed.</para>
/// <para>All methods may be called at any time from any thread.</para></summary>
public interface IEventQueue
{
    /// <summary>Stores an event; completes when it is durable. Many may be under way; when
    /// <see cref="QueueOptions.PublishQueue"/> are, further calls wait for a place, in their order. The current trace
    /// travels with the event.</summary>
    /// <param name="topic">Made if it does not exist.</param>
    /// <param name="message">Its payload is not copied: leave it unchanged until the task has ended.</param>
    /// <param name="cancellationToken">Stops waiting; an event that has its place is stored all the same.</param>
    /// <returns>Where it lies.</returns>
    Task<EventPosition> PublishAsync(string topic, QueueEvent message, CancellationToken cancellationToken);

    /// <summary>Gets ready for publishing: makes the topic if it does not exist, and connects, so that the first event need not wait
    /// for that. Nothing depends on it.</summary>
    /// <param name="topic">Which.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    /// <exception cref="QueueUnavailableException">The queue is out of reach.</exception>
    Task PrepareAsync(string topic, CancellationToken cancellationToken);

    /// <summary>Handles the topic's events for a group from now on, on several partitions at once and one event after the
    /// other on each. A queue that is out of reach for a while, now or later, only delays it.</summary>
    /// <param name="topic">Made if it does not exist.</param>
    /// <param name="group">Whose offsets it goes on from.</param>
    /// <param name="handler">Called for each event; see <see cref="QueueHandler"/>.</param>
    /// <param name="cancellationToken">Ends the subscribing, not the subscription.</param>
    /// <returns>The subscription. Disposing it ends the calls under way as in a rebalance, commits, and leaves the
    /// group.</returns>
    Task<IQueueSubscription> SubscribeAsync(string topic, string group, QueueHandler handler, CancellationToken cancellationToken);

    /// <summary>The events that could not be handled.</summary>
    IDeadLetters DeadLetters { get; }
}

/// <summary>Does an event's work. It must be idempotent, and should obey the token, which is cancelled after
/// <see cref="QueueOptions.HandlerTimeout"/>, and when the partition goes elsewhere or the process ends.</summary>
/// <returns>What became of it; an exception means 'failed, try again'.</returns>
public delegate ValueTask<Handled> QueueHandler(ReceivedEvent received, CancellationToken cancellationToken);

/// <summary>One handler's part in a group.</summary>
public interface IQueueSubscription : IAsyncDisposable
{
    string Topic { get; }

    string Group { get; }

    /// <summary>The partitions that are with this subscription at the moment, ascending.</summary>
    IReadOnlyList<int> Partitions { get; }
}

/// <summary>An event to be published.</summary>
public sealed record QueueEvent
{
    /// <summary>What keeps its events in order: a conversation's or a user's id.</summary>
    public required string Key { get; init; }

    /// <summary>What the payload is: a constant written out in the code, never a class name.</summary>
    public required string Type { get; init; }

    public ReadOnlyMemory<byte> Payload { get; init; }

    /// <summary>Names of lower-case letters, digits and dashes; <see cref="EventHeaders"/> lists those that the queue
    /// keeps for itself.</summary>
    public IReadOnlyDictionary<string, string> Headers { get; init; } = EventHeaders.None;
}

/// <summary>Where an event lies. Offsets of a partition rise, and may have gaps.</summary>
public readonly record struct EventPosition(int Partition, long Offset);

/// <summary>An event as a handler gets it.</summary>
public sealed class ReceivedEvent
{
    public required string Topic { get; init; }
    public required EventPosition Position { get; init; }
    public required string Key { get; init; }
    public required string Type { get; init; }
    public required ReadOnlyMemory<byte> Payload { get; init; }

    /// <summary>The publisher's, and what the queue added: trace context and, of a replayed one, where it came from.</summary>
    public required IReadOnlyDictionary<string, string> Headers { get; init; }

    /// <summary>By the publisher's clock, to the millisecond.</summary>
    public required DateTimeOffset PublishedAt { get; init; }

    /// <summary>How often a handler of this owner was called for it, this call included; 1 or more.</summary>
    public int Attempt { get; internal set; }

    /// <summary>What the handler leaves for its next attempt. Lost when the partition moves.</summary>
    public object? State { get; set; }
}

/// <summary>What a handler made of an event.</summary>
public readonly record struct Handled
{
    /// <summary>The work is done.</summary>
    public static Handled Done => default;

    /// <summary>It can't be done yet: call again after <paramref name="wait"/>, which does not count as a failure. Later
    /// events of the key wait behind it; other keys go on. Asking for ever is the handler's own affair: it sees
    /// <see cref="ReceivedEvent.PublishedAt"/> and <see cref="ReceivedEvent.Attempt"/>.</summary>
    /// <param name="wait">1 ms to 1 h; jitter is added.</param>
    public static Handled RetryLater(TimeSpan wait)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(wait, TimeSpan.FromMilliseconds(1));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(wait, TimeSpan.FromHours(1));
        return new() { Wait = wait };
    }

    /// <summary>It can never be done: to the dead letters at once.</summary>
    /// <param name="reason">For the person who looks at it; cut at 1,000 characters.</param>
    public static Handled Dead(string reason)
    {
        ArgumentException.ThrowIfNullOrEmpty(reason);
        return new() { Reason = reason };
    }

    internal TimeSpan? Wait { get; private init; }

    internal string? Reason { get; private init; }
}

/// <summary>The queue can't be reached or written to. What was under way may have taken effect or not.</summary>
public sealed class QueueUnavailableException(string message, Exception? cause = null) : Exception(message, cause);
