using System.Runtime.CompilerServices;
using System.Text;
using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Frames;

namespace WhatsAspire.Client;

/// <summary>What a client is doing.</summary>
public enum ConnectionState
{
    /// <summary>Not connected: not started yet, or waiting before the next try.</summary>
    Offline,

    /// <summary>Opening a connection, or catching up on a new one.</summary>
    Connecting,

    /// <summary>Connected, and told of everything that changed meanwhile.</summary>
    Online,

    /// <summary>Ended for good: disposed, or <see cref="ConnectionStatus.Error"/> says why.</summary>
    Stopped,
}

/// <summary>A state and what led to it.</summary>
public sealed record ConnectionStatus(ConnectionState State, string? Reason = null, ChatException? Error = null);

/// <summary>How far the others have come in a conversation: the other one, or in groups the last of all.</summary>
public sealed record Receipt(ConversationId ConversationId, long DeliveredSeq, long ReadSeq);

/// <summary>A device's live connection. It stays connected through any of the deployment's addresses, sends each message
/// once however often it has to try, and gives the app every message once, in order. Safe for concurrent use, but for
/// <see cref="ReadMessagesAsync"/>, which has one reader at a time. Events are raised one after the other on a thread
/// of their own, under no lock; an exception from a handler ends the client.</summary>
public sealed partial class ChatClient : IAsyncDisposable
{
    private readonly IReadOnlyList<Uri> _addresses;
    private readonly ITokenProvider _tokens;
    private readonly ChatClientOptions _options;
    private readonly TimeProvider _time;
    private readonly Lock _gate = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly SemaphoreSlim _room;
    private readonly StateFile? _file;
    private readonly Outbox _outbox;
    private readonly Inbox _inbox;
    private readonly Conversations _conversations = new();
    private readonly Reads _reads = new();
    private readonly TaskCompletionSource _online = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ConnectionStatus _status = new(ConnectionState.Offline);
    private Task? _running;
    private int _reading;
    private bool _disposed;

