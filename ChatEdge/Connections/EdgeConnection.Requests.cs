using System.Diagnostics;
using System.Globalization;
using Grpc.Core;
using WhatsAspire.Backplane.EdgeTransport;
using WhatsAspire.Backplane.Sessions;
using WhatsAspire.ChatEdge.Routing;
using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Edge.V1;
using WhatsAspire.Contracts.Frames;
using WhatsAspire.Contracts.Messaging.V1;

namespace WhatsAspire.ChatEdge.Connections;

/// <content>What a client asks for.</content>
internal sealed partial class EdgeConnection
{
    // Milliseconds since 1970, as far as a time can be told.
    private static readonly long LastCursor = DateTimeOffset.MaxValue.ToUnixTimeMilliseconds();

    private (ConversationId Conversation, long Seq, string TraceParent)? _traced;

    private async Task HelloAsync(ClientFrame frame)
    {
        if (frame.Protocol is not (null or 1))
        {
            await Refuse(Error.Invalid("'protocol' must be 1"), frame.ErrorRef);
            return;
        }

        long since = 0;
        if (frame.Cursor is { } cursor
            && (!long.TryParse(cursor, NumberStyles.None, CultureInfo.InvariantCulture, out since) || since > LastCursor))
        {
            await Refuse(Error.Invalid("'cursor' must be that of an earlier 'synced'"), frame.ErrorRef);
            return;
        }

        var token = frame.Token ?? _token;
        _token = null;
        var validated = await _services.Tokens.ValidateAsync(token, CancellationToken.None);
        if (validated.Error is { } bad)
        {
            _channel.Send(FrameWriter.Error(bad, frame.ErrorRef));
            if (bad.Code.IsRetryable()) Close(CloseCode.TryAgainLater, "come back in a moment");
            else Close(CloseCode.BadToken, bad.Code.Word());
            return;
        }

        try
        {
            var identity = validated.Value;
            var opened = await _services.Api.Client.OpenSessionAsync(
                new() { UserId = identity.User.ToBytes(), DeviceId = identity.Device.ToBytes() }, deadline: Deadline());
            if (opened.Fault is { } fault)
            {
                _channel.Send(FrameWriter.Error(Faults.ToError(fault), frame.ErrorRef));
                Close(CloseCode.LoggedOut, "the device was logged out");
                return;
            }

            _identity = identity;
            await RegisterAsync(identity.User, identity.Device);
            if (ClosedWith != CloseCode.None) return;
            _channel.Send(FrameWriter.Write(Welcome(frame.Ref)));
            await CountFromHereAsync(_owner.Join(this, identity.User));
            await SyncAsync(identity.User, since);
        }
        catch (RpcException e)
        {
            _services.Logger.HelloFailed(e.Status.Detail);
            _channel.Send(FrameWriter.Error(Error.Unavailable("the message service does not answer; come back in a moment"), frame.ErrorRef));
            Close(CloseCode.TryAgainLater, "come back in a moment");
        }
    }

    private WelcomeFrame Welcome(string? reference) => new()
    {
        Ref = reference,
        UserId = _identity!.User,
        DeviceId = _identity.Device,
        ConnectionId = Id.ToString(),
        HeartbeatMs = (int)Limits.Heartbeat.TotalMilliseconds,
        ServerTime = _services.Time.GetUtcNow(),
        Limits = new(Limits.FrameBytes, Limits.TextLength, Limits.PullRanges, Limits.PullMessages, Limits.AckPositions),
    };

    private async Task RegisterAsync(UserId user, DeviceId device)
    {
        IReadOnlyList<Session> sessions;
        try
        {
            sessions = await _services.Sessions.AddAsync(user, new(Id, device, _services.Identity.Id));
        }
        catch (Exception e) when (e is StackExchange.Redis.RedisException or TimeoutException)
        {
            // Messages are stored and found by the checks; the lease's next renewal registers again.
            _services.Logger.SessionNotRegistered(e);
            return;
        }

        foreach (var other in sessions)
        {
            if (other.Device != device || other.Connection == Id) continue;
            if (other.Connection > Id) Close(CloseCode.Replaced, "the same device connected again");
            else
                _services.Live.TryRoute(new() { Users = [user], Kind = DeliveryKind.Replaced, CloseConnection = other.Connection });
        }
    }

