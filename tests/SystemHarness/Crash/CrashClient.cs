using System.Diagnostics;
using System.Net.WebSockets;
using System.Threading.Channels;

namespace WhatsAspire.SystemHarness.Crash;

/// <summary>One device that does what the description of the wire asks of a client, and nothing more: it keeps an outbox
/// and resends until <c>sent</c>, pulls gaps, acks, reads, and connects again whenever a connection ends. Everything
/// that it is shown goes into the <see cref="Ledger"/> and its <see cref="Holding"/>s.</summary>
internal sealed partial class CrashClient : IAsyncDisposable
{
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(5);

    /// <summary>A connection on which nothing came for this long, though pings were sent, is dead.</summary>
    private static readonly TimeSpan Silence = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan PingAfter = TimeSpan.FromSeconds(3);

    private readonly Func<Uri> _address;
    private readonly string _token;
    private readonly Ledger _ledger;
    private readonly Random _random;
    private readonly Lock _gate = new();
    private readonly Dictionary<string, Holding> _holdings = [];
    private readonly Outbox _outbox;
    private CancellationTokenSource? _stop;
    private Task _running = Task.CompletedTask;
    private ChannelWriter<object>? _outgoing;
    private string? _cursor;
    private bool _isSynced;
    private long _heardAt;
    private long _pingedAt;
    private bool _hasConnected;

    /// <param name="address">The public address, which may change.</param>
    /// <param name="account">Whose device it is.</param>
    /// <param name="name">What it is called in faults.</param>
    /// <param name="token">Its access token.</param>
    /// <param name="ledger">Of the run.</param>
    /// <param name="seed">Of what it does by chance.</param>
    public CrashClient(Func<Uri> address, Account account, string name, string token, Ledger ledger, int seed)
    {
        (_address, Account, Name, _token, _ledger, _random) = (address, account, name, token, ledger, new Random(seed));
        _outbox = new Outbox(ledger);
    }

    public Account Account { get; }

    public string Name { get; }

    public string Token => _token;

    /// <summary>Whom it sends to, users and groups, and how many messages a second.</summary>
    public IReadOnlyList<(string Id, bool IsGroup, double PerSecond)> Partners { get; set; } = [];

    /// <summary>Whether it goes on to make new messages, and reads now and then.</summary>
    public bool IsBusy { get; set; }

    /// <summary>Where a copy of a message may be sent once more, on another way.</summary>
    public IReadOnlyList<Action<Outgoing>> OtherWays { get; set; } = [];

    public bool IsSynced
    {
        get
        {
            lock (_gate) return _isSynced;
        }
    }

    /// <summary>Messages for which no <c>sent</c> came yet.</summary>
    public int Unsent
    {
        get
        {
            lock (_gate) return _outbox.Count;
        }
    }

    /// <summary>Reads that were asked for and not yet answered.</summary>
    public int UnconfirmedReads
    {
        get
        {
            lock (_gate) return _reads.Count(read => Of(read.Key).ConfirmedRead < read.Value);
        }
    }

    /// <summary>Connects, and stays connected until <see cref="StopAsync"/>.</summary>
    public void Start()
    {
        _stop = new CancellationTokenSource();
        _running = RunAsync(_stop.Token);
    }

    /// <summary>Closes the connection and stays away; what is held stays held.</summary>
    public async Task StopAsync()
    {
        if (_stop is null) return;
        await _stop.CancelAsync();
        await _running;
        _stop.Dispose();
        _stop = null;
    }

    public async ValueTask DisposeAsync() => await StopAsync();

    /// <summary>Looks at what the device holds of a conversation.</summary>
    public T Look<T>(string conversation, Func<Holding, T> look)
    {
        lock (_gate) return look(Of(conversation));
    }

    /// <summary>Sends a copy of another device's message once, if it is connected.</summary>
    public void SendCopy(Outgoing message)
    {
        lock (_gate)
            if (_isSynced) Write(Outbox.ToFrame(message));
    }

    /// <summary>Marks a conversation read up to a seq, as often as it takes.</summary>
    public void Read(string conversation, long seq)
    {
        lock (_gate) _reads[conversation] = seq;
    }

    private Holding Of(string conversation)
    {
        if (!_holdings.TryGetValue(conversation, out var holding))
            _holdings[conversation] = holding = new Holding(conversation, Name, _ledger);
        return holding;
    }