    /// <param name="addresses">Base addresses that mean the same, tried in turn.</param>
    /// <param name="tokens">Gives access tokens.</param>
    /// <param name="options">How it behaves; null: the defaults.</param>
    /// <exception cref="IOException">The state file is in use.</exception>
    /// <exception cref="InvalidDataException">The state file is another user's, or none.</exception>
    public ChatClient(IReadOnlyList<Uri> addresses, ITokenProvider tokens, ChatClientOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(addresses);
        ArgumentNullException.ThrowIfNull(tokens);
        if (addresses.Count == 0) throw new ArgumentException("at least one address is needed", nameof(addresses));
        options ??= new();
        options.Check();
        (_addresses, _tokens, _options, _time) = (addresses, tokens, options, options.Time);
        _outbox = new(options, tokens.UserId);
        if (options.StatePath is { } path) _file = StateFile.Open(path, tokens.UserId);
        _cursor = _file?.Cursor;
        _inbox = new(options, _file?.Positions ?? new Dictionary<ConversationId, long>(), _cursor is not null, Seen);
        _room = new(Math.Max(options.OutboxCapacity, _file?.Outbox.Count ?? 0));
        foreach (var entry in _file?.Outbox ?? [])
        {
            _room.Wait(0);
            _outbox.Add(new(this, entry, entry.Lane(tokens.UserId)) { IsStored = true });
        }

        _alarm = _time.CreateTimer(static state => ((ChatClient)state!).Wake(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>What the client does changed.</summary>
    public event Action<ConnectionStatus>? StatusChanged;

    /// <summary>A conversation is new, or its summary changed. When it changes often, only the latest is told.</summary>
    public event Action<ConversationFrame>? ConversationChanged;

    /// <summary>The others have got or read more. When it changes often, only the latest is told.</summary>
    public event Action<Receipt>? ReceiptChanged;

    /// <summary>Whose client it is.</summary>
    public UserId UserId => _tokens.UserId;

    public ConnectionStatus Status
    {
        get { lock (_gate) return _status; }
    }

    /// <summary>Ends when the client has stopped: fails with what stopped it, unless that was <see cref="DisposeAsync"/>.</summary>
    public Task Completion => _completion.Task;

    /// <summary>The conversations that the client has been told of, with unread counts, in no particular order. One
    /// summary each is kept.</summary>
    public IReadOnlyList<ConversationFrame> Conversations
    {
        get { lock (_gate) return _conversations.All(); }
    }

    /// <summary>Messages of the outbox, also those of an earlier process that shared the state file.</summary>
    public IReadOnlyList<OutgoingMessage> Outbox
    {
        get { lock (_gate) return [.. _outbox.All]; }
    }

    /// <summary>Begins to connect, and goes on until the client is disposed or is told not to come back.</summary>
    public void Start()
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            _running ??= Task.Run(RunAsync);
        }
    }

    /// <summary>Starts, and waits until the client is online for the first time. A server that does not answer is tried
    /// again and again: <paramref name="cancellationToken"/> limits the wait, not the trying.</summary>
    /// <exception cref="ChatException">The server does not let this device in.</exception>
    public Task ConnectAsync(CancellationToken cancellationToken = default)
    {
        Start();
        return _online.Task.WaitAsync(cancellationToken);
    }

    /// <summary>Puts a message to a user into the outbox.</summary>
    /// <inheritdoc cref="SendAsync(ConversationId, string, MessageId?, string?, CancellationToken)"/>
    public Task<OutgoingMessage> SendAsync(
        UserId to, string text, MessageId? replyTo = null, string? clientMessageId = null, CancellationToken cancellationToken = default) =>
        SendAsync(new OutboxEntry(clientMessageId ?? NewId(), to, null, text, replyTo), cancellationToken);

    /// <summary>Puts a message into the outbox. It is sent in the order of the calls within its conversation, again and
    /// again until the server has it or refuses it for good. Completes when it is in the outbox (and on the disk, with a
    /// state file); <see cref="OutgoingMessage.Sent"/> completes when the server has it. The outbox works offline too;
    /// when it is full, this waits.</summary>
    /// <param name="conversation">Where to.</param>
    /// <param name="text">1 to 4,096 code points.</param>
    /// <param name="replyTo">The message that it answers.</param>
    /// <param name="clientMessageId">1 to 64 characters of printable ASCII, the same for the same message; null: a new one.</param>
    /// <param name="cancellationToken">Ends the wait for room in the outbox.</param>
    /// <exception cref="ChatException">The message can't be sent as it is, or its id is in the outbox with other content.</exception>
    /// <exception cref="IOException">The state file can't be written; the message is not sent.</exception>
    public Task<OutgoingMessage> SendAsync(
        ConversationId conversation, string text, MessageId? replyTo = null, string? clientMessageId = null, CancellationToken cancellationToken = default) =>
        SendAsync(new OutboxEntry(clientMessageId ?? NewId(), null, conversation, text, replyTo), cancellationToken);

    /// <summary>Every message of every conversation, others' and one's own (from this device too), once, in the order of
    /// seq within its conversation. One reader at a time; a later one goes on where an earlier one ended. A message is
    /// acknowledged ('delivered') when it is given to the reader. With a state file, its position is kept when the reader
    /// asks for the next one: after a crash, the message that was being handled comes again. While nobody reads, at most
    /// <see cref="ChatClientOptions.QueueCapacity"/> wait here, the rest on the server.</summary>
    /// <exception cref="InvalidOperationException">There is a reader already.</exception>
    /// <exception cref="ChatException">The client was stopped by the server. When it is disposed, the messages just end.</exception>
    public async IAsyncEnumerable<MessageFrame> ReadMessagesAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        if (Interlocked.Exchange(ref _reading, 1) == 1) throw new InvalidOperationException("messages have one reader at a time");
        try
        {
            while (await _inbox.Queue.WaitToReadAsync(cancellationToken))
            {
                while (TryTake() is { } message)
                {
                    try
                    {
                        yield return message;
                    }
                    finally
                    {
                        Handled(message);
                    }
                }
            }
        }
        finally
        {
            Volatile.Write(ref _reading, 0);
        }
    }

    /// <summary>Marks everything up to a message read, on all of the user's devices. Completes when the server has it;
    /// offline, that is when the client is online again.</summary>
    /// <exception cref="ChatException">The server refused it.</exception>
    public Task MarkReadAsync(ConversationId conversation, long seq, CancellationToken cancellationToken = default)
    {
        Task read;
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (_status.Error is { } error) return Task.FromException(error);
            if (_conversations.Find(conversation) is { } summary && summary.ReadSeq >= seq) return Task.CompletedTask;
            read = _reads.Add(conversation, seq);
        }

