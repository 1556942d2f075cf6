using System.Globalization;
using System.Net.WebSockets;
using System.Threading.Channels;
using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Frames;

namespace WhatsAspire.Client;

/// <content>What goes to the server, and to the app's event handlers. One loop looks at all there is to do, does it, and
/// sleeps until something changes or the next thing is due.</content>
public sealed partial class ChatClient
{
    private const int RememberedEvents = 100;
    private static readonly TimeSpan PullTimeout = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan KeepEvery = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan Drain = TimeSpan.FromSeconds(2);
    private readonly Channel<bool> _wake = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly Channel<bool> _raise = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly SemaphoreSlim _writing = new(1, 1);
    private readonly ITimer _alarm;
    private readonly Queue<ConnectionStatus> _statuses = new();
    private readonly Queue<ChatException> _errors = new();
    private readonly HashSet<ConversationId> _changedConversations = [];
    private readonly HashSet<ConversationId> _changedReceipts = [];
    private List<(Inbox.Log Log, long Target)> _debts = [];
    private string? _cursorToKeep;
    private PendingPull? _pull;
    private int _pulls;
    private int _pullFailures;
    private long _pullNotBefore;
    private bool _pullSingly;
    private long? _ackSince;
    private long _keptAt;
    private bool _stopped;

    /// <summary>The server refused something that no task of the app waits for, such as an acknowledgement.</summary>
    public event Action<ChatException>? ServerError;

    private void Wake() => _wake.Writer.TryWrite(true);

    private void Raise() => _raise.Writer.TryWrite(true);

    private async Task PumpAsync()
    {
        while (await _wake.Reader.WaitToReadAsync())
        {
            _wake.Reader.TryRead(out _);
            while (true)
            {
                Connection? connection;
                List<byte[]> frames = [];
                TimeSpan wait;
                lock (_gate)
                {
                    if (_stopped || _stop.IsCancellationRequested) return;
                    connection = _connection;
                    wait = Collect(connection, frames);
                }

                if (connection is null || frames.Count == 0)
                {
                    _alarm.Change(wait == TimeSpan.MaxValue ? Timeout.InfiniteTimeSpan : Ceiling(wait), Timeout.InfiniteTimeSpan);
                    break;
                }

                await WriteAsync(connection, frames);
            }
        }
    }

    private async Task WriteAsync(Connection connection, List<byte[]> frames)
    {
        await _writing.WaitAsync();
        try
        {
            foreach (var frame in frames)
            {
                if (frame.Length == 0) await connection.CloseAsync(CancellationToken.None);
                else await connection.SendAsync(frame);
            }

            lock (_gate) connection.WrittenAt = _time.GetTimestamp();
        }
        catch (Exception e) when (e is WebSocketException or IOException or ObjectDisposedException or InvalidOperationException or OperationCanceledException)
        {
            // The reading side sees it too, and ends the connection.
            connection.Abort();
            lock (_gate)
                if (_connection == connection) connection.End ??= ConnectionEnd.OfException(e);
        }
        finally
        {
            _writing.Release();
        }
    }

    // Gathers what is due; an empty frame means good-bye. Returns how long nothing else will be.
    private TimeSpan Collect(Connection? connection, List<byte[]> frames)
    {
        var now = _time.GetTimestamp();
        var wait = TimeSpan.MaxValue;
        KeepPositions(now, ref wait);
        if (connection is null) return wait;
        if (!connection.HasSaidHello)
        {
            connection.HasSaidHello = true;
            frames.Add(FrameWriter.Write(new HelloFrame { Cursor = _cursor }));
        }

        CheckAlive(connection, now, frames, ref wait);
        if (!connection.IsWelcome) return wait;
        if (connection.IsLeaving)
        {
            CollectGoodBye(connection, now, frames, ref wait);
            return wait;
        }

        if (connection.IsSynced || !_inbox.IsFirst) CollectSends(connection, now, frames, ref wait);
        CollectAcks(now, frames, ref wait, atOnce: false);
        while (_reads.Next(now) is { } read) frames.Add(FrameWriter.Write(read));
        if (_reads.NextDue(now) is { } due) Lower(ref wait, _time.GetElapsedTime(now, due));
        if (connection.IsSynced) CollectPull(connection, now, frames, ref wait);
        return wait;
    }

