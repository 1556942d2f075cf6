using System.Collections.Frozen;
using Microsoft.Extensions.Logging;
using Microsoft.IdentityModel.Tokens;
using WhatsAspire.Contracts;

namespace WhatsAspire.ServiceDefaults;

/// <summary>The public keys that access tokens may be signed with.</summary>
public interface ISigningKeySource
{
    /// <returns>The key; <c>unauthenticated</c> when there is none of that id, <c>unavailable</c> when that can't be told
    /// now.</returns>
    ValueTask<Outcome<SecurityKey>> FindAsync(string keyId, CancellationToken cancellationToken);
}

/// <summary>Keeps a JSON Web Key Set (RFC 7517) that is fetched from elsewhere: again every
/// <see cref="RefreshInterval"/>, and when a token names a key that is not in it, but then at most every
/// <see cref="MinimumInterval"/>, so that made-up key ids can't cause a storm. While the set can't be fetched the keys
/// known so far stay good. Safe for concurrent use.</summary>
/// <param name="fetch">Gets the key set as JSON. Any exception means 'not now'.</param>
/// <param name="time">The clock.</param>
/// <param name="log">Told of fetches that failed.</param>
public sealed class SigningKeySource(
    Func<CancellationToken, Task<string>> fetch, TimeProvider time, ILogger<SigningKeySource> log) : ISigningKeySource, IDisposable
{
    /// <summary>How old the set may get.</summary>
    public static readonly TimeSpan RefreshInterval = TimeSpan.FromMinutes(5);

    /// <summary>Least time between two fetches.</summary>
    public static readonly TimeSpan MinimumInterval = TimeSpan.FromSeconds(3);

    /// <summary>Longest that one fetch may take.</summary>
    public static readonly TimeSpan FetchTimeout = TimeSpan.FromSeconds(5);

    private readonly SemaphoreSlim _fetching = new(1);
    private volatile FrozenDictionary<string, SecurityKey> _keys = FrozenDictionary<string, SecurityKey>.Empty;
    private long? _fetchedAt;
    private long? _triedAt;
    private bool _failing;

    public async ValueTask<Outcome<SecurityKey>> FindAsync(string keyId, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(keyId);
        if (_keys.TryGetValue(keyId, out var key))
        {
            // The key is good; one caller alone looks after the set, the others go on.
            if (!IsStale() || !await _fetching.WaitAsync(0, cancellationToken)) return key;
        }
        else
        {
            await _fetching.WaitAsync(cancellationToken);
        }
        try
        {
            if (key is null ? !_keys.ContainsKey(keyId) : IsStale()) await RefreshAsync(cancellationToken);
        }
        finally
        {
            _fetching.Release();
        }
        if (key is not null || _keys.TryGetValue(keyId, out key)) return key;
        return _failing
            ? Error.Unavailable("access tokens can't be checked now: the signing keys can't be had")
            : new Error(ErrorCode.Unauthenticated, "the access token is signed with a key that this server does not know");
    }

    private bool IsStale() => _fetchedAt is not { } at || time.GetElapsedTime(at) >= RefreshInterval;

    private async Task RefreshAsync(CancellationToken cancellationToken)
    {
        if (_triedAt is { } tried && time.GetElapsedTime(tried) < MinimumInterval) return;
        using var timeout = new CancellationTokenSource(FetchTimeout, time);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        try
        {
            var json = await fetch(linked.Token);
            _keys = new JsonWebKeySet(json).GetSigningKeys()
                .Where(k => k is ECDsaSecurityKey { KeySize: 256 } && !string.IsNullOrEmpty(k.KeyId))
                .ToFrozenDictionary(k => k.KeyId, StringComparer.Ordinal);
            _fetchedAt = _triedAt = time.GetTimestamp();
            _failing = false;
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            // Whatever the transport throws means the same here: go on with the keys known so far.
            _triedAt = time.GetTimestamp();
            _failing = true;
            AuthLog.KeysNotFetched(log, e);
        }
    }

    public void Dispose() => _fetching.Dispose();
}

internal static partial class AuthLog
{
    [LoggerMessage(7020, LogLevel.Warning, "The signing keys could not be fetched; those known so far stay in use")]
    public static partial void KeysNotFetched(ILogger logger, Exception exception);
}
