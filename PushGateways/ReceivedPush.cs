namespace WhatsAspire.PushGateways;

/// <summary>A notification that a gateway took, as its device would get it.</summary>
public sealed record ReceivedPush
{
    /// <summary>Rises by one from 1 on.</summary>
    public long Number { get; init; }

    /// <summary>A <see cref="GatewayProviders"/>.</summary>
    public required string Provider { get; init; }

    /// <summary>The device's token; of Web Push its endpoint.</summary>
    public required string Token { get; init; }

    public string? Title { get; init; }
    public string? Body { get; init; }
    public long? Badge { get; init; }

    /// <summary>Nothing is shown.</summary>
    public bool IsSilent { get; init; }

    /// <summary>What it takes the place of.</summary>
    public string? CollapseKey { get; init; }

    /// <summary>Null: it is not kept for a device that is offline.</summary>
    public DateTimeOffset? ExpiresAt { get; init; }

    public string? ConversationId { get; init; }
    public string? MessageId { get; init; }
    public long? Seq { get; init; }

    /// <summary>High, or that its device may let it wait.</summary>
    public bool IsUrgent { get; init; }

    public DateTimeOffset At { get; init; }

    /// <summary>The JSON that the app gets.</summary>
    public required string Payload { get; init; }

    /// <summary>The request's headers of the provider's own, by names in lower case; without credentials.</summary>
    public IReadOnlyDictionary<string, string> Headers { get; init; } = new Dictionary<string, string>();

    /// <summary>The size of the request's body, bytes.</summary>
    public int Bytes { get; init; }
}

/// <summary>A request that a gateway answered.</summary>
/// <param name="Provider">A <see cref="GatewayProviders"/>.</param>
/// <param name="Token">The device's; empty where it is not known.</param>
/// <param name="Status">The answer's; 0: none was given.</param>
/// <param name="Reason">The word in it; empty where it was taken.</param>
/// <param name="Authorization">The request's credentials.</param>
/// <param name="Connection">Which connection it came by.</param>
public sealed record AnsweredRequest(string Provider, string Token, int Status, string Reason, string Authorization, string Connection);

/// <summary>The newest of what came, and a way to wait for it. Safe for concurrent use.</summary>
internal sealed class Inbox
{
    /// <summary>What is kept of each.</summary>
    public const int Capacity = 500;

    private readonly Lock _gate = new();
    private readonly Queue<ReceivedPush> _received = new();
    private readonly Queue<AnsweredRequest> _answered = new();
    private readonly List<(Func<ReceivedPush, bool> Predicate, TaskCompletionSource<ReceivedPush> Found)> _waiting = [];
    private long _number;

    public IReadOnlyList<ReceivedPush> Received
    {
        get
        {
            lock (_gate) return [.. _received];
        }
    }

    public IReadOnlyList<AnsweredRequest> Answered
    {
        get
        {
            lock (_gate) return [.. _answered];
        }
    }

    public void Add(AnsweredRequest request)
    {
        lock (_gate)
        {
            if (_answered.Count == Capacity) _answered.Dequeue();
            _answered.Enqueue(request);
        }
    }

    public void Add(ReceivedPush push)
    {
        lock (_gate)
        {
            if (_received.Count == Capacity) _received.Dequeue();
            push = push with { Number = ++_number };
            _received.Enqueue(push);
            for (var i = _waiting.Count - 1; i >= 0; i--)
            {
                if (!_waiting[i].Predicate(push)) continue;
                _waiting[i].Found.TrySetResult(push);
                _waiting.RemoveAt(i);
            }
        }
    }

    public async Task<ReceivedPush> UntilAsync(Func<ReceivedPush, bool> predicate, TimeSpan timeout, CancellationToken cancellationToken)
    {
        var found = new TaskCompletionSource<ReceivedPush>(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_gate)
        {
            if (_received.FirstOrDefault(predicate) is { } already) return already;
            _waiting.Add((predicate, found));
        }
        try
        {
            return await found.Task.WaitAsync(timeout, cancellationToken);
        }
        catch (TimeoutException)
        {
            throw new TimeoutException($"no such notification arrived within {timeout}; {Received.Count} others did");
        }
        finally
        {
            lock (_gate) _waiting.RemoveAll(waiting => waiting.Found == found);
        }
    }
}
