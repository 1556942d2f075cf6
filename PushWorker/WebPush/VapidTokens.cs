namespace WhatsAspire.PushWorker.WebPush;

/// <summary>The tokens by which push services know this system (RFC 8292), one for each service. Safe for concurrent
/// use.</summary>
internal sealed class VapidTokens(VapidKey key, string subject, TimeProvider time) : IDisposable
{
    /// <summary>How long a token is good. A day is the most that services take.</summary>
    public static readonly TimeSpan Life = TimeSpan.FromHours(12);

    /// <summary>A token that ends sooner is not used any more.</summary>
    public static readonly TimeSpan Margin = TimeSpan.FromHours(1);

    /// <summary>Services that are remembered. There are about five; endpoints that clients make up must not fill the
    /// memory.</summary>
    public const int MaxServices = 256;

    private readonly Lock _gate = new();
    private readonly Dictionary<string, (string Header, DateTimeOffset ExpiresAt)> _tokens = new(StringComparer.Ordinal);

    /// <summary>What goes after <c>Authorization: vapid</c> for an endpoint.</summary>
    public string Get(Uri endpoint)
    {
        var origin = endpoint.GetLeftPart(UriPartial.Authority);
        lock (_gate)
        {
            var now = time.GetUtcNow();
            if (_tokens.TryGetValue(origin, out var known) && known.ExpiresAt - now >= Margin && known.ExpiresAt - now <= Life) return known.Header;
            if (_tokens.Count >= MaxServices) _tokens.Clear();
            var expires = now + Life;
            var token = CompactJwt.Es256(
                key.Key, new() { ["typ"] = "JWT" }, new() { ["aud"] = origin, ["exp"] = expires.ToUnixTimeSeconds(), ["sub"] = subject });
            var header = $"t={token}, k={key.PublicKey}";
            _tokens[origin] = (header, expires);
            return header;
        }
    }

    public void Dispose() => key.Dispose();
}
