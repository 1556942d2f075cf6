using System.Diagnostics;
using System.Text.Json;
using WhatsAspire.Backplane.Queue;
using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Events;
using WhatsAspire.MessageApi.Storage;
using WhatsAspire.ServiceDefaults;

namespace WhatsAspire.MessageApi.Fanout;

/// <param name="Entry">As it is stored.</param>
/// <param name="Except">The connection that it was sent over; null where there is none.</param>
/// <param name="TraceParent">W3C traceparent, or null.</param>
internal readonly record struct FanoutEntry(LogEntry Entry, ConnectionId? Except, string? TraceParent);

/// <summary>Decides which way entries of a group take to its members, and puts those of large groups on the queue. Asked after
/// they are stored and before anybody is told so: an entry that is acknowledged is with the edge, or durable on the queue. In a
/// process without a queue all go directly.</summary>
internal sealed class GroupFanout(
    LiveOptions<FanoutOptions> options, FanoutMetrics metrics, TimeProvider time, ILogger<GroupFanout> logger, IEventQueue? queue = null)
{
    private static readonly TimeSpan LogPace = TimeSpan.FromSeconds(1);

    // Timestamps; 0: never.
    private long _failedAt;
    private long _loggedAt;

    /// <summary>Puts entries on the queue if the group is so large that they go that way.</summary>
    /// <param name="conversation">Theirs; any kind.</param>
    /// <param name="members">How many are in it.</param>
    /// <param name="entries">Ascending; repeated ones too, since nobody may have heard of them yet.</param>
    /// <returns>True: the queue has them all, and the FanoutWorker brings them to every device but the excepted. False: the caller
    /// delivers them himself; it may be that some come over the queue as well.</returns>
    public async ValueTask<bool> TryPublishAsync(ConversationShape conversation, int members, IReadOnlyList<FanoutEntry> entries)
    {
        if (conversation.Kind != ConversationKind.Group || entries.Count == 0) return false;
        var current = options.Current;
        if (queue is null || members <= current.Threshold)
        {
            metrics.Decided("direct", entries.Count);
            return false;
        }

        var published = !IsLeftInPeace(current) && await PublishAsync(conversation.Id, entries, current);
        metrics.Decided(published ? "queue" : "fallback", entries.Count);
        return published;
    }

    private async Task<bool> PublishAsync(ConversationId conversation, IReadOnlyList<FanoutEntry> entries, FanoutOptions current)
    {
        using var patience = new CancellationTokenSource(current.PublishTimeout, time);
        var publishes = new Task[entries.Count];
        try
        {
            // Called in their order and not waited for one by one: the queue keeps the order of the calls.
            for (var i = 0; i < publishes.Length; i++) publishes[i] = PublishAsync(conversation, entries[i], patience.Token);
            await Task.WhenAll(publishes);
            Volatile.Write(ref _failedAt, 0);
            return true;
        }
        catch (Exception e) when (e is QueueUnavailableException or OperationCanceledException or ObjectDisposedException)
        {
            Volatile.Write(ref _failedAt, time.GetTimestamp());
            LogNowAndThen(entries.Count, e is OperationCanceledException ? $"no answer in {current.PublishTimeout.TotalSeconds:0.###} s" : e.Message);
            return false;
        }
    }

    private Task<EventPosition> PublishAsync(ConversationId conversation, FanoutEntry one, CancellationToken cancellationToken)
    {
        // Each event belongs to the trace of its own message, not to that of the batch.
        var outer = Activity.Current;
        Activity.Current = null;
        try
        {
            using var activity = one.TraceParent is null
                ? null : ApiTelemetry.Source.StartActivity("fan out", ActivityKind.Internal, one.TraceParent);
            return queue!.PublishAsync(FanoutEvent.Topic, new()
            {
                Key = conversation.ToString(),
                Type = FanoutEvent.Type,
                Payload = JsonSerializer.SerializeToUtf8Bytes(
                    new FanoutEvent
                    {
                        ConversationId = conversation,
                        Seq = one.Entry.Seq,
                        SenderId = one.Entry.Sender,
                        Except = one.Except,
                        At = time.GetUtcNow(),
                    }, EventJson.Default.FanoutEvent),
            }, cancellationToken);
        }
        finally
        {
            Activity.Current = outer;
        }
    }

    private bool IsLeftInPeace(FanoutOptions current)
    {
        var failedAt = Volatile.Read(ref _failedAt);
        return failedAt != 0 && time.GetElapsedTime(failedAt) < current.PublishRetry;
    }

    private void LogNowAndThen(int entries, string reason)
    {
        var loggedAt = Volatile.Read(ref _loggedAt);
        if (loggedAt != 0 && time.GetElapsedTime(loggedAt) < LogPace) return;
        if (Interlocked.CompareExchange(ref _loggedAt, time.GetTimestamp(), loggedAt) == loggedAt)
            logger.FanoutFellBack(entries, reason);
    }
}