        Wake();
        return read.WaitAsync(cancellationToken);
    }

    /// <summary>A conversation's summary; null when the client was not told of it.</summary>
    public ConversationFrame? GetConversation(ConversationId conversation)
    {
        lock (_gate) return _conversations.Find(conversation);
    }

    /// <summary>How far an own message that was sent has come, as far as this client knows.</summary>
    public MessageStatus GetStatus(ConversationId conversation, long seq)
    {
        lock (_gate) return _conversations.Status(conversation, seq);
    }

    /// <summary>Waits until an own message that was sent has come that far.</summary>
    public async Task WaitForStatusAsync(
        ConversationId conversation, long seq, MessageStatus status, CancellationToken cancellationToken = default)
    {
        Task reached;
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            reached = _conversations.WaitForAsync(conversation, seq, status, cancellationToken);
        }

        await reached;
    }

    /// <summary>Acknowledges what was given to the app, says good-bye and stops. What is in the outbox is cancelled; with
    /// a state file, the next client sends it.</summary>
    public async ValueTask DisposeAsync()
    {
        Task? running;
        lock (_gate)
        {
            if (_disposed) return;
            _disposed = true;
            running = _running;
        }

        await _stop.CancelAsync();
        if (running is not null) await running;
        else Stop(null, null);
        if (_file is not null)
        {
            lock (_gate) FlushPositions();
            await _file.DisposeAsync();
        }

        await _alarm.DisposeAsync();
        _stop.Dispose();
        _room.Dispose();
    }

    private static string NewId() => Guid.CreateVersion7().ToString();

    private async Task<OutgoingMessage> SendAsync(OutboxEntry entry, CancellationToken cancellationToken)
    {
        Check(entry);
        await WaitForRoomAsync(cancellationToken);
        OutgoingMessage message;
        Task stored;
        lock (_gate)
        {
            if (_disposed || _stopped)
                throw _status.Error ?? (Exception)new ObjectDisposedException(nameof(ChatClient));

            if (_outbox.Find(entry.ClientMessageId) is { } same)
            {
                _room.Release();
                return same.Entry.SameContent(entry, UserId) ? same
                    : throw ChatException.From(new(ErrorCode.Conflict, $"'{entry.ClientMessageId}' is in the outbox with other content"));
            }

            message = new(this, entry, entry.Lane(UserId)) { IsStored = _file is null };
            _outbox.Add(message);
            stored = _file?.StoreAsync(entry) ?? Task.CompletedTask;
        }

        try
        {
            await stored;
        }
        catch (Exception e)
        {
            Finish(message, null, e);
            throw;
        }

        lock (_gate) message.IsStored = true;
        Wake();
        return message;
    }

    private async Task WaitForRoomAsync(CancellationToken cancellationToken)
    {
        lock (_gate)
            if (_disposed || _room.Wait(0, CancellationToken.None)) return;
        using var either = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token, cancellationToken);
        await _room.WaitAsync(either.Token);
    }

    private static void Check(OutboxEntry entry)
    {
        ArgumentNullException.ThrowIfNull(entry.Text);
        byte[] text;
        try
        {
            text = StrictUtf8.GetBytes(entry.Text);
        }
        catch (EncoderFallbackException)
        {
            throw ChatException.From(Error.Invalid("the text holds half of a surrogate pair; it must be whole Unicode characters"));
        }

        if (MessageRules.Check(entry.ClientMessageId, text, entry.To, entry.ConversationId) is { } error) throw ChatException.From(error);
    }

    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private MessageFrame? TryTake()
    {
        if (!_inbox.Queue.TryRead(out var message)) return null;
        bool more;
        lock (_gate) more = _inbox.Take(message, _time.GetTimestamp());
        if (more) Wake();
        return message;
    }

    private void Handled(MessageFrame message)
    {
        lock (_gate) _inbox.Store(message.ConversationId, message.Seq);
        if (_file is not null) Wake();
    }

    // Ends a message's stay in the outbox: sent, or failed.
    private void Finish(OutgoingMessage message, SentFrame? sent, Exception? error)
    {
        lock (_gate)
        {
            _outbox.Remove(message.ClientMessageId);
            _file?.Write(new() { Done = message.ClientMessageId });
            if (!_disposed) _room.Release();
        }

        if (sent is not null) message.Complete(sent);
        else message.Fail(error!);
    }
}
