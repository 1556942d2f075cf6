using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using System.Net.Sockets;
using System.Text;
using System.Text.Unicode;
using WhatsAspire.Contracts;

namespace WhatsAspire.ChatEdge.Connections;

/// <summary>Who receives what a <see cref="WebSocketChannel"/> reads.</summary>
internal interface IWebSocketReceiver
{
    /// <summary>A whole text message; the bytes are good until the method returns. Reading goes on when the returned
    /// task completes: that is how a client is slowed down.</summary>
    ValueTask OnTextAsync(ReadOnlySpan<byte> text);

    /// <summary>Bytes came or left: the connection lives.</summary>
    void OnAlive();

    /// <summary>The outgoing queue, which had been full or busy, is empty.</summary>
    void OnDrained();
}

/// <summary>A server-side WebSocket (RFC 6455) over a pair of pipes. It owns no buffer while nothing is half received
/// or half sent, and no task but the one that reads: senders write into the output themselves and queue only while
/// the transport is behind. The queue is bounded: what does not fit is refused, not kept.</summary>
internal sealed class WebSocketChannel(IDuplexPipe transport, Action abort, int queueBytes)
{
    private readonly Lock _gate = new();
    private readonly PipeReader _input = transport.Input;
    private readonly PipeWriter _output = transport.Output;
    private Queue<(WebSocketOpcode Opcode, ReadOnlyMemory<byte> Payload)>? _queue;
    private TaskCompletionSource? _drained;
    private IWebSocketReceiver? _receiver;
    private byte[]? _parts;
    private int _partsLength;
    private int _queuedBytes;
    private bool _writing;
    private bool _finished;

    /// <summary>The first reason for which this side closed; None while it has not.</summary>
    public CloseCode ClosedWith { get; private set; }