    private void Write(object frame)
    {
        // A full queue is a connection that does not move: what it does not take is sent again on the next one.
        _outgoing?.TryWrite(frame);
    }

    private async Task RunAsync(CancellationToken stop)
    {
        using var timer = new PeriodicTimer(Tick);
        while (!stop.IsCancellationRequested)
        {
            try
            {
                await ConnectAsync(stop);
            }
            catch (Exception end) when (end is WebSocketException or IOException or OperationCanceledException or HttpRequestException
                or ObjectDisposedException)
            {
                // What a client of a server that is killed must expect: it comes back. The last is what an aborted socket
                // says to the part of the connection that is just about to write.
            }
            catch (Exception bug)
            {
                _ledger.Fault($"{Name}: {bug}");
            }

            lock (_gate)
            {
                _outgoing = null;
                _isSynced = false;
                foreach (var holding in _holdings.Values) holding.Disconnected();
                _outbox.Disconnected();
                _readsAsked.Clear();
            }

            // Some ticks, so that a server that is down is not beset.
            for (var ticks = _random.Next(1, 6); ticks > 0 && !stop.IsCancellationRequested; ticks--)
                await timer.WaitForNextTickAsync(CancellationToken.None);
        }
    }

    private async Task ConnectAsync(CancellationToken stop)
    {
        using var socket = new ClientWebSocket();
        socket.Options.SetRequestHeader("Authorization", $"Bearer {_token}");
        socket.Options.KeepAliveInterval = TimeSpan.Zero;
        using (var connecting = CancellationTokenSource.CreateLinkedTokenSource(stop))
        {
            connecting.CancelAfter(ConnectTimeout);
            await socket.ConnectAsync(new UriBuilder(new Uri(_address(), "ws")) { Scheme = "ws" }.Uri, connecting.Token);
        }

        if (_hasConnected) _ledger.CountReconnect();
        _hasConnected = true;
        var outgoing = Channel.CreateBounded<object>(1024);
        lock (_gate)
        {
            _outgoing = outgoing.Writer;
            _heardAt = _pingedAt = Stopwatch.GetTimestamp();
            Write(new { type = "hello", protocol = 1, cursor = _cursor });
        }

        using var ended = CancellationTokenSource.CreateLinkedTokenSource(stop);
        Task[] parts = [ReadAsync(socket, ended.Token), WriteAsync(socket, outgoing.Reader, ended.Token), TickAsync(ended.Token)];
        await Task.WhenAny(parts);
        await ended.CancelAsync();
        socket.Abort();
        await Task.WhenAll(parts);
    }

    private static async Task WriteAsync(ClientWebSocket socket, ChannelReader<object> outgoing, CancellationToken ended)
    {
        await foreach (var frame in outgoing.ReadAllAsync(ended))
            await socket.SendAsync(Wire.Write(frame), WebSocketMessageType.Text, endOfMessage: true, ended);
    }

    private async Task ReadAsync(ClientWebSocket socket, CancellationToken ended)
    {
        var buffer = new byte[128 * 1024];
        while (true)
        {
            var length = 0;
            ValueWebSocketReceiveResult part;
            do
            {
                part = await socket.ReceiveAsync(buffer.AsMemory(length), ended);
                length += part.Count;
            }
            while (!part.EndOfMessage);

            if (part.MessageType == WebSocketMessageType.Close)
            {
                if ((int)socket.CloseStatus!.Value is not (1001 or 1011 or 1012 or 1013))
                    _ledger.Fault($"{Name}: the connection was closed with {(int)socket.CloseStatus} {socket.CloseStatusDescription}");
                return;
            }

            var frame = Wire.Read(buffer.AsSpan(0, length));
            lock (_gate)
            {
                _heardAt = Stopwatch.GetTimestamp();
                Take(frame);
            }
        }
    }

    private async Task TickAsync(CancellationToken ended)
    {
        using var timer = new PeriodicTimer(Tick);
        while (await timer.WaitForNextTickAsync(ended))
        {
            lock (_gate)
            {
                var now = Stopwatch.GetTimestamp();
                if (Stopwatch.GetElapsedTime(_heardAt, now) > Silence) return;
                if (Stopwatch.GetElapsedTime(_pingedAt, now) > PingAfter)
                {
                    Write(new { type = "ping" });
                    _pingedAt = now;
                }

                if (_isSynced) Work(now);
            }
        }
    }
}
