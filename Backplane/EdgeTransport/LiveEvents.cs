using System.Threading.Channels;
using Microsoft.Extensions.Options;
using WhatsAspire.Backplane.Push;
using WhatsAspire.Backplane.Redelivery;
using WhatsAspire.Contracts;

namespace WhatsAspire.Backplane.EdgeTransport;

/// <summary>The live events that wait for the <see cref="LiveRouter"/>.</summary>
public sealed class LiveEvents
{
    // Lanes overlap their round trips; a conversation always takes the same one, which keeps its order.
    private readonly Channel<LiveEvent>[] _lanes = new Channel<LiveEvent>[4];

    private readonly RedeliveryOutbox _redelivery;

    private readonly PushOutbox _push;

    public LiveEvents(IOptions<BackplaneOptions> options, RedeliveryOutbox redelivery, PushOutbox push)
    {
        ArgumentNullException.ThrowIfNull(options);
        (_redelivery, _push) = (redelivery, push);
        for (var i = 0; i < _lanes.Length; i++)
            _lanes[i] = Channel.CreateBounded<LiveEvent>(new BoundedChannelOptions(options.Value.RouterQueue) { SingleReader = true });
    }

    internal IEnumerable<ChannelReader<LiveEvent>> Lanes => _lanes.Select(lane => lane.Reader);

    /// <summary>Takes an event, without waiting.</summary>
    /// <returns>False when the lane is full: then the event is redelivered over the queue.</returns>
    public bool TryRoute(LiveEvent live)
    {
        ArgumentNullException.ThrowIfNull(live);
        var lane = (live.Conversation.GetHashCode() & int.MaxValue) % _lanes.Length;
        if (_lanes[lane].Writer.TryWrite(live)) return true;
        _redelivery.Failed(live, "router_full", served: null);
        return false;
    }

    /// <summary>A user read up to here: what his other devices were pushed of it goes. Does not wait.</summary>
    public void Read(UserId user, ConversationId conversation, long seq) => _push.AddRead(user, conversation, seq);
}
