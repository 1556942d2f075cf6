using Microsoft.Extensions.Options;
using WhatsAspire.Backplane.Activity;
using WhatsAspire.Backplane.EdgeTransport;
using WhatsAspire.Backplane.Push;
using WhatsAspire.Backplane.Sessions;
using WhatsAspire.ChatEdge.Routing;
using WhatsAspire.ServiceDefaults;

namespace WhatsAspire.ChatEdge.Connections;

/// <summary>What every connection uses: one object, so that a connection holds one reference.</summary>
internal sealed class ConnectionServices(
    MessageApiLink api, AckBatcher acks, GroupPositions groups, GapPatience gaps, LiveEvents live, PushOutbox push, SessionRegistry sessions, EdgeIdentity identity,
    ActivityMarks marks, AccessTokenValidator tokens, EdgeMetrics metrics, IOptions<EdgeOptions> options, TimeProvider time, ILogger<EdgeConnection> logger)
{
    public MessageApiLink Api => api;
    public AckBatcher Acks => acks;
    public GroupPositions Groups => groups;
    public GapPatience Gaps => gaps;
    public LiveEvents Live => live;
    public PushOutbox Push => push;
    public SessionRegistry Sessions => sessions;
    public EdgeIdentity Identity => identity;
    public ActivityMarks Marks => marks;
    public AccessTokenValidator Tokens => tokens;
    public EdgeMetrics Metrics => metrics;
    public EdgeOptions Options { get; } = options.Value;
    public TimeProvider Time => time;
    public ILogger Logger => logger;
}