    // What is on its way may arrive, then the connection ends: by the server's answer, or without.
    private void CollectGoodBye(Connection connection, long now, List<byte[]> frames, ref TimeSpan wait)
    {
        var left = (connection.HasClosed ? 2 * Drain : Drain) - _time.GetElapsedTime(connection.LeavingSince, now);
        if (connection.HasClosed)
        {
            if (left <= TimeSpan.Zero) connection.Abort();
            else Lower(ref wait, left);
            return;
        }

        CollectAcks(now, frames, ref wait, atOnce: true);
        if (!_outbox.IsIdle && left > TimeSpan.Zero)
        {
            Lower(ref wait, left);
            return;
        }

        connection.HasClosed = true;
        frames.Add([]);
        Lower(ref wait, Drain);
    }

    private void CollectSends(Connection connection, long now, List<byte[]> frames, ref TimeSpan wait)
    {
        foreach (var late in _outbox.TimedOut(now, ref wait) ?? [])
        {
            // Nothing has come since: it is the connection that is dead.
            if (connection.ReadAt <= late.SentAt) End(connection, "a message was not answered");
            _outbox.Retry(late, now, null);
        }

        while (_outbox.Next(now, ref wait) is { } message)
        {
            var entry = message.Entry;
            frames.Add(FrameWriter.Write(new SendFrame
            {
                ClientMessageId = entry.ClientMessageId,
                To = entry.To is { } to ? new(to) : null,
                ConversationId = entry.ConversationId,
                Text = entry.Text,
                ReplyTo = entry.ReplyTo,
            }));
            Lower(ref wait, _options.SendTimeout);
        }
    }

    private void CollectAcks(long now, List<byte[]> frames, ref TimeSpan wait, bool atOnce)
    {
        if (!_inbox.HasUnacked)
        {
            _ackSince = null;
            return;
        }

        var left = _options.AckDelay - _time.GetElapsedTime(_ackSince ??= now, now);
        if (left > TimeSpan.Zero && !atOnce)
        {
            Lower(ref wait, left);
            return;
        }

        while (_inbox.HasUnacked)
            if (_inbox.Unacked() is { Count: > 0 } positions) frames.Add(FrameWriter.Write(new AckFrame { Positions = positions }));
        _ackSince = null;
    }

    private void CollectPull(Connection connection, long now, List<byte[]> frames, ref TimeSpan wait)
    {
        if (_pull is { } pull)
        {
            var left = PullTimeout - _time.GetElapsedTime(pull.SentAt, now);
            if (left <= TimeSpan.Zero) End(connection, "a pull was not answered");
            else Lower(ref wait, left);
            return;
        }

        if (!_inbox.IsBehind) return;
        if (_pullNotBefore > now)
        {
            Lower(ref wait, _time.GetElapsedTime(now, _pullNotBefore));
            return;
        }

        if (_inbox.Missing(now, ref wait) is not { } ranges) return;
        // After a refusal that may be about any one of them, each is asked for by itself.
        if (_pullSingly) ranges = [ranges[0]];
        _pull = new("~p" + (++_pulls).ToString(CultureInfo.InvariantCulture), ranges.ToDictionary(r => r.ConversationId, r => r.After), now);
        frames.Add(FrameWriter.Write(new PullFrame { Ref = _pull.Ref, Ranges = ranges }));
        Lower(ref wait, PullTimeout);
    }

    private void EndPull(PendingPull pull)
    {
        _pull = null;
        if (pull.Progress) _pullFailures = 0;
        else if (_inbox.IsBehind) _pullNotBefore = Later(_time.GetTimestamp(), _options.Backoff(_pullFailures++));
        if (!_inbox.IsBehind) _pullSingly = false;
    }

    private void Refused(PendingPull pull, ChatException refusal, long now)
    {
        _pull = null;
        if (refusal.Retryable) _pullNotBefore = Later(now, refusal.RetryAfter ?? _options.Backoff(_pullFailures++));
        else if (pull.Ranges.Count > 1) _pullSingly = true;
        else foreach (var conversation in pull.Ranges.Keys) _inbox.GiveUp(conversation, now);
    }

