using System.IO.Pipelines;
using WhatsAspire.Backplane.EdgeTransport;
using WhatsAspire.ChatEdge.Routing;
using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Edge.V1;
using WhatsAspire.Contracts.Frames;
using WhatsAspire.ServiceDefaults;

namespace WhatsAspire.ChatEdge.Connections;

/// <summary>One client connection from the handshake to the end.</summary>
internal sealed partial class EdgeConnection : IWebSocketReceiver, IPositionSource
{
    private readonly ConnectionServices _services;
    private readonly EdgeConnections _owner;
    private readonly WebSocketChannel _channel;
    private readonly Lock _gate = new();
    private string? _token;
    private AccessIdentity? _identity;
    private ConversationOrder? _order;
    private EarlyMessages? _early;
    private TaskCompletionSource? _windowOpens;
    private readonly long _opened;
    private long _alive;
    private int _sending;
    private bool _catchingUp;
    private bool _ended;

    public EdgeConnection(ConnectionServices services, EdgeConnections owner, IDuplexPipe pipes, Action abort, string? token)
    {
        (_services, _owner, _token) = (services, owner, token);
        _channel = new(pipes, abort, services.Options.QueueBytes);
        _opened = _alive = services.Time.GetTimestamp();
        Id = ConnectionId.New(services.Time);
    }

    public ConnectionId Id { get; }

    public CloseCode ClosedWith => _channel.ClosedWith;

    private bool IsReady => _identity is not null;

    public Task RunAsync() => _channel.RunAsync(this);

    public void Close(CloseCode code, string reason) => _channel.Close(code, reason);

    public void Abort() => _channel.Abort();

    public void OnAlive() => _alive = _services.Time.GetTimestamp();

    /// <summary>Closes the connection when it has been silent, or without a hello, for too long; ends one that does
    /// not answer the close.</summary>
    public void CheckAlive(long now)
    {
        var silent = _services.Time.GetElapsedTime(_alive, now);
        if (ClosedWith != CloseCode.None)
        {
            if (silent > Limits.Hello) _channel.Abort();
        }
        else if (!IsReady && _services.Time.GetElapsedTime(_opened, now) > Limits.Hello)
        {
            Close(CloseCode.Silent, "no hello came within 10 s");
        }
        else if (silent > Limits.Silence)
        {
            Close(CloseCode.Silent, "silent for 30 s; ping at least every 25 s");
        }
    }

    public ValueTask OnTextAsync(ReadOnlySpan<byte> text)
    {
        var frame = ClientFrame.Parse(text);
        if (frame.Fault is { } fault) return Refuse(fault, frame.ErrorRef);
        if (!IsReady && frame.Type is not ("hello" or "ping"))
            return Refuse(new(ErrorCode.Unauthenticated, "the first frame must be 'hello'"), frame.ErrorRef);
        switch (frame.Type)
        {
            case "send":
                return Send(frame);
            case "ack":
                return Ack(frame);
            case "read":
                return Read(frame);
            case "pull":
                return Pull(frame);
            case "ping":
                return Pong(frame.Ref);
            case "hello" when IsReady:
                return Refuse(Error.Invalid("hello was said already"), frame.ErrorRef);
            case "hello":
                return new(HelloAsync(frame));
            default:
                return Refuse(new(ErrorCode.UnknownType, $"no frame of type '{frame.Type}'; there are hello, send, ack, read, pull, ping"), frame.ErrorRef);
        }
    }

    /// <summary>Hands over a live event, or remembers that it is owed. Never blocks.</summary>
    public void Deliver(LiveEvent live)
    {
        switch (live.Kind)
        {
            case DeliveryKind.Message:
                DeliverMessage(live);
                break;
            case DeliveryKind.Replaced when live.CloseConnection == Id:
                Close(CloseCode.Replaced, "the same device connected again");
                break;
            case DeliveryKind.LoggedOut when live.CloseDevice == _identity?.Device:
                Close(CloseCode.LoggedOut, "the device was logged out");
                break;
            case DeliveryKind.Receipt:
                DeliverReceipt(live);
                break;
            case DeliveryKind.Conversation when !_channel.TrySend(live.Frame):
                lock (_gate) Order.MissedOther();
                FellBehind();
                break;
        }
    }

    /// <summary>Sends a frame about something that the connection did without asking for an answer; one that reads too
    /// slowly does not get it.</summary>
    public void Tell(ReadOnlyMemory<byte> frame) => _channel.TrySend(frame);

