using System.Diagnostics;
using System.Text.Json;
using Grpc.Core;
using Microsoft.Extensions.Options;
using StackExchange.Redis;
using WhatsAspire.Backplane.Activity;
using WhatsAspire.Backplane.EdgeTransport;
using WhatsAspire.Backplane.Push;
using WhatsAspire.Backplane.Queue;
using WhatsAspire.Backplane.Sessions;
using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Edge.V1;
using WhatsAspire.Contracts.Events;
using WhatsAspire.Contracts.Frames;
using WhatsAspire.Contracts.Messaging.V1;

namespace WhatsAspire.FanoutWorker;

/// <summary>Does the work of one event: reads the entry, and gives it to the edges of all who may see it. It is done when each edge
/// has confirmed, and for what one has not there is a retry on the queue; and when everybody who is connected nowhere is durably to
/// be pushed to. A crash anywhere repeats it, and connections pass over what they have.</summary>
internal sealed class FanoutHandler(
    GroupState groups, EdgeDelivery edges, SessionRegistry sessions, PushOutbox push, ActivityMarks marks, IEventQueue queue,
    DeliveryMetrics latency, FanoutWorkerMetrics metrics, IOptions<FanoutWorkerOptions> options, TimeProvider time, ILogger<FanoutHandler> logger)
{
    private static readonly TimeSpan FirstRetry = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LastRetry = TimeSpan.FromSeconds(1);

    /// <inheritdoc cref="QueueHandler"/>
    public async ValueTask<Handled> HandleAsync(ReceivedEvent received, CancellationToken cancellationToken)
    {
        if (received.Type != FanoutEvent.Type || Parse(received.Payload.Span) is not { } fanout)
        {
            metrics.Handled("unreadable");
            return Handled.Dead($"no {FanoutEvent.Type} that this version can read");
        }

        var isOver = time.GetUtcNow() - received.PublishedAt > options.Value.Patience;
        // Many may wait for one edge, and none of them needs to look anything up for that.
        if (fanout.Edge is { } awaited && !isOver && edges.Avoids(awaited)) return Later(received, null);
        try
        {
            // Read each time: what was deleted meanwhile is not shown.
            var entry = await groups.FindEntryAsync(fanout.ConversationId, fanout.Seq, cancellationToken);
            if (entry is null)
            {
                logger.EntryMissing(fanout.ConversationId, fanout.Seq);
                metrics.Handled("missing");
                return Handled.Done;
            }

            var progress = (FanoutProgress)(received.State ??= new FanoutProgress());
            var audience = fanout.To ?? await groups.FindAudienceAsync(entry, cancellationToken);
            return await DeliverAsync(received, fanout, entry, audience, progress, isOver, cancellationToken);
        }
        catch (Exception e) when (e is QueueUnavailableException or RpcException { StatusCode: not StatusCode.InvalidArgument })
        {
            return Later(received, e is RpcException rpc ? rpc.Status.Detail : e.Message);
        }
    }

    private async Task<Handled> DeliverAsync(
        ReceivedEvent received, FanoutEvent fanout, Entry entry, IReadOnlyList<UserId> audience, FanoutProgress progress,
        bool isOver, CancellationToken cancellationToken)
    {
        var path = fanout.To is null ? FanoutPath.Queue : FanoutPath.Retry;
        Dictionary<string, List<UserId>> failed;
        List<UserId> nowhere;
        try
        {
            (failed, nowhere) = await edges.DeliverAsync(ToLive(fanout, entry, received), audience, fanout.Edge, path, progress, cancellationToken);
        }
        catch (Exception e) when (e is RedisException or TimeoutException)
        {
            // When it is back each edge looks after all of its users by itself.
            if (!isOver) return Later(received, e.Message);
            await PushAsync(entry, audience, progress, cancellationToken);
            metrics.Handled("expired");
            return Handled.Done;
        }

        // Who is not found while edges still register anew what Redis forgot may be connected all the same.
        var doubtful = nowhere.Count > 0 && !sessions.IsWhole && !isOver;
        if (!doubtful) await PushAsync(entry, nowhere, progress, cancellationToken);
        if (failed.Count == 0 && !doubtful)
        {
            metrics.Handled("delivered");
            latency.Completed(
                path, time.GetUtcNow() - DateTimeOffset.FromUnixTimeMilliseconds(entry.CreatedAtMs), fanout.Members ?? audience.Count);
            return Handled.Done;
        }

        if (fanout.To is not null) return isOver ? Expire(fanout, failed) : Later(received, null);

        // The rest by itself: nobody else waits for an edge that hangs.
        foreach (var (edge, users) in failed) await RetryAsync(fanout, edge, users, audience.Count, cancellationToken);
        if (doubtful) await RetryAsync(fanout, null, nowhere, audience.Count, cancellationToken);
        metrics.Handled("partial");
        return Handled.Done;
    }

    private static LiveEvent ToLive(FanoutEvent fanout, Entry entry, ReceivedEvent received) => new()
    {
        Users = [],
        Kind = DeliveryKind.Message,
        Frame = FrameWriter.Message(entry, entry.Text.Span),
        Conversation = fanout.ConversationId,
        Seq = fanout.Seq,
        Except = fanout.Except,
        // No mark was raised for each of its 500 members: the queue loses nothing.
        Uncounted = true,
        TraceParent = received.Headers.ContainsKey(EventHeaders.TraceParent) ? Activity.Current?.Id : null,
    };

    private async Task PushAsync(Entry entry, IReadOnlyList<UserId> users, FanoutProgress progress, CancellationToken cancellationToken)
    {
        if (entry.Kind != EntryKind.Text || entry.Deleted) return;
        var sender = entry.SenderId.ToUserId();
        var untold = users.Where(user => user != sender && !progress.Pushed.Contains(user)).ToArray();
        if (untold.Length == 0) return;
        await push.AddMessageDurablyAsync(untold, entry.ConversationId.ToConversationId(), entry.Seq, cancellationToken);
        progress.Pushed.UnionWith(untold);
    }

    private async Task RetryAsync(
        FanoutEvent fanout, string? edge, List<UserId> users, int members, CancellationToken cancellationToken)
    {
        var rest = fanout with { To = users, Edge = edge, Members = members, At = time.GetUtcNow() };
        await queue.PublishAsync(FanoutEvent.RetryTopic, new()
        {
            Key = $"{fanout.ConversationId}/{edge}",
            Type = FanoutEvent.Type,
            Payload = JsonSerializer.SerializeToUtf8Bytes(rest, EventJson.Default.FanoutEvent),
        }, cancellationToken);
    }

    /// <summary>A mark that is raised and not counted as received is what an edge's activity check looks for.</summary>
    private Handled Expire(FanoutEvent fanout, Dictionary<string, List<UserId>> failed)
    {
        var users = failed.Values.SelectMany(users => users).ToHashSet();
        foreach (var user in users) marks.Add(user);
        logger.FanoutExpired(users.Count, fanout.ConversationId, fanout.Seq);
        metrics.Handled("expired");
        return Handled.Done;
    }

    private Handled Later(ReceivedEvent received, string? reason)
    {
        if (reason is not null) logger.FanoutWaits(reason);
        metrics.Handled("retried");
        var wait = FirstRetry * Math.Pow(2, Math.Min(received.Attempt - 1, 10));
        return Handled.RetryLater(wait < LastRetry ? wait : LastRetry);
    }

    private static FanoutEvent? Parse(ReadOnlySpan<byte> payload)
    {
        try
        {
            return JsonSerializer.Deserialize(payload, EventJson.Default.FanoutEvent);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