    private void CheckAlive(Connection connection, long now, List<byte[]> frames, ref TimeSpan wait)
    {
        var silence = connection.IsWelcome ? connection.Heartbeat * 2 : _options.ConnectTimeout;
        var left = silence - _time.GetElapsedTime(connection.IsWelcome ? connection.ReadAt : connection.OpenedAt, now);
        if (left <= TimeSpan.Zero)
        {
            End(connection, connection.IsWelcome ? "the server has fallen silent" : "no welcome came");
            return;
        }

        Lower(ref wait, left);
        if (!connection.IsWelcome || connection.HasClosed) return;
        // When nothing was said for most of a heartbeat, or nothing was heard for one.
        var ping = connection.Heartbeat * 0.8 - _time.GetElapsedTime(connection.WrittenAt, now);
        var ask = connection.Heartbeat - _time.GetElapsedTime(Math.Max(connection.ReadAt, connection.PingedAt), now);
        if (ping <= TimeSpan.Zero || ask <= TimeSpan.Zero)
        {
            connection.PingedAt = connection.WrittenAt = now;
            frames.Add(FrameWriter.Write(new PingFrame()));
        }
        else
        {
            Lower(ref wait, ping < ask ? ping : ask);
        }
    }

    private static void End(Connection connection, string reason)
    {
        connection.End = new(NextStep.Reconnect, reason, connection.End?.After);
        connection.Abort();
    }

    private void KeepPositions(long now, ref TimeSpan wait)
    {
        if (_file is null || (!_inbox.HasUnstored && _cursorToKeep is null)) return;
        var left = KeepEvery - _time.GetElapsedTime(_keptAt, now);
        if (left <= TimeSpan.Zero) FlushPositions();
        // A cursor that waits for the app is looked at again when the app has gone on.
        else if (_inbox.HasUnstored || _debts.TrueForAll(d => d.Log.Stored >= d.Target)) Lower(ref wait, left);
    }

    private void FlushPositions()
    {
        _keptAt = _time.GetTimestamp();
        foreach (var position in _inbox.Unstored()) _file!.Write(new() { Position = position });
        // The next life asks for what changed since; so all that had changed until then must have come.
        if (_cursorToKeep is null || _debts.Exists(d => d.Log.Stored < d.Target)) return;
        _file!.Write(new() { Cursor = _cursorToKeep });
        (_cursorToKeep, _debts) = (null, []);
    }

    private void SetStatus(ConnectionStatus status)
    {
        lock (_gate)
        {
            if (_status == status) return;
            _status = status;
            _statuses.Enqueue(status);
            if (_statuses.Count > RememberedEvents) _statuses.Dequeue();
        }

        Raise();
    }

    private async Task RaiseAsync()
    {
        while (await _raise.Reader.WaitToReadAsync())
        {
            _raise.Reader.TryRead(out _);
            List<ConnectionStatus> statuses;
            List<ConversationFrame> conversations;
            List<Receipt> receipts;
            List<ChatException> errors;
            lock (_gate)
            {
                statuses = [.. _statuses];
                errors = [.. _errors];
                conversations = [.. _changedConversations.Select(_conversations.Find).OfType<ConversationFrame>()];
                receipts = [.. _changedReceipts.Select(_conversations.Receipt)];
                _statuses.Clear();
                _errors.Clear();
                _changedConversations.Clear();
                _changedReceipts.Clear();
            }

            foreach (var status in statuses) StatusChanged?.Invoke(status);
            foreach (var conversation in conversations) ConversationChanged?.Invoke(conversation);
            foreach (var receipt in receipts) ReceiptChanged?.Invoke(receipt);
            foreach (var error in errors) ServerError?.Invoke(error);
            if (statuses.Exists(s => s.State == ConnectionState.Stopped)) return;
        }
    }

    private static void Lower(ref TimeSpan wait, TimeSpan to)
    {
        if (to < wait) wait = to;
    }

    // Timers take whole milliseconds; waking early would only mean to look twice.
    private static TimeSpan Ceiling(TimeSpan wait) => TimeSpan.FromMilliseconds(Math.Max(1, Math.Ceiling(wait.TotalMilliseconds)));

    private sealed class PendingPull(string reference, Dictionary<ConversationId, long> ranges, long sentAt)
    {
        public string Ref => reference;

        /// <summary>Those without an answer, with the seq after which was asked.</summary>
        public Dictionary<ConversationId, long> Ranges => ranges;

        public long SentAt => sentAt;
        public bool Progress { get; set; }
    }
}
