namespace WhatsAspire.PushGateways;

/// <summary>How a gateway treats a request that is in order.</summary>
public sealed record Behaviour
{
    private Behaviour()
    {
    }

    /// <summary>The provider's word for a refusal; of Web Push the status.</summary>
    public string? Reason { get; private init; }

    /// <summary>The least wait that a refusal asks for.</summary>
    public TimeSpan? RetryAfter { get; private init; }

    /// <summary>Of a dead token: since when.</summary>
    public DateTimeOffset? Since { get; private init; }

    /// <summary>How long the answer takes, by the gateway's clock.</summary>
    public TimeSpan Delay { get; private init; }

    /// <summary>Whether the connection ends in place of an answer.</summary>
    public bool IsCut { get; private init; }

    /// <summary>Refuses it, with the status that belongs to the word.</summary>
    public static Behaviour Refuse(string reason, TimeSpan? retryAfter = null, DateTimeOffset? since = null) =>
        new() { Reason = reason, RetryAfter = retryAfter, Since = since };

    /// <summary>Takes it, and says so late.</summary>
    public static Behaviour AnswerAfter(TimeSpan delay) => new() { Delay = delay };

    /// <summary>Takes it, and ends the connection in place of an answer.</summary>
    public static Behaviour CutConnection() => new() { IsCut = true };
}

/// <summary>What the gateways are to do, request by request. The first rule that fits goes. Safe for concurrent use.</summary>
public sealed class PushScript
{
    private readonly Lock _gate = new();
    private readonly List<Rule> _rules = [];

    /// <summary>For requests to one device.</summary>
    public void For(string token, Behaviour behaviour, int times = int.MaxValue) => Add(new(null, token, behaviour) { Left = times });

    /// <summary>For all requests to a <see cref="GatewayProviders"/>.</summary>
    public void ForAll(string provider, Behaviour behaviour, int times = int.MaxValue) => Add(new(provider, null, behaviour) { Left = times });

    /// <summary>As if nothing had been said.</summary>
    public void Clear()
    {
        lock (_gate) _rules.Clear();
    }

    internal Behaviour? Next(string provider, string token)
    {
        lock (_gate)
        {
            var rule = _rules.Find(r => (r.Provider ?? provider) == provider && (r.Token ?? token) == token);
            if (rule is null) return null;
            if (--rule.Left == 0) _rules.Remove(rule);
            return rule.Behaviour;
        }
    }

    private void Add(Rule rule)
    {
        lock (_gate) _rules.Add(rule);
    }

    private sealed record Rule(string? Provider, string? Token, Behaviour Behaviour)
    {
        public int Left { get; set; }
    }
}