    // What is counted up to now the sync will show; from here on the activity check compares.
    private async Task CountFromHereAsync(UserConnections user)
    {
        if (user.Activity.Offset is not null) return;
        try
        {
            var received = user.Received;
            user.Activity.Offset = (await _services.Marks.ReadAsync([user.User]))[0] - received;
            user.Activity.AgreedAtMs = _services.Time.GetUtcNow().ToUnixTimeMilliseconds();
        }
        catch (Exception e) when (e is StackExchange.Redis.RedisException or TimeoutException)
        {
            _services.Logger.SessionNotRegistered(e);
        }
    }

    private async Task SyncAsync(UserId user, long sinceMs)
    {
        var next = sinceMs;
        using var call = _services.Api.Client.ListChanged(new() { UserId = user.ToBytes(), SinceMs = sinceMs });
        while (await call.ResponseStream.MoveNext(CancellationToken.None))
        {
            var batch = call.ResponseStream.Current;
            foreach (var summary in batch.Summaries) await _channel.SendAsync(FrameWriter.Conversation(summary, null));
            if (batch.CursorMs != 0) next = batch.CursorMs;
        }

        _channel.Send(FrameWriter.Write(new SyncedFrame { Cursor = next.ToString(CultureInfo.InvariantCulture) }));
    }

    private ValueTask Send(in ClientFrame frame)
    {
        if (MessageRules.Check(frame.ClientMessageId, frame.Text is null ? default : frame.Text.Span, frame.ToUser, frame.Conversation) is { } fault)
            return Refuse(fault, frame.ErrorRef);

        var user = _identity!.User;
        var send = new Send { SenderId = user.ToBytes(), ClientMessageId = frame.ClientMessageId, Text = frame.Text, ConnectionId = Id.ToBytes() };
        if (frame.ToUser is { } to) send.ToUserId = to.ToBytes();
        if (frame.Conversation is { } conversation) send.ConversationId = conversation.ToBytes();
        if (frame.ReplyTo is { } reply) send.ReplyTo = reply.ToBytes();

        var activity = EdgeTelemetry.Source.StartActivity("send", ActivityKind.Server);
        Activity.Current = null;   // it ends with the answer, not here
        Interlocked.Increment(ref _sending);
        return Submit(new PendingSend(this, user, frame.Ref, send, activity));
    }

    private ValueTask Submit(PendingOperation operation)
    {
        var submitted = _services.Api.SubmitAsync(operation);
        if (submitted.IsCompletedSuccessfully && Volatile.Read(ref _sending) < _services.Options.SendWindow && !_channel.IsBehind)
            return default;
        return WaitAsync(submitted);

        async ValueTask WaitAsync(ValueTask waiting)
        {
            await waiting;
            await WindowAsync();
            await AfterReply();
        }
    }

    private Task WindowAsync()
    {
        lock (_gate)
        {
            if (_sending < _services.Options.SendWindow) return Task.CompletedTask;
            _windowOpens ??= new(TaskCreationOptions.RunContinuationsAsynchronously);
            return _windowOpens.Task;
        }
    }

    private void SendEnded()
    {
        if (Interlocked.Decrement(ref _sending) != _services.Options.SendWindow / 2) return;
        lock (_gate)
        {
            _windowOpens?.TrySetResult();
            _windowOpens = null;
        }
    }

