using System.Security.Cryptography;

namespace WhatsAspire.PushWorker.Apns;

/// <summary>The token by which Apple knows this provider. Apple takes none that is older than an hour, and does not want
/// a new one more often than every 20 minutes. Safe for concurrent use.</summary>
internal sealed class ApnsProviderToken(ECDsa key, string keyId, string teamId, TimeProvider time) : IDisposable
{
    /// <summary>Well before Apple's hour ends, so that clocks may differ.</summary>
    public static readonly TimeSpan MaxAge = TimeSpan.FromMinutes(50);

    /// <summary>Apple's least time between two tokens.</summary>
    public static readonly TimeSpan MinAge = TimeSpan.FromMinutes(20);

    private readonly Lock _gate = new();
    private string? _token;
    private DateTimeOffset _madeAt;

    /// <summary>The token to use now.</summary>
    public string Get()
    {
        lock (_gate)
        {
            if (_token is null || Age >= MaxAge) Make();
            return _token!;
        }
    }

    /// <summary>Asks for another token than one that Apple calls expired.</summary>
    /// <param name="rejected">That token.</param>
    /// <returns>How long it takes until there may be another; zero: <see cref="Get"/> has it.</returns>
    public TimeSpan Replace(string rejected)
    {
        lock (_gate)
        {
            if (_token != rejected) return TimeSpan.Zero;
            if (Age < MinAge) return MinAge - Age;
            Make();
            return TimeSpan.Zero;
        }
    }

    public void Dispose() => key.Dispose();

    /// <summary>A clock that was set back must not keep a token for ever: its age then counts as the greatest.</summary>
    private TimeSpan Age => time.GetUtcNow() is var now && now >= _madeAt ? now - _madeAt : MaxAge;

    private void Make()
    {
        _madeAt = time.GetUtcNow();
        _token = CompactJwt.Es256(key, new() { ["kid"] = keyId }, new() { ["iss"] = teamId, ["iat"] = _madeAt.ToUnixTimeSeconds() });
    }
}
