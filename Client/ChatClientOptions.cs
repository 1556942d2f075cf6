using System.Net.WebSockets;

namespace WhatsAspire.Client;

/// <summary>What a client fetches of a conversation that existed before this device first connected. What comes later,
/// and what a device missed after its first sync, is always fetched.</summary>
public enum FirstSync
{
    /// <summary>What no device of the user has got yet. A new device does not download ten years; older messages are
    /// there through <see cref="ChatRest.GetHistoryAsync"/>.</summary>
    Undelivered,

    /// <summary>Everything.</summary>
    FromStart,

    /// <summary>Nothing: only what comes from then on.</summary>
    Nothing,
}

/// <summary>How a <see cref="ChatClient"/> behaves. The defaults suit an app.</summary>
public sealed record ChatClientOptions
{
    /// <summary>A file that keeps the outbox, the positions and the cursor, so that a new process goes on where this one
    /// ended. One process at a time, one file per device. Null: kept in memory.</summary>
    public string? StatePath { get; init; }

    public FirstSync FirstSync { get; init; } = FirstSync.Undelivered;

    /// <summary>Messages that wait for the app to read them. When there are more, they stay on the server until there
    /// is room.</summary>
    public int QueueCapacity { get; init; } = 1_000;

    /// <summary>Messages in the outbox; sending waits when it is full.</summary>
    public int OutboxCapacity { get; init; } = 10_000;

    /// <summary>Messages on their way to the server at once, over all conversations. Within one conversation it is one,
    /// so that a refused one can't be overtaken.</summary>
    public int SendWindow { get; init; } = 64;

    /// <summary>How long <c>sent</c> may take before the message is sent again.</summary>
    public TimeSpan SendTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>From the handshake to <c>welcome</c>.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>First wait before connecting or sending again; it doubles each time, up to <see cref="MaxBackoff"/>.
    /// Waits are spread between half and all of it.</summary>
    public TimeSpan MinBackoff { get; init; } = TimeSpan.FromMilliseconds(200);

    public TimeSpan MaxBackoff { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long positions are gathered before they are acknowledged together.</summary>
    public TimeSpan AckDelay { get; init; } = TimeSpan.FromMilliseconds(20);

    /// <summary>How long a live message that is ahead of its predecessor waits for it before it is asked for.</summary>
    public TimeSpan GapGrace { get; init; } = TimeSpan.FromMilliseconds(150);

    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>Opens the socket, given the address and the access token; null: a <see cref="ClientWebSocket"/> with the
    /// token in the <c>Authorization</c> header.</summary>
    public Func<Uri, string, CancellationToken, Task<WebSocket>>? OpenSocket { get; init; }

    internal void Check()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(QueueCapacity, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(OutboxCapacity, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(SendWindow, 1);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(SendTimeout, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(ConnectTimeout, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfLessThan(MinBackoff, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxBackoff, MinBackoff);
        ArgumentOutOfRangeException.ThrowIfLessThan(AckDelay, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfLessThan(GapGrace, TimeSpan.Zero);
    }

    internal TimeSpan Backoff(int failures)
    {
        var full = Math.Min(MaxBackoff.TotalMilliseconds, MinBackoff.TotalMilliseconds * Math.Pow(2, Math.Min(failures, 20)));
        return TimeSpan.FromMilliseconds(full * (0.5 + (Random.Shared.NextDouble() / 2)));
    }
}