    private ValueTask Ack(in ClientFrame frame)
    {
        if (frame.Positions is not { Count: > 0 } positions) return Refuse(Error.Invalid("'positions' must not be empty"), frame.ErrorRef);
        EndTrace(positions);
        lock (_gate)
            foreach (var (conversation, seq) in positions) _order?.Acked(conversation, seq);
        var user = _identity!.User;
        if (frame.Ref is null)
        {
            foreach (var (conversation, seq) in positions)
                if (conversation.IsDirect) _services.Acks.Add(user, conversation, seq, this);
                else _services.Groups.TryAdd(this, user, conversation, seq, 0, answer: null);
            return default;
        }

        var advance = new Advance { UserId = user.ToBytes(), AnswerHeld = true };
        foreach (var (conversation, seq) in positions)
            advance.Positions.Add(new Position { ConversationId = conversation.ToBytes(), DeliveredSeq = seq });
        Interlocked.Increment(ref _sending);
        return Submit(new PendingAdvance(this, user, frame.Ref, advance, isRead: false));
    }

    private ValueTask Read(in ClientFrame frame)
    {
        if (frame.Conversation is not { } conversation) return Refuse(Error.Invalid("'conversation_id' is missing"), frame.ErrorRef);
        if (frame.Seq is not >= 0) return Refuse(Error.Invalid("'seq' must be a number of at least 0"), frame.ErrorRef);
        lock (_gate) _order?.Acked(conversation, frame.Seq.Value);
        var user = _identity!.User;
        if (!conversation.IsDirect) return ReadGroup(user, conversation, frame.Seq.Value, frame.Ref);
        var advance = new Advance { UserId = user.ToBytes(), AnswerHeld = true };
        advance.Positions.Add(new Position { ConversationId = conversation.ToBytes(), ReadSeq = frame.Seq.Value });
        Interlocked.Increment(ref _sending);
        return Submit(new PendingAdvance(this, user, frame.Ref, advance, isRead: true));
    }

    private ValueTask ReadGroup(UserId user, ConversationId conversation, long seq, string? reference)
    {
        Interlocked.Increment(ref _sending);
        if (!_services.Groups.TryAdd(this, user, conversation, 0, seq, new PendingRead(this, reference)))
        {
            SendEnded();
            return Refuse(Error.Unavailable("too many positions wait; say it again in a moment"), reference);
        }

        return Volatile.Read(ref _sending) < _services.Options.SendWindow ? AfterReply() : WaitAsync();

        async ValueTask WaitAsync()
        {
            await WindowAsync();
            await AfterReply();
        }
    }

    private ValueTask Pull(in ClientFrame frame)
    {
        if (frame.Ref is not { } reference) return Refuse(Error.Invalid("'ref' is missing; the pages carry it"), null);
        if (frame.Ranges is not { Count: > 0 } ranges) return Refuse(Error.Invalid("'ranges' must not be empty"), reference);
        var request = new PullRequest { UserId = _identity!.User.ToBytes() };
        foreach (var (conversation, after, limit) in ranges)
            request.Ranges.Add(new Contracts.Messaging.V1.PullRange { ConversationId = conversation.ToBytes(), After = after, Limit = limit ?? 0 });
        return new(PullAsync(request, reference));
    }

    private async Task PullAsync(PullRequest request, string reference)
    {
        try
        {
            using var call = _services.Api.Client.Pull(request, deadline: Deadline());
            while (await call.ResponseStream.MoveNext(CancellationToken.None))
            {
                var page = call.ResponseStream.Current;
                await _channel.SendAsync(page.Fault is { } fault
                    ? FrameWriter.Error(Faults.ToError(fault), reference)
                    : FrameWriter.Page(page, reference));
            }
        }
        catch (RpcException e)
        {
            _services.Logger.PullFailed(e.Status.Detail);
            await Refuse(Error.Unavailable("the message service does not answer; ask again in a moment"), reference);
        }
    }

    private DateTime Deadline() => _services.Time.GetUtcNow().UtcDateTime + _services.Options.OperationTimeout;

    // What waits for it may go on.
    private void NoteSent(ConversationId conversation, long seq)
    {
        bool missed;
        lock (_gate)
        {
            _order?.Sent(conversation, seq);
            missed = PassNext(conversation);
        }

        if (missed) FellBehind();
    }

    private void NoteTrace(LiveEvent live)
    {
        if (live.TraceParent is { } parent) _traced = (live.Conversation, live.Seq, parent);
    }

