using System.Diagnostics;

namespace WhatsAspire.SystemHarness.Crash;

/// <summary>What a device has to send, until the server has said that it holds it. Not safe for concurrent use.</summary>
internal sealed class Outbox(Ledger ledger)
{
    /// <summary>As many may wait for their answer; the rest is not even written.</summary>
    private const int Window = 100;

    /// <summary>Longer than an edge holds a message for a service that is away, before it says so.</summary>
    private static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(12);

    // In the order in which they were written.
    private readonly OrderedDictionary<string, Waiting> _waiting = [];
    private readonly List<Outgoing> _sent = [];

    private readonly record struct Waiting(Outgoing Message, long WrittenAt);

    public int Count => _waiting.Count;

    public bool IsFull => _waiting.Count >= Window;

    public static object ToFrame(Outgoing message) => message.IsToGroup
        ? new { type = "send", client_message_id = message.ClientMessageId, conversation_id = message.To, message.Text }
        : new { type = "send", client_message_id = message.ClientMessageId, to = new { user_id = message.To }, message.Text };

    /// <summary>Makes a new message, which is about to be written.</summary>
    public Outgoing Add(Account from, string to, bool isToGroup, Random random, long now)
    {
        var id = $"{from.Username}-{ledger.Meant.Count}-{random.Next(1 << 30)}";
        var message = new Outgoing(id, from.UserId, to, isToGroup, $"{id} {new string('x', random.Next(1, 200))}");
        ledger.Meant[id] = message;
        _waiting[id] = new(message, now);
        return message;
    }

    /// <summary>A message that was answered already; null when there is none.</summary>
    public Outgoing? AnyEarlier(Random random) => _sent.Count == 0 ? null : _sent[random.Next(_sent.Count)];

    public void Sent(string clientMessageId)
    {
        if (_waiting.Remove(clientMessageId, out var waiting)) _sent.Add(waiting.Message);
    }

    /// <summary>The server could not take it now.</summary>
    /// <returns>False when it is no message of this outbox.</returns>
    public bool Refused(string? clientMessageId)
    {
        if (clientMessageId is null || !_waiting.TryGetValue(clientMessageId, out var waiting)) return false;
        _waiting[clientMessageId] = waiting with { WrittenAt = 0 };
        return true;
    }

    /// <summary>The connection is over: on the next one everything is written again.</summary>
    public void Disconnected()
    {
        foreach (var (id, waiting) in _waiting.ToArray()) _waiting[id] = waiting with { WrittenAt = 0 };
    }

    /// <summary>The frames of what has to be written again now.</summary>
    public IReadOnlyList<object> Resend(long now)
    {
        var frames = new List<object>();
        foreach (var (id, waiting) in _waiting.ToArray())
        {
            if (waiting.WrittenAt != 0 && Stopwatch.GetElapsedTime(waiting.WrittenAt, now) < AnswerTimeout) continue;
            _waiting[id] = waiting with { WrittenAt = now };
            frames.Add(ToFrame(waiting.Message));
        }

        ledger.CountResent(frames.Count);
        return frames;
    }
}
