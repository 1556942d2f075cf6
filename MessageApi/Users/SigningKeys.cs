using System.Data.Common;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.Tokens;
using WhatsAspire.MessageApi.Directory;
using WhatsAspire.ServiceDefaults;

namespace WhatsAspire.MessageApi.Users;

/// <summary>The keys that sign access tokens: in the directory, so that all replicas sign with the same one and any of
/// them can publish all. The next key is added a while before its turn, by whichever replica comes first, so that
/// every verifier has it before the first token that it signs. A key is published until its last token has
/// expired.</summary>
public sealed class SigningKeys(
    IDirectory directory, SigningKeyProtection protection, IOptions<UsersOptions> options, TimeProvider time, ILogger<SigningKeys> log)
    : IHostedService, IDisposable
{
    /// <summary>How old the keys may be when a token is signed: far less than the lead of the next key.</summary>
    private static readonly TimeSpan SigningAge = TimeSpan.FromSeconds(30);

    /// <summary>How old they may be when they are published: a verifier asks because it met a key it does not know.</summary>
    private static readonly TimeSpan PublishingAge = TimeSpan.FromSeconds(1);

    /// <summary>Kept beyond the last token's end, for clocks that differ and lifetimes that were configured longer.</summary>
    private static readonly TimeSpan Slack = TimeSpan.FromDays(1);

    private readonly SemaphoreSlim _reading = new(1);
    private volatile State? _state;

    /// <summary>What signs a token now.</summary>
    internal async ValueTask<SigningCredentials> GetSignerAsync(CancellationToken cancellationToken)
    {
        var state = await GetAsync(SigningAge, cancellationToken);
        return state.Signer(time.GetUtcNow()) is { } key
            ? key.Credentials
            : throw new InvalidOperationException("No signing key is current, though one was just added.");
    }

    /// <summary>The public keys as a JSON Web Key Set (RFC 7517): those that may have signed a token that is still good,
    /// and the next one. At most a second old.</summary>
    public async Task<string> GetJsonWebKeySetAsync(CancellationToken cancellationToken) =>
        (await GetAsync(PublishingAge, cancellationToken)).Json;

    /// <summary>Makes the first key, so that a directory whose keys can't be used stops the service at its start.</summary>
    public async Task StartAsync(CancellationToken cancellationToken) => await GetSignerAsync(cancellationToken);

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private async ValueTask<State> GetAsync(TimeSpan age, CancellationToken cancellationToken)
    {
        if (_state is { } known && IsFresh(known, age)) return known;
        await _reading.WaitAsync(cancellationToken);
        try
        {
            if (_state is { } meanwhile && IsFresh(meanwhile, age)) return meanwhile;
            return _state = await ReadAsync(cancellationToken);
        }
        catch (Exception e) when (e is DbException or TimeoutException && _state?.Signer(time.GetUtcNow()) is not null)
        {
            UsersLog.SigningKeysNotRead(log, e);
            return _state!;
        }
        finally
        {
            _reading.Release();
        }
    }

    private bool IsFresh(State state, TimeSpan age) =>
        time.GetElapsedTime(state.ReadAt) < age && state.Signer(time.GetUtcNow()) is not null;

    private async Task<State> ReadAsync(CancellationToken cancellationToken)
    {
        var readAt = time.GetTimestamp();
        var now = time.GetUtcNow();
        var keys = await directory.ListSigningKeysAsync(now, cancellationToken);
        if (!keys.Any(k => k.SignsFrom <= now && now < k.SignsUntil))
            keys = await AddAsync(now, cancellationToken);

        var lead = TimeSpan.FromTicks(Math.Min(TimeSpan.TicksPerDay, options.Value.SigningKeyLifetime.Ticks / 4));
        var end = keys.Max(k => k.SignsUntil);
        if (end - now < lead)
        {
            await AddAsync(end, cancellationToken);
            keys = await directory.ListSigningKeysAsync(now, cancellationToken);
        }
        var old = _state?.Keys.ToDictionary(k => k.Kept.Id, StringComparer.Ordinal);
        return new(readAt, [.. keys.Select(k => old?.GetValueOrDefault(k.Id) ?? Load(k))]);
    }

    private async Task<IReadOnlyList<SigningKey>> AddAsync(DateTimeOffset from, CancellationToken cancellationToken)
    {
        // Whole milliseconds: what the directory keeps.
        from = DateTimeOffset.FromUnixTimeMilliseconds(from.ToUnixTimeMilliseconds());
        var until = from + options.Value.SigningKeyLifetime;
        using var ecdsa = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var id = Base64UrlEncoder.Encode(RandomNumberGenerator.GetBytes(12));
        var key = new SigningKey(
            id, protection.Protect(id, ecdsa.ExportPkcs8PrivateKey()), from, until, until + options.Value.AccessTokenLifetime + Slack);
        var all = await directory.AddSigningKeyIfDueAsync(key, cancellationToken);
        if (all.Any(k => k.Id == id)) UsersLog.SigningKeyAdded(log, id, from);
        return all;
    }

    private LoadedKey Load(SigningKey key)
    {
        var pkcs8 = protection.Unprotect(key.Id, key.Private);
        var ecdsa = ECDsa.Create();
        ecdsa.ImportPkcs8PrivateKey(pkcs8, out _);
        CryptographicOperations.ZeroMemory(pkcs8);
        var credentials = new SigningCredentials(new ECDsaSecurityKey(ecdsa) { KeyId = key.Id }, AccessTokens.Algorithm)
        {
            // The default factory keeps signers for the whole process by the key's thumbprint, also after this
            // instance has disposed of the key.
            CryptoProviderFactory = new() { CacheSignatureProviders = false },
        };
        return new(key with { Private = [] }, ecdsa, credentials);
    }

    public void Dispose()
    {
        foreach (var key in _state?.Keys ?? []) key.Key.Dispose();
        _reading.Dispose();
    }

    private sealed record LoadedKey(SigningKey Kept, ECDsa Key, SigningCredentials Credentials);

    /// <summary>The keys as they were read, newest first.</summary>
    private sealed class State(long readAt, IReadOnlyList<LoadedKey> keys)
    {
        public long ReadAt => readAt;
        public IReadOnlyList<LoadedKey> Keys => keys;
        public string Json { get; } = Write(keys);

        public LoadedKey? Signer(DateTimeOffset now) => keys.FirstOrDefault(k => k.Kept.SignsFrom <= now && now < k.Kept.SignsUntil);

        private static string Write(IReadOnlyList<LoadedKey> keys)
        {
            using var buffer = new MemoryStream();
            using (var json = new Utf8JsonWriter(buffer))
            {
                json.WriteStartObject();
                json.WriteStartArray("keys");
                foreach (var key in keys)
                {
                    var point = key.Key.ExportParameters(includePrivateParameters: false).Q;
                    json.WriteStartObject();
                    json.WriteString("kty", "EC");
                    json.WriteString("crv", "P-256");
                    json.WriteString("use", "sig");
                    json.WriteString("alg", AccessTokens.Algorithm);
                    json.WriteString("kid", key.Kept.Id);
                    json.WriteString("x", Base64UrlEncoder.Encode(point.X));
                    json.WriteString("y", Base64UrlEncoder.Encode(point.Y));
                    json.WriteEndObject();
                }
                json.WriteEndArray();
                json.WriteEndObject();
            }
            return Encoding.UTF8.GetString(buffer.GetBuffer().AsSpan(0, (int)buffer.Length));
        }
    }
}
