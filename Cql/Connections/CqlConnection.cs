using System.Buffers;
using System.Net;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using WhatsAspire.Cql.Protocol;

namespace WhatsAspire.Cql.Connections;

/// <summary>One connection to one node: many requests at once, each on a stream of its own. Whatever goes wrong with it closes
/// it, fails what waits, and leaves it to the pool to open another.</summary>
internal sealed class CqlConnection : IEnvelopeHandler, IAsyncDisposable
{
    private const int ReadBufferBytes = 64 * 1024;

    private static readonly byte[] VoidBody = [0, 0, 0, (byte)ResultKind.Void];

    private readonly Stream _stream;
    private readonly CqlOptions _options;
    private readonly CqlMetrics _metrics;
    private readonly TimeProvider _time;
    private readonly PendingRequest?[] _requests;
    private readonly Channel<short> _free = Channel.CreateUnbounded<short>();
    private readonly ConnectionWriter _writer;
    private readonly TaskCompletionSource _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private FrameDecoder _decoder;
    private (bool Compressed, bool IsSwitched) _framing;
    private Task _reading = Task.CompletedTask;
    private Exception? _reason;
    private long _lastReceived;
    private int _inFlight;
    private int _waiting;
    private int _orphans;
    private int _isProbing;

    public CqlConnection(Stream stream, IPEndPoint node, int version, CqlOptions options, CqlMetrics metrics, TimeProvider time)
    {
        (_stream, Node, Version, _options, _metrics, _time) = (stream, node, version, options, metrics, time);
        _requests = new PendingRequest?[options.MaxRequestsPerConnection];
        for (short id = 0; id < _requests.Length - 1; id++)
            _free.Writer.TryWrite(id);
        _free.Writer.TryWrite((short)(_requests.Length - 1));
        _decoder = new EnvelopeDecoder(options.MaxResponseBytes);
        _writer = new(stream, version, options.MaxUnsentBytesPerConnection, failure => Close(failure));
        _lastReceived = time.GetTimestamp();
    }

    public IPEndPoint Node { get; }

    public int Version { get; }

    /// <summary>The keyspace that names without one belong to; null until it was set.</summary>
    public string? Keyspace { get; set; }

    /// <summary>Requests without an answer, those that were given up included.</summary>
    public int InFlight => Volatile.Read(ref _inFlight);

    /// <summary>Of these, those that were given up.</summary>
    public int Orphans => Volatile.Read(ref _orphans);

    public bool IsOpen => Volatile.Read(ref _reason) is null;

    /// <summary>Why it is closed; null while it is open.</summary>
    public Exception? Reason => Volatile.Read(ref _reason);

    /// <summary>Ends when the connection does.</summary>
    public Task Closed => _closed.Task;

    /// <summary>Called on the reading thread: it must be quick.</summary>
    public Action<ServerEvent>? OnEvent { get; set; }

    public void Start() => _reading = ReadAsync();

    /// <summary>From the answer to STARTUP on, frames are made this way.</summary>
    public void SwitchFramingOnReady(bool compressed) => _framing = (compressed, false);

    /// <summary>Sends a request and gives its answer, ERROR included. Requests beyond the streams wait in their order.</summary>
    /// <exception cref="CqlConnectionException">The connection closed; it says whether the request may have left.</exception>
    /// <exception cref="CqlBusyException">Too many wait already.</exception>
    /// <exception cref="RequestNotSentException">Given up before it was sent.</exception>
    /// <exception cref="OperationCanceledException">Given up after that; the answer, when it comes, is dropped.</exception>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<Response> SendAsync(Request request, CancellationToken cancellationToken)
    {
        if (!_free.Reader.TryRead(out var stream))
            stream = await WaitForStreamAsync(cancellationToken);
        var pending = _requests[stream] ??= new(this, stream);
        pending.Begin();
        try
        {
            _writer.Enqueue(request, pending);
        }
        catch
        {
            pending.Abandon();
            _free.Writer.TryWrite(stream);
            throw;
        }

        Interlocked.Increment(ref _inFlight);
        var registration = cancellationToken.UnsafeRegister(
            static (state, token) => ((PendingRequest)state!).Connection.GiveUp((PendingRequest)state, token), pending);
        try
        {
            return await pending.Answer;
        }
        finally
        {
            // Waits for a callback that runs: after this nobody touches the place but its answer.
            registration.Dispose();
            Release(pending);
        }
    }

    /// <summary>Asks for a sign of life where there has been none for a while, and closes the connection where none comes.</summary>
    /// <param name="silence">Ask only when nothing has come for so long.</param>
    public async Task ProbeAsync(TimeSpan silence)
    {
        if (_time.GetElapsedTime(Volatile.Read(ref _lastReceived)) < silence || !IsOpen || Interlocked.Exchange(ref _isProbing, 1) != 0)
            return;
        var before = Volatile.Read(ref _lastReceived);
        using var timeout = new CancellationTokenSource(_options.HeartbeatTimeout, _time);
        try
        {
            await SendAsync(OptionsRequest.Instance, timeout.Token);
        }
        catch (OperationCanceledException) when (Volatile.Read(ref _lastReceived) == before)
        {
            Close(new TimeoutException($"no sign of life within {_options.HeartbeatTimeout}"));
        }
        catch (Exception failure) when (failure is CqlException or OperationCanceledException)
        {
            // Closed meanwhile, or so busy that it is certainly alive.
        }
        finally
        {
            Volatile.Write(ref _isProbing, 0);
        }
    }