    // One trace follows a message to the recipient's ack: the last traced one that this connection was given.
    private void EndTrace(List<(ConversationId Conversation, long Seq)> positions)
    {
        if (_traced is not { } traced) return;
        foreach (var (conversation, seq) in positions)
        {
            if (conversation != traced.Conversation || seq < traced.Seq) continue;
            _traced = null;
            using var activity = EdgeTelemetry.Source.StartActivity("ack", ActivityKind.Server, traced.TraceParent);
            activity?.SetTag("messaging.message.seq", traced.Seq);
            return;
        }
    }

    /// <summary>The answer to a <c>send</c>: <c>sent</c> here, the message to everybody else.</summary>
    private sealed class PendingSend(EdgeConnection connection, UserId user, string? reference, Send send, Activity? activity)
        : PendingOperation(new Operation { Send = send, TraceParent = activity?.Id ?? "" })
    {
        private readonly long _started = connection._services.Time.GetTimestamp();

        public override void Complete(Result result)
        {
            if (result.Sent is not { } sent)
            {
                Fail(Faults.ToError(result.Fault));
                return;
            }

            try
            {
                var entry = sent.Entry;
                connection._channel.Send(FrameWriter.Sent(entry, sent.Duplicate, reference));
                connection.NoteSent(entry.ConversationId.ToConversationId(), entry.Seq);
                var services = connection._services;
                var text = sent.Duplicate ? entry.Text : send.Text;
                LiveMessages.Route(services.Live, user, sent, text.Span, connection.Id, activity?.Id);
                services.Metrics.Sent(services.Time.GetElapsedTime(_started));
            }
            finally
            {
                // The connection's window waits for this one.
                activity?.Dispose();
                connection.SendEnded();
            }
        }

        public override void Fail(Error error)
        {
            connection._services.Metrics.Refused(error.Code);
            connection._channel.Send(FrameWriter.Error(error, reference ?? send.ClientMessageId));
            activity?.SetStatus(ActivityStatusCode.Error, error.Code.Word());
            activity?.Dispose();
            connection.SendEnded();
        }
    }

    /// <summary>The answer to a <c>read</c> in a group.</summary>
    private sealed class PendingRead(EdgeConnection connection, string? reference) : IPositionAnswer
    {
        public void Complete(Advanced advanced)
        {
            if (reference is not null || !advanced.Moved) connection._channel.Send(FrameWriter.Conversation(advanced.Summary, reference));
            connection.SendEnded();
        }

        public void Fail(Error error)
        {
            connection._channel.Send(FrameWriter.Error(error, reference));
            connection.SendEnded();
        }
    }

    /// <summary>The answer to a <c>read</c>, or to an <c>ack</c> with a <c>ref</c>.</summary>
    private sealed class PendingAdvance(EdgeConnection connection, UserId user, string? reference, Advance advance, bool isRead)
        : PendingOperation(new Operation { Advance = advance })
    {
        public override void Complete(Result result)
        {
            if (result.Advanced is not { } advanced)
            {
                Fail(Faults.ToError(result.Fault));
                return;
            }

            var held = new List<AckPosition>();
            foreach (var one in advanced.Advanced)
            {
                if (one.Fault is { } fault)
                {
                    connection._channel.Send(FrameWriter.Error(Faults.ToError(fault), reference));
                    continue;
                }

                LiveMessages.RouteReceipt(connection._services.Live, user, one, connection.Id);
                if (isRead && (reference is not null || !one.Moved))
                    connection._channel.Send(FrameWriter.Conversation(one.Summary, reference));
                held.Add(new(one.ConversationId.ToConversationId(), one.DeliveredSeq));
            }

            if (!isRead && held.Count > 0) connection._channel.Send(FrameWriter.Write(new AckedFrame { Ref = reference, Positions = held }));
            connection.SendEnded();
        }

        public override void Fail(Error error)
        {
            connection._channel.Send(FrameWriter.Error(error, reference));
            connection.SendEnded();
        }
    }
}
