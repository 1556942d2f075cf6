using System.Threading.Channels;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using WhatsAspire.Backplane.Push;
using WhatsAspire.Backplane.Redelivery;
using WhatsAspire.Backplane.Sessions;
using WhatsAspire.Contracts;

namespace WhatsAspire.Backplane.EdgeTransport;

/// <summary>Brings live events to the connections that they are for: one pipelined look-up of the sessions for all
/// events that wait, then delivery here directly and to each other edge over its stream. Events of one conversation
/// keep their order. What can't be delivered is redelivered over the queue; who is connected
/// nowhere is pushed to. A live event is never the only place where
/// something exists: one that is lost all the same is found by the activity check.</summary>
public sealed class LiveRouter(
    LiveEvents events, SessionRegistry sessions, EdgeLinks links, ILocalDelivery local, RedeliveryOutbox redelivery, PushOutbox push,
    DeliveryMetrics metrics, TimeProvider time, ILogger<LiveRouter> logger) : BackgroundService
{
    private const int Batch = 256;

    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        Task.WhenAll(events.Lanes.Select(lane => RunAsync(lane, stoppingToken)));

    private async Task RunAsync(ChannelReader<LiveEvent> lane, CancellationToken stopping)
    {
        var batch = new List<LiveEvent>(Batch);
        var users = new List<UserId>(Batch);
        var index = new Dictionary<UserId, int>(Batch);
        var here = new HashSet<UserId>();
        while (await lane.WaitToReadAsync(stopping))
        {
            while (batch.Count < Batch && lane.TryRead(out var live))
            {
                batch.Add(live);
                foreach (var user in live.Users)
                    if (index.TryAdd(user, users.Count)) users.Add(user);
            }

            string? served = null;
            try
            {
                // Local connections are known without Redis, and need not wait for it.
                if (local.EdgeId is not null)
                    foreach (var live in batch)
                        foreach (var user in live.Users)
                            if (local.Deliver(user, live)) here.Add(user);
                served = local.EdgeId;
                var found = await sessions.FindAsync(users);
                foreach (var live in batch)
                {
                    Dispatch(live, index, found, here);
                    Push(live, index, found, here);
                }
            }
            catch (Exception e)
            {
                // Whatever it was: a lane that ended would take all later events of its conversations with it, and tell nobody.
                logger.LookUpFailed(batch.Count, e);
                foreach (var live in batch) redelivery.Failed(live, "look_up", served);
            }

            batch.Clear();
            users.Clear();
            index.Clear();
            here.Clear();
        }
    }

    private void Dispatch(LiveEvent live, Dictionary<UserId, int> index, IReadOnlyList<Session>[] found, HashSet<UserId> here)
    {
        var fanout = live.Group is { } group ? new DirectFanout(metrics, group, time) : null;
        var edges = Dispatch(live, index, found, fanout);
        if (fanout is null) return;
        fanout.Here(live.Users.Count(here.Contains));
        fanout.Told(edges);
    }

    /// <returns>To how many edges.</returns>
    private int Dispatch(LiveEvent live, Dictionary<UserId, int> index, IReadOnlyList<Session>[] found, DirectFanout? fanout)
    {
        string? onlyEdge = null;
        Dictionary<string, List<UserId>>? byEdge = null;
        foreach (var user in live.Users)
            foreach (var session in found[index[user]])
            {
                var edge = session.EdgeId;
                if (edge == local.EdgeId) continue;
                if (byEdge is null && (onlyEdge is null || onlyEdge == edge) && live.Users.Count == 1)
                {
                    onlyEdge = edge;
                    continue;
                }

                byEdge ??= new(StringComparer.Ordinal);
                if (onlyEdge is not null && !byEdge.ContainsKey(onlyEdge)) byEdge[onlyEdge] = [user];
                if (!byEdge.TryGetValue(edge, out var users)) byEdge[edge] = users = [];
                if (users.Count == 0 || users[^1] != user) users.Add(user);
            }

        if (byEdge is null)
        {
            if (onlyEdge is null) return 0;
            Send(onlyEdge, live, live.Users, fanout);
            return 1;
        }

        foreach (var (edge, users) in byEdge) Send(edge, live, users, fanout);
        return byEdge.Count;
    }

    /// <summary>Who is connected nowhere may have to be pushed to; so may one whose only sessions were here, and have ended since
    /// they were looked up.</summary>
    private void Push(LiveEvent live, Dictionary<UserId, int> index, IReadOnlyList<Session>[] found, HashSet<UserId> here)
    {
        if (live.PushesFrom is not { } sender) return;
        foreach (var user in live.Users)
            if (user != sender && !here.Contains(user) && !IsElsewhere(found[index[user]])) push.AddMessage(user, live.Conversation, live.Seq, live.TraceParent);
    }

    private bool IsElsewhere(IReadOnlyList<Session> sessions)
    {
        foreach (var session in sessions)
            if (session.EdgeId != local.EdgeId) return true;
        return false;
    }

    private void Send(string edge, LiveEvent live, IReadOnlyList<UserId> users, DirectFanout? fanout)
    {
        if (sessions.FindLease(edge) is not { } lease) return;
        fanout?.Tell();
        links.Send(lease, live.ToDelivery(users), fanout);
    }
}
