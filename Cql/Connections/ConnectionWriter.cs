using WhatsAspire.Cql.Protocol;

namespace WhatsAspire.Cql.Connections;

/// <summary>Sends the requests of one connection. Callers write theirs into a common buffer; whatever has gathered there while
/// the buffer before was being sent goes out in one piece. No timer, no thread of its own.</summary>
internal sealed class ConnectionWriter(Stream stream, int version, int maxUnsentBytes, Action<Exception> onFailure) : IThreadPoolWorkItem, IDisposable
{
    /// <summary>A buffer that one large request has blown up goes back to the pool.</summary>
    private const int MostBytesToKeep = 1024 * 1024;

    /// <summary>The protocol's limit for one message (section 2.4.1.5).</summary>
    private const int MaxMessageBytes = 256 * 1024 * 1024;

    private readonly Lock _gate = new();
    private FrameEncoder _encoder = new PlainEncoder();
    private ByteWriter _gathering = new();
    private ByteWriter _sending = new();
    private readonly ByteWriter _output = new();
    private long _buffer = 1;
    private bool _isSending;
    private bool _isStopped;

    /// <summary>Only while nothing is being sent.</summary>
    public void Use(FrameEncoder encoder)
    {
        lock (_gate)
            _encoder = encoder;
    }

    /// <exception cref="CqlConnectionException">The connection is closed; nothing was sent.</exception>
    /// <exception cref="CqlBusyException">Too much waits to be sent.</exception>
    /// <exception cref="ArgumentException">The request can't be written: a value doesn't fit.</exception>
    public void Enqueue(Request request, PendingRequest pending)
    {
        lock (_gate)
        {
            if (_isStopped)
                throw new CqlConnectionException("The connection is closed.");
            if (_gathering.Length > maxUnsentBytes)
                throw new CqlBusyException($"{_gathering.Length} bytes wait to be sent on a connection.");
            Write(request, pending.Stream);
            pending.Buffer = _buffer;
            if (_isSending)
                return;
            _isSending = true;
        }

        // On another thread, not here: what other callers write until it runs goes along.
        ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }

    /// <summary>Takes no more requests.</summary>
    /// <returns>The last buffer of which anything may have been sent.</returns>
    public long Stop()
    {
        lock (_gate)
        {
            if (!_isStopped && !_isSending)
                GiveBack();
            _isStopped = true;
            return _buffer - 1;
        }
    }

    public void Dispose() => Stop();

    void IThreadPoolWorkItem.Execute() => _ = SendAsync();

    private void Write(Request request, short streamId)
    {
        var payload = request.CustomPayload;
        var begin = _gathering.Length;
        try
        {
            EnvelopeHeader.Begin(_gathering, (byte)version, payload is null ? EnvelopeFlags.None : EnvelopeFlags.CustomPayload, streamId, request.Opcode);
            if (payload is not null)
                _gathering.WriteBytesMap(payload);
            request.Write(_gathering, version);
            if (_gathering.Length - begin > MaxMessageBytes)
                throw new ArgumentException($"A request of {_gathering.Length - begin} bytes is longer than the protocol's {MaxMessageBytes}.");
            EnvelopeHeader.End(_gathering, begin);
        }
        catch
        {
            _gathering.Truncate(begin);
            throw;
        }
    }

    private async Task SendAsync()
    {
        try
        {
            while (TryTake(out var isStopped))
            {
                if (isStopped)
                    break;
                _encoder.Encode(_sending.Written, _output);
                await stream.WriteAsync(_output.WrittenMemory);
                Clear(_sending);
                Clear(_output);
            }
        }
        catch (Exception failure)
        {
            onFailure(failure);
            lock (_gate)
                GiveBack();
        }
    }

    /// <returns>False where nothing is left to do, and the next request begins a new round.</returns>
    private bool TryTake(out bool isStopped)
    {
        lock (_gate)
        {
            isStopped = _isStopped;
            if (isStopped)
            {
                GiveBack();
                return true;
            }

            if (_gathering.Length == 0)
            {
                _isSending = false;
                return false;
            }

            (_gathering, _sending) = (_sending, _gathering);
            _buffer++;
            return true;
        }
    }

    /// <summary>Only by the round that sends, or where none does.</summary>
    private void GiveBack()
    {
        _gathering.Dispose();
        _sending.Dispose();
        _output.Dispose();
    }

    private static void Clear(ByteWriter writer)
    {
        if (writer.Length > MostBytesToKeep)
            writer.Dispose();
        else
            writer.Clear();
    }
}
