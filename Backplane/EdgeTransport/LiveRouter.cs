using System.Threading.Channels;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using StackExchange.Redis;
using WhatsAspire.Backplane.Sessions;
using WhatsAspire.Contracts;

namespace WhatsAspire.Backplane.EdgeTransport;

/// <summary>Brings live events to the connections that they are for: one pipelined look-up of the sessions for all
/// events that wait, then delivery here directly and to each other edge over its stream. Events of one conversation
/// keep their order. A live event is never the only place where something exists: one that is lost is found by the
/// activity check.</summary>
public sealed class LiveRouter : BackgroundService
{
    // Lanes overlap their round trips; a conversation always takes the same one.
    private const int Lanes = 4;
    private const int Batch = 256;
    private readonly Channel<LiveEvent>[] _lanes = new Channel<LiveEvent>[Lanes];
    private readonly SessionRegistry _sessions;
    private readonly EdgeLinks _links;
    private readonly ILocalDelivery _local;
    private readonly ILogger<LiveRouter> _logger;

    public LiveRouter(SessionRegistry sessions, EdgeLinks links, ILocalDelivery local,
        IOptions<BackplaneOptions> options, ILogger<LiveRouter> logger)
    {
        ArgumentNullException.ThrowIfNull(options);
        (_sessions, _links, _local, _logger) = (sessions, links, local, logger);
        for (var i = 0; i < Lanes; i++)
            _lanes[i] = Channel.CreateBounded<LiveEvent>(new BoundedChannelOptions(options.Value.RouterQueue) { SingleReader = true });
    }

    /// <summary>Takes an event; waits only while the lane is full.</summary>
    public ValueTask RouteAsync(LiveEvent live, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(live);
        var lane = (live.Conversation.GetHashCode() & int.MaxValue) % Lanes;
        return _lanes[lane].Writer.WriteAsync(live, cancellationToken);
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        Task.WhenAll(Array.ConvertAll(_lanes, lane => RunAsync(lane.Reader, stoppingToken)));

    private async Task RunAsync(ChannelReader<LiveEvent> lane, CancellationToken stopping)
    {
        var events = new List<LiveEvent>(Batch);
        var users = new List<UserId>(Batch);
        var index = new Dictionary<UserId, int>(Batch);
        while (await lane.WaitToReadAsync(stopping))
        {
            while (events.Count < Batch && lane.TryRead(out var live))
            {
                events.Add(live);
                foreach (var user in live.Users)
                    if (index.TryAdd(user, users.Count)) users.Add(user);
            }

            IReadOnlyList<Session>[]? found = null;
            try
            {
                found = await _sessions.FindAsync(users);
            }
            catch (Exception e) when (e is RedisException or TimeoutException)
            {
                _logger.LookUpFailed(events.Count, e);
            }

            foreach (var live in events) Dispatch(live, index, found);
            events.Clear();
            users.Clear();
            index.Clear();
        }
    }

    private void Dispatch(LiveEvent live, Dictionary<UserId, int> index, IReadOnlyList<Session>[]? found)
    {
        // Local connections are known without Redis; asking them also covers a registration that Redis lost.
        if (_local.EdgeId is not null)
            foreach (var user in live.Users) _local.Deliver(user, live);
        if (found is null) return;

        string? onlyEdge = null;
        Dictionary<string, List<UserId>>? byEdge = null;
        foreach (var user in live.Users)
            foreach (var session in found[index[user]])
            {
                var edge = session.EdgeId;
                if (edge == _local.EdgeId) continue;
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
            if (onlyEdge is not null) Send(onlyEdge, live, live.Users);
            return;
        }

        foreach (var (edge, users) in byEdge) Send(edge, live, users);
    }

    private void Send(string edge, LiveEvent live, IReadOnlyList<UserId> users)
    {
        if (_sessions.FindLease(edge) is { } lease) _links.Send(lease, live.ToDelivery(users));
    }
}
