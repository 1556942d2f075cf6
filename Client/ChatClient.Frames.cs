using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Frames;

namespace WhatsAspire.Client;

/// <content>What comes from the server.</content>
public sealed partial class ChatClient
{
    private void Receive(Connection connection, ReadOnlySpan<byte> frame)
    {
        try
        {
            switch (TypeOf(frame))
            {
                case "welcome":
                    On(connection, Parse(frame, WireJson.Default.WelcomeFrame));
                    break;
                case "synced":
                    On(connection, Parse(frame, WireJson.Default.SyncedFrame));
                    break;
                case "conversation":
                    On(Parse(frame, WireJson.Default.ConversationFrame));
                    break;
                case "message":
                    On(Parse(frame, WireJson.Default.MessageFrame));
                    break;
                case "sent":
                    On(Parse(frame, WireJson.Default.SentFrame));
                    break;
                case "page":
                    On(Parse(frame, WireJson.Default.PageFrame));
                    break;
                case "receipt":
                    On(Parse(frame, WireJson.Default.ReceiptFrame));
                    break;
                case "error":
                    On(connection, Parse(frame, WireJson.Default.ErrorFrame));
                    break;
                case "reconnect":
                    On(connection, Parse(frame, WireJson.Default.ReconnectFrame));
                    break;
                default:
                    break; // pong, acked, and what later versions say
            }
        }
        catch (JsonException e)
        {
            connection.End = new(NextStep.Reconnect, $"the server sent a frame that can't be read: {e.Message}");
        }
    }

    private void On(Connection connection, WelcomeFrame welcome)
    {
        lock (_gate)
        {
            connection.IsWelcome = true;
            if (welcome.HeartbeatMs > 0) connection.Heartbeat = TimeSpan.FromMilliseconds(Math.Min(welcome.HeartbeatMs, 25_000));
        }

        Wake();
    }

    private void On(Connection connection, SyncedFrame synced)
    {
        lock (_gate)
        {
            connection.IsSynced = true;
            _cursor = synced.Cursor;
            _debts = _inbox.EndSync(_time.GetTimestamp());
            _cursorToKeep = synced.Cursor;
        }

        SetStatus(new(ConnectionState.Online));
        _online.TrySetResult();
        Wake();
    }

    private void On(ConversationFrame summary)
    {
        lock (_gate)
        {
            if (_conversations.Summarize(summary)) _changedReceipts.Add(summary.ConversationId);
            _changedConversations.Add(summary.ConversationId);
            _inbox.Summarize(summary, _time.GetTimestamp());
            if (summary.Ref is { } reference) _reads.Answered(reference);
        }

        Raise();
        Wake();
    }

    private void On(MessageFrame message)
    {
        bool act;
        lock (_gate)
        {
            _inbox.Receive(message, _time.GetTimestamp());
            // Counted even where the queue has no room for it.
            Seen(message);
            act = _inbox.IsBehind;
        }

        Raise();
        if (act) Wake();
    }

    private void On(SentFrame sent)
    {
        OutgoingMessage? message;
        lock (_gate)
        {
            message = _outbox.Find(sent.ClientMessageId);
            if (message is null) return; // said twice, after a time-out
            var own = new MessageFrame
            {
                ConversationId = sent.ConversationId,
                MessageId = sent.MessageId,
                Seq = sent.Seq,
                SenderId = UserId,
                ClientMessageId = sent.ClientMessageId,
                Kind = "text",
                Text = message.Entry.Text,
                ReplyTo = message.Entry.ReplyTo,
                CreatedAt = sent.CreatedAt,
            };
            if (_conversations.Receive(own, UserId, message.Entry.To)) _changedConversations.Add(sent.ConversationId);
            _inbox.Receive(own, _time.GetTimestamp());
            _inbox.AckedByServer(sent.ConversationId, sent.Seq);
        }

        Finish(message, sent, null);
        Raise();
        Wake();
    }

    private void On(PageFrame page)
    {
        lock (_gate)
        {
            if (_pull is not { } pull || page.Ref != pull.Ref || !pull.Ranges.Remove(page.ConversationId, out var after)) return;
            if (_inbox.Fill(page, after, _time.GetTimestamp())) pull.Progress = true;
            if (pull.Ranges.Count == 0) EndPull(pull);
        }

        Raise();
        Wake();
    }

    private void On(ReceiptFrame receipt)
    {
        lock (_gate)
        {
            if (!_conversations.Receive(receipt)) return;
            _changedReceipts.Add(receipt.ConversationId);
        }

        Raise();
    }

    private void On(Connection connection, ErrorFrame error)
    {
        var refusal = new ChatException(
            error.Code, error.Message, error.Retryable, error.RetryAfterMs is { } ms ? TimeSpan.FromMilliseconds(ms) : null);
        OutgoingMessage? refused = null;
        lock (_gate)
        {
            if (!connection.IsWelcome)
            {
                // The hello was refused. The server closes, but for a cursor that it does not know: then all is synced.
                if (error.Code != ErrorCode.InvalidArgument.Word()) return;
                _cursor = null;
                connection.End = new(NextStep.Reconnect, refusal.Message);
                return;
            }

            var now = _time.GetTimestamp();
            if (error.Ref is not { } reference)
            {
                _errors.Enqueue(refusal);
                if (_errors.Count > RememberedEvents) _errors.Dequeue();
            }
            else if (_pull is { } pull && pull.Ref == reference)
            {
                Refused(pull, refusal, now);
            }
            else if (!_reads.Refused(reference, refusal, Later(now, refusal.RetryAfter ?? _options.Backoff(2)))
                && _outbox.Find(reference) is { } message)
            {
                if (refusal.Code is "token_expired" or "unauthenticated") connection.End = new(NextStep.NewToken, refusal.Message);
                else if (refusal.Retryable) _outbox.Retry(message, now, refusal.RetryAfter);
                else refused = message;
            }
        }

        if (refused is not null) Finish(refused, null, refusal);
        Raise();
        Wake();
    }

    private void On(Connection connection, ReconnectFrame reconnect)
    {
        lock (_gate)
        {
            connection.IsLeaving = true;
            connection.LeavingSince = _time.GetTimestamp();
            connection.End = new(NextStep.Reconnect, $"the server asked to come back: {reconnect.Reason}",
                TimeSpan.FromMilliseconds(Math.Clamp(reconnect.AfterMs, 0, 300_000)));
        }

        Wake();
    }

    // Told of every message that comes, and again of each as it goes into the queue in order.
    private void Seen(MessageFrame message)
    {
        if (_conversations.Receive(message, UserId)) _changedConversations.Add(message.ConversationId);
    }

    private long Later(long now, TimeSpan wait) => now + (long)(wait.TotalSeconds * _time.TimestampFrequency);

    private static T Parse<T>(ReadOnlySpan<byte> frame, JsonTypeInfo<T> type) =>
        JsonSerializer.Deserialize(frame, type) ?? throw new JsonException("null instead of a frame");

    private static string? TypeOf(ReadOnlySpan<byte> frame)
    {
        var reader = new Utf8JsonReader(frame);
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject) throw new JsonException("not a JSON object");
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var isType = reader.ValueTextEquals("type"u8);
            reader.Read();
            if (isType) return reader.TokenType == JsonTokenType.String ? reader.GetString() : null;
            reader.Skip();
        }

        return null;
    }
}