    /// <summary>Reads until the connection ends, for whatever reason. Never throws for what the peer did.</summary>
    public async Task RunAsync(IWebSocketReceiver receiver)
    {
        _receiver = receiver;
        try
        {
            while (true)
            {
                var read = await _input.ReadAsync();
                var buffer = read.Buffer;
                if (!buffer.IsEmpty) receiver.OnAlive();
                while (WebSocketFrame.TryRead(ref buffer, out var frame, out var fault) || fault.Code != CloseCode.None)
                {
                    if (fault.Code != CloseCode.None)
                    {
                        Close(fault.Code, fault.Reason);
                        await FlushAsync();
                        _input.AdvanceTo(read.Buffer.End);
                        await DiscardAsync();
                        return;
                    }

                    if (frame.Opcode == WebSocketOpcode.Close)
                    {
                        OnClose(frame.Payload);
                        await FlushAsync();
                        return;
                    }

                    // Once this side has closed, only the peer's close is waited for (RFC 6455 section 5.5.1).
                    if (ClosedWith != CloseCode.None) continue;
                    var handled = OnFrame(receiver, frame);
                    if (!handled.IsCompletedSuccessfully) await handled;
                }

                _input.AdvanceTo(buffer.Start, buffer.End);
                if (read.IsCompleted) return;
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            // The peer or the transport went away; the caller cleans up in every case.
        }
        finally
        {
            Finish();
            ReleaseParts();
        }
    }

    /// <summary>Sends a text frame unless the queue is full.</summary>
    /// <returns>False when it was refused. True does not say that it arrived.</returns>
    public bool TrySend(ReadOnlyMemory<byte> text) => Enqueue(WebSocketOpcode.Text, text, bounded: true);

    /// <summary>Sends a text frame even if the queue is full: for answers, whose number the caller bounds.</summary>
    public void Send(ReadOnlyMemory<byte> text) => Enqueue(WebSocketOpcode.Text, text, bounded: false);

    /// <summary>Sends a text frame and completes when the transport has taken everything: for bulk, which thus goes
    /// as fast as the client reads.</summary>
    public async ValueTask SendAsync(ReadOnlyMemory<byte> text)
    {
        Send(text);
        await FlushAsync();
    }

    /// <summary>Whether frames wait because the transport is behind.</summary>
    public bool IsBehind => Volatile.Read(ref _writing);

    /// <summary>Sends a close frame, once; the reading goes on until the peer's comes.</summary>
    public void Close(CloseCode code, string reason)
    {
        lock (_gate)
        {
            if (ClosedWith != CloseCode.None || _finished) return;
            ClosedWith = code;
            var payload = new byte[2 + Math.Min(Encoding.UTF8.GetByteCount(reason), 123)];
            BinaryPrimitives.WriteUInt16BigEndian(payload, (ushort)code);
            Encoding.UTF8.GetBytes(reason.AsSpan(0, Math.Min(reason.Length, 123)), payload.AsSpan(2));
            EnqueueLocked(WebSocketOpcode.Close, payload, bounded: false);
        }
    }

    /// <summary>Ends the connection without a word.</summary>
    public void Abort()
    {
        Finish();
        abort();
    }

    /// <summary>Completes when nothing waits any more.</summary>
    public ValueTask FlushAsync()
    {
        lock (_gate)
        {
            if (!_writing || _finished) return ValueTask.CompletedTask;
            _drained ??= new(TaskCreationOptions.RunContinuationsAsynchronously);
            return new(_drained.Task);
        }
    }

    /// <summary>Reads on, without a look at what comes: a socket that is closed with something unread is reset, and
    /// takes the close frame with it. The peer shows no life by it, so the owner ends this when it takes too long.</summary>
    private async Task DiscardAsync()
    {
        while (true)
        {
            var read = await _input.ReadAsync();
            _input.AdvanceTo(read.Buffer.End);
            if (read.IsCompleted) return;
        }
    }

    private bool Enqueue(WebSocketOpcode opcode, ReadOnlyMemory<byte> payload, bool bounded)
    {
        lock (_gate)
        {
            if (ClosedWith != CloseCode.None || _finished) return true;
            return EnqueueLocked(opcode, payload, bounded);
        }
    }

    private bool EnqueueLocked(WebSocketOpcode opcode, ReadOnlyMemory<byte> payload, bool bounded)
    {
        if (_writing)
        {
            if (bounded && _queuedBytes + payload.Length > queueBytes) return false;
            (_queue ??= new(4)).Enqueue((opcode, payload));
            _queuedBytes += payload.Length;
            return true;
        }

        ValueTask<FlushResult> flush;
        try
        {
            WebSocketFrame.Write(_output, opcode, payload.Span);
            flush = _output.FlushAsync();
        }
        catch (Exception e) when (IsGone(e))
        {
            // Whoever sends to many must not be stopped by the end of one.
            _finished = true;
            return true;
        }

        if (flush.IsCompletedSuccessfully)
        {
            if (flush.Result.IsCompleted) _finished = true;
            return true;
        }

        _writing = true;
        _ = DrainAsync(flush);
        return true;
    }

    // A pipe throws what its other end was completed with, and says of a completed writer that it is none.
    private static bool IsGone(Exception e) =>
        e is IOException or OperationCanceledException or InvalidOperationException or SocketException;

    private async Task DrainAsync(ValueTask<FlushResult> flush)
    {
        // The caller has the lock, and the flush may have ended by now. The receiver must not be told so under it: it has a lock
        // of its own, under which it sends.
        await Task.Yield();
        try
        {
            while (true)
            {
                if ((await flush).IsCompleted)
                {
                    // Nobody takes anything any more: who waits for the queue to empty must not wait on.
                    Finish();
                    break;
                }

                _receiver?.OnAlive();
                lock (_gate)
                {
                    if (_queue is null || _queue.Count == 0 || _finished)
                    {
                        EndWriting();
                        break;
                    }

                    // A little at a time, so that the transport's own limit holds the rest back.
                    for (var bytes = 0; bytes < 16 * 1024 && _queue.TryDequeue(out var next);)
                    {
                        WebSocketFrame.Write(_output, next.Opcode, next.Payload.Span);
                        _queuedBytes -= next.Payload.Length;
                        bytes += next.Payload.Length;
                    }

                    flush = _output.FlushAsync();
                }
            }
        }
        catch (Exception e) when (IsGone(e))
        {
            // The transport is gone: the reading side finds out by itself.
            Finish();
        }

        _receiver?.OnDrained();
    }

    private void EndWriting()
    {
        _writing = false;
        _queue = null;
        _queuedBytes = 0;
        _drained?.TrySetResult();
        _drained = null;
    }

    private void Finish()
    {
        lock (_gate)
        {
            _finished = true;
            EndWriting();
        }
    }

    private ValueTask OnFrame(IWebSocketReceiver receiver, WebSocketFrame frame)
    {
        switch (frame.Opcode)
        {
            case WebSocketOpcode.Ping:
                Enqueue(WebSocketOpcode.Pong, frame.Payload.ToArray(), bounded: true);
                return default;
            case WebSocketOpcode.Pong:
                return default;
            case WebSocketOpcode.Binary:
                Close(CloseCode.UnsupportedData, "text frames only");
                return default;
            case WebSocketOpcode.Text when _parts is not null:
            case WebSocketOpcode.Continuation when _parts is null:
                Close(CloseCode.ProtocolError, "fragments out of order");
                return default;
            case WebSocketOpcode.Text when frame.IsFinal && frame.Payload.IsSingleSegment:
                return OnMessage(receiver, frame.Payload.FirstSpan);
            default:
                return OnPart(receiver, frame);
        }
    }

    private ValueTask OnPart(IWebSocketReceiver receiver, WebSocketFrame frame)
    {
        var length = (int)frame.Payload.Length;
        if (_partsLength + length > Limits.FrameBytes)
        {
            Close(CloseCode.TooBig, "a message is at most 65536 bytes");
            return default;
        }

        if (_parts is null || _parts.Length < _partsLength + length)
        {
            var larger = ArrayPool<byte>.Shared.Rent(Math.Max(_partsLength + length, 1024));
            _parts?.AsSpan(0, _partsLength).CopyTo(larger);
            if (_parts is not null) ArrayPool<byte>.Shared.Return(_parts);
            _parts = larger;
        }

        frame.Payload.CopyTo(_parts.AsSpan(_partsLength));
        _partsLength += length;
        if (!frame.IsFinal) return default;
        try
        {
            return OnMessage(receiver, _parts.AsSpan(0, _partsLength));
        }
        finally
        {
            ReleaseParts();
        }
    }

    private ValueTask OnMessage(IWebSocketReceiver receiver, ReadOnlySpan<byte> text)
    {
        if (Utf8.IsValid(text)) return receiver.OnTextAsync(text);
        Close(CloseCode.InvalidPayload, "text must be UTF-8");
        return default;
    }

    private void OnClose(ReadOnlySequence<byte> payload)
    {
        if (ClosedWith != CloseCode.None) return;
        Span<byte> bytes = stackalloc byte[125];
        payload.CopyTo(bytes);
        bytes = bytes[..(int)payload.Length];
        var code = bytes.Length >= 2 ? BinaryPrimitives.ReadUInt16BigEndian(bytes) : (ushort)CloseCode.Normal;
        if (bytes.Length == 1 || !IsAllowed(code)) Close(CloseCode.ProtocolError, "no such close code");
        else if (bytes.Length > 2 && !Utf8.IsValid(bytes[2..])) Close(CloseCode.InvalidPayload, "the reason must be UTF-8");
        else Close((CloseCode)code, "");
    }

    // RFC 6455 section 7.4: what may stand in a close frame.
    private static bool IsAllowed(ushort code) => code is (>= 1000 and <= 1003) or (>= 1007 and <= 1014) or (>= 3000 and <= 4999);

    private void ReleaseParts()
    {
        if (_parts is not null) ArrayPool<byte>.Shared.Return(_parts);
        _parts = null;
        _partsLength = 0;
    }
}