    /// <summary>Closes the connection and fails what waits for answers.</summary>
    public void Close(Exception reason)
    {
        if (Interlocked.CompareExchange(ref _reason, reason, null) is not null)
            return;
        var lastSent = _writer.Stop();
        _free.Writer.TryComplete();
        _stream.Dispose();
        foreach (var pending in _requests)
        {
            if (pending is { IsWaiting: true })
                pending.TryFail(ClosedError(pending.Buffer <= lastSent));
        }

        _closed.TrySetResult();
    }

    public async ValueTask DisposeAsync()
    {
        Close(new ObjectDisposedException(nameof(CqlConnection)));
        await _reading;
    }

    void IEnvelopeHandler.OnEnvelope(EnvelopeHeader header, ReadOnlySpan<byte> body)
    {
        // An old server answers a version that it doesn't know with an error in its own.
        if ((header.Version & ~EnvelopeHeader.ResponseBit) != Version && header.Opcode != Opcode.Error)
            throw new CqlProtocolException($"A message of version {header.Version & ~EnvelopeHeader.ResponseBit} on a connection of version {Version}.");
        if (header.Stream == EnvelopeHeader.EventStream)
        {
            if (header.Opcode == Opcode.Event)
                OnEvent?.Invoke(ServerEvent.Read(new(header.Opcode, header.Flags, body.ToArray())));
            return;
        }

        if (header.Opcode is Opcode.Ready or Opcode.Authenticate && !_framing.IsSwitched)
            SwitchFraming();
        Answer(header, body);
    }

    private void Answer(EnvelopeHeader header, ReadOnlySpan<byte> body)
    {
        var pending = (uint)header.Stream < (uint)_requests.Length ? _requests[header.Stream] : null;
        // What most writes are answered with needs no array of its own.
        var isVoid = header.Opcode == Opcode.Result && header.Flags == EnvelopeFlags.None && body.SequenceEqual(VoidBody);
        var wasExpected = false;
        if (pending?.TryAnswer(new(header.Opcode, header.Flags, isVoid ? VoidBody : body.ToArray()), out wasExpected) == false && wasExpected)
            Interlocked.Decrement(ref _orphans);
        if (!wasExpected)
            throw new CqlProtocolException($"An answer on stream {header.Stream}, on which nothing was asked.");
        Interlocked.Decrement(ref _inFlight);
        Release(pending!);
    }

    private void SwitchFraming()
    {
        _framing = _framing with { IsSwitched = true };
        _decoder.Dispose();
        _decoder = FrameDecoder.For(Version, _framing.Compressed, _options.MaxResponseBytes);
        _writer.Use(FrameEncoder.For(Version, _framing.Compressed));
    }

    private async ValueTask<short> WaitForStreamAsync(CancellationToken cancellationToken)
    {
        try
        {
            if (Interlocked.Increment(ref _waiting) > _options.MaxWaitingPerConnection)
                throw new CqlBusyException($"{Node}: {_options.MaxWaitingPerConnection} requests wait for a connection already.") { Node = Node };
            return await _free.Reader.ReadAsync(cancellationToken);
        }
        catch (ChannelClosedException)
        {
            throw ClosedError(mayHaveLeft: false);
        }
        catch (OperationCanceledException given)
        {
            throw new RequestNotSentException(given.CancellationToken);
        }
        finally
        {
            Interlocked.Decrement(ref _waiting);
        }
    }

    private void GiveUp(PendingRequest pending, CancellationToken cancellationToken)
    {
        if (!pending.TryGiveUp(cancellationToken))
            return;
        _metrics.Orphaned();
        if (Interlocked.Increment(ref _orphans) >= _options.MaxOrphansPerConnection)
            Close(new TimeoutException($"{_options.MaxOrphansPerConnection} requests were given up without an answer"));
    }

    private void Release(PendingRequest pending)
    {
        if (pending.Release())
            _free.Writer.TryWrite(pending.Stream);
    }

    private CqlConnectionException ClosedError(bool mayHaveLeft) =>
        new($"{Node}: the connection ended: {Reason?.Message}", Reason) { Node = Node, MayHaveBeenApplied = mayHaveLeft };

    private async Task ReadAsync()
    {
        var buffer = ArrayPool<byte>.Shared.Rent(ReadBufferBytes);
        var (start, end) = (0, 0);
        try
        {
            while (true)
            {
                int done;
                while ((done = _decoder.Decode(buffer.AsSpan(start, end - start), this)) > 0)
                    start += done;
                (start, end) = MakeRoom(ref buffer, start, end);
                var read = await _stream.ReadAsync(buffer.AsMemory(end));
                if (read == 0)
                    throw new EndOfStreamException(end > start ? "closed by the server in the middle of a message" : "closed by the server");
                end += read;
                Volatile.Write(ref _lastReceived, _time.GetTimestamp());
            }
        }
        catch (Exception failure)
        {
            Close(failure);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
            _decoder.Dispose();
        }
    }

    /// <summary>Grows only once what has come fills the buffer: what a header announces costs nothing.</summary>
    private static (int Start, int End) MakeRoom(ref byte[] buffer, int start, int end)
    {
        if (start == end)
        {
            if (buffer.Length > 16 * ReadBufferBytes)
            {
                ArrayPool<byte>.Shared.Return(buffer);
                buffer = ArrayPool<byte>.Shared.Rent(ReadBufferBytes);
            }

            return (0, 0);
        }

        if (end < buffer.Length)
            return (start, end);
        var from = buffer;
        if (start == 0)
            buffer = ArrayPool<byte>.Shared.Rent(checked(buffer.Length * 2));
        from.AsSpan(start, end - start).CopyTo(buffer);
        if (start == 0)
            ArrayPool<byte>.Shared.Return(from);
        return (0, end - start);
    }
}

/// <summary>A request was given up before anything of it was sent.</summary>
internal sealed class RequestNotSentException(CancellationToken cancellationToken)
    : OperationCanceledException("The request was given up before it was sent.", cancellationToken);