    /// <summary>Ends the session. Called once, when the connection is over.</summary>
    public async Task LeaveAsync()
    {
        lock (_gate) _ended = true;
        if (_identity is not { } identity) return;
        _owner.Leave(this, identity.User);
        try
        {
            await _services.Sessions.RemoveAsync(identity.User, Id);
        }
        catch (Exception e) when (e is StackExchange.Redis.RedisException or TimeoutException)
        {
            // It is removed when someone sees that the lease is gone, or found dead at the next delivery.
            _services.Logger.SessionNotRemoved(e);
        }

        PushUnacked(identity.User);
    }

    /// <summary>Registers the session again, after Redis forgot it.</summary>
    public async Task RegisterAgainAsync()
    {
        if (_identity is { } identity && !_ended)
            await _services.Sessions.AddAsync(identity.User, new(Id, identity.Device, _services.Identity.Id));
    }

    /// <summary>What went into a connection and was not acked may have reached nobody. After the session's removal: whoever
    /// pushes looks for sessions again.</summary>
    private void PushUnacked(UserId user)
    {
        lock (_gate)
        {
            if (_order is null) return;
            foreach (var (conversation, seq) in _order.Unacked()) _services.Push.AddMessage(user, conversation, seq);
            foreach (var (conversation, seq) in _early?.Newest ?? []) _services.Push.AddMessage(user, conversation, seq);
        }
    }

    private ConversationOrder Order => _order ??= new(_services.Options.TrackedConversations);

    // A client that pings and does not read must not fill the queue: what waits for it says as well that the edge lives.
    private ValueTask Pong(string? reference)
    {
        var pong = FrameWriter.Write(new PongFrame { Ref = reference, ServerTime = _services.Time.GetUtcNow() });
        if (reference is null)
        {
            _channel.TrySend(pong);
            return default;
        }

        _channel.Send(pong);
        return AfterReply();
    }

    private ValueTask Refuse(Error error, string? reference)
    {
        _services.Metrics.Refused(error.Code);
        _channel.Send(FrameWriter.Error(error, reference));
        return AfterReply();
    }

    // Answers are always kept, so whoever asks without reading must be made to wait.
    private ValueTask AfterReply() => _channel.IsBehind ? _channel.FlushAsync() : default;

    private void DeliverReceipt(LiveEvent live)
    {
        lock (_gate)
        {
            if (Order.Rises(live.Conversation, live.DeliveredSeq, live.ReadSeq) is not { } shown) return;
            if (_channel.TrySend(shown == (live.DeliveredSeq, live.ReadSeq) || live.Conversation.IsDirect ? live.Frame : Receipt(live, shown))) return;
            Order.MissedOther();
        }

        FellBehind();
    }

    private byte[] Receipt(LiveEvent live, (long Delivered, long Read) shown) => FrameWriter.Receipt(
        live.Conversation.ToBytes().Span, null, shown.Delivered, shown.Read, _services.Time.GetUtcNow().ToUnixTimeMilliseconds());

    private void DeliverMessage(LiveEvent live)
    {
        bool missed;
        lock (_gate)
        {
            if (Order.IsLate(live.Conversation, live.Seq)) return;
            if (MayWait(live)) return;
            missed = Pass(live) | PassNext(live.Conversation);
        }

        if (missed) FellBehind();
    }

    /// <summary>What waited for something that has not come goes out: the client sees the jump.</summary>
    public void EndWait(ConversationId conversation, long seq)
    {
        var missed = false;
        lock (_gate)
        {
            if (_ended) return;
            while (_early?.Take(conversation, seq) is { } next)
                if (!Order.IsLate(conversation, next.Seq)) missed |= Pass(next);
            missed |= PassNext(conversation);
        }

        if (missed) FellBehind();
    }

    /// <summary>A message before its turn waits a moment, if there is room. While catching up nothing does: the log has the order.</summary>
    private bool MayWait(LiveEvent live) =>
        _services.Gaps.IsOn && !Order.IsBehind && Order.IsEarly(live.Conversation, live.Seq)
        && (_early ??= new()).TryAdd(live) && _services.Gaps.TryAdd(this, live.Conversation, live.Seq);

    /// <summary>Those whose turn has come.</summary>
    private bool PassNext(ConversationId conversation)
    {
        var missed = false;
        while (_early?.Take(conversation, Order.Known(conversation) + 1) is { } next)
            if (!Order.IsLate(conversation, next.Seq)) missed |= Pass(next);
        return missed;
    }

    /// <returns>Whether the connection had no room for it.</returns>
    private bool Pass(LiveEvent live)
    {
        if (Order.IsBehind || !_channel.TrySend(live.Frame))
        {
            Order.Missed(live.Conversation, live.Seq);
            return true;
        }

        Order.Passed(live.Conversation, live.Seq);
        NoteTrace(live);
        return false;
    }
}
