using Grpc.Core;
using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Frames;
using WhatsAspire.Contracts.Messaging.V1;

namespace WhatsAspire.ChatEdge.Connections;

/// <content>A connection that reads too slowly for its queue is not buffered for. What it was refused is remembered as
/// positions, and read from the logs when the client has taken what was waiting, as fast as it goes on reading.</content>
internal sealed partial class EdgeConnection
{
    private const int CatchUpPage = 50;
    private static readonly TimeSpan CatchUpRetry = TimeSpan.FromSeconds(1);
    private long _behindSinceMs;

    public void OnDrained()
    {
        lock (_gate)
        {
            if (_order is not { IsBehind: true } || _catchingUp || _ended) return;
            _catchingUp = true;
        }

        _ = CatchUpAsync();
    }

    /// <summary>Gives the connection everything of these conversations that it was not given yet.</summary>
    /// <param name="changed">The conversations that changed.</param>
    /// <param name="sinceMs">Since when, milliseconds since 1970; the summaries of that time are sent again at the end.</param>
    public void Repair(IReadOnlyList<Summary> changed, long sinceMs)
    {
        lock (_gate)
        {
            Order.MissedOther();
            foreach (var summary in changed)
            {
                var conversation = summary.ConversationId.ToConversationId();
                var after = Order.LastPassed(conversation) ?? summary.DeliveredSeq;
                if (after < summary.HeadSeq) Order.Owe(conversation, after, summary.HeadSeq);
            }
        }

        FellBehind(sinceMs);
    }

    private void FellBehind() => FellBehind(_services.Time.GetUtcNow().ToUnixTimeMilliseconds());

    private void FellBehind(long sinceMs)
    {
        lock (_gate)
            if (_behindSinceMs == 0 || sinceMs < _behindSinceMs) _behindSinceMs = sinceMs;
        _services.Metrics.CatchUp();
        // The queue may have emptied between the refusal and this.
        if (!_channel.IsBehind) OnDrained();
    }

    private async Task CatchUpAsync()
    {
        var user = _identity!.User;
        while (!_ended)
        {
            try
            {
                while (Next() is { } next) await CatchUpAsync(user, next.Conversation, next.After);
                long since;
                lock (_gate) (since, _behindSinceMs) = (_behindSinceMs, 0);
                // Zero when this began between a refusal and its note; the server's overlap covers the moment.
                await SendChangedAsync(user, since == 0 ? _services.Time.GetUtcNow().ToUnixTimeMilliseconds() : since);
                lock (_gate)
                {
                    if (!Order.TryEnd()) continue;
                    _catchingUp = false;
                    return;
                }
            }
            catch (RpcException e)
            {
                _services.Logger.CatchUpDelayed(e.Status.Detail);
                await Task.Delay(CatchUpRetry, _services.Time);
            }
            catch (Exception e)
            {
                // Nobody waits for this task. The client comes back and is given what it lacks.
                _services.Logger.CatchUpFailed(e);
                _channel.Abort();
                return;
            }
        }

        (ConversationId Conversation, long After)? Next()
        {
            lock (_gate) return _ended ? null : Order.NextMissed();
        }
    }

    private async Task CatchUpAsync(UserId user, ConversationId conversation, long after)
    {
        var request = new PullRequest { UserId = user.ToBytes() };
        request.Ranges.Add(new Contracts.Messaging.V1.PullRange { ConversationId = conversation.ToBytes(), After = after, Limit = CatchUpPage });
        var entries = new List<Contracts.Messaging.V1.Entry>();
        // The client reads as slowly as it likes, which must not count against the answer.
        using (var call = _services.Api.Client.Pull(request, deadline: Deadline()))
            while (await call.ResponseStream.MoveNext(CancellationToken.None)) entries.AddRange(call.ResponseStream.Current.Entries);
        foreach (var entry in entries)
        {
            await _channel.SendAsync(FrameWriter.Message(entry, entry.Text.Span));
            lock (_gate) Order.CaughtUpTo(conversation, entry.Seq);
        }

        // Nothing left, or nothing that this user may see.
        if (entries.Count == 0) lock (_gate) Order.NothingLeft(conversation);
    }

    private async Task SendChangedAsync(UserId user, long sinceMs)
    {
        using var call = _services.Api.Client.ListChanged(new() { UserId = user.ToBytes(), SinceMs = sinceMs });
        while (await call.ResponseStream.MoveNext(CancellationToken.None))
            foreach (var summary in call.ResponseStream.Current.Summaries)
                await _channel.SendAsync(FrameWriter.Conversation(summary, null));
    }
}
