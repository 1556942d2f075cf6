using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Frames;

namespace WhatsAspire.Client;

/// <summary>How far a message of one's own has come. It never goes back.</summary>
public enum MessageStatus
{
    /// <summary>In the outbox.</summary>
    Pending,

    /// <summary>Durable on the server: one tick.</summary>
    Sent,

    /// <summary>A device of the recipient has it (in groups: of every recipient): two ticks.</summary>
    Delivered,

    /// <summary>The recipient has read it (in groups: every recipient).</summary>
    Read,
}

/// <summary>A message in, or from, the outbox. Safe for concurrent use.</summary>
public sealed class OutgoingMessage
{
    private readonly ChatClient _client;
    private readonly TaskCompletionSource<SentFrame> _sent = new(TaskCreationOptions.RunContinuationsAsynchronously);

    internal OutgoingMessage(ChatClient client, OutboxEntry entry, ConversationId conversation) =>
        (_client, Entry, ConversationId) = (client, entry, conversation);

    public string ClientMessageId => Entry.ClientMessageId;

    public ConversationId ConversationId { get; }

    public string Text => Entry.Text;

    /// <summary>Completes when the message is durable on the server, with its id, seq and time; fails with a
    /// <see cref="ChatException"/> when the server refused it for good, and is cancelled when the client is disposed
    /// before (a message in a state file is then sent by the next client).</summary>
    public Task<SentFrame> Sent => _sent.Task;

    /// <summary>How far it has come, as far as this client knows.</summary>
    public MessageStatus Status => _sent.Task is { IsCompletedSuccessfully: true, Result: var sent }
        ? _client.GetStatus(sent.ConversationId, sent.Seq) : MessageStatus.Pending;

    /// <summary>Waits until it has come that far.</summary>
    public async Task WaitForAsync(MessageStatus status, CancellationToken cancellationToken = default)
    {
        var sent = await Sent.WaitAsync(cancellationToken);
        await _client.WaitForStatusAsync(sent.ConversationId, sent.Seq, status, cancellationToken);
    }

    internal OutboxEntry Entry { get; }

    // Guarded by the client's lock.
    internal bool IsStored { get; set; }
    internal bool InFlight { get; set; }
    internal int Tries { get; set; }
    internal long SentAt { get; set; }
    internal long NotBefore { get; set; }

    internal void Complete(SentFrame sent) => _sent.TrySetResult(sent);
    internal void Fail(Exception error)
    {
        _sent.TrySetException(error);
        // Whoever does not look at the handle has chosen not to know.
        _ = _sent.Task.Exception;
    }

    internal void Cancel() => _sent.TrySetCanceled();
}
