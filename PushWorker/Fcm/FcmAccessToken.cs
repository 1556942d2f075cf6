using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace WhatsAspire.PushWorker.Fcm;

/// <summary>The access token of a service account, which a token that the account signed is exchanged for (RFC 7523). There
/// is one exchange at a time, and who waits for it shares its outcome. Safe for concurrent use.</summary>
internal sealed class FcmAccessToken : IDisposable
{
    /// <summary>How long before its end a token is no longer used.</summary>
    public static readonly TimeSpan Margin = TimeSpan.FromMinutes(5);

    private const string Scope = "https://www.googleapis.com/auth/firebase.messaging";
    private const string GrantType = "urn:ietf:params:oauth:grant-type:jwt-bearer";

    /// <summary>Google's limit.</summary>
    private static readonly TimeSpan AssertionLife = TimeSpan.FromHours(1);

    private readonly ServiceAccount _account;
    private readonly Uri _address;
    private readonly PushChannel _channel;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly CancellationTokenSource _disposed = new();
    private readonly Lock _gate = new();
    private string? _token;
    private DateTimeOffset _goodUntil;
    private Task<Answer>? _exchange;

    public FcmAccessToken(ServiceAccount account, Uri address, PushChannel channel, TimeProvider time, ILogger log)
    {
        _account = account;
        _address = address;
        _channel = channel;
        _time = time;
        _log = log;
    }

    /// <summary>A token, or why there is none.</summary>
    internal readonly record struct Answer(string? Token, PushResult? Failure);

    /// <param name="rejected">A token that was not taken; another one than that is wanted. Null: any.</param>
    /// <param name="cancellationToken">Ends the wait, not the exchange.</param>
    public async Task<Answer> GetAsync(string? rejected, CancellationToken cancellationToken)
    {
        Task<Answer> exchange;
        lock (_gate)
        {
            if (_token is not null && _token != rejected && _time.GetUtcNow() < _goodUntil) return new(_token, null);
            if (_exchange is not { IsCompleted: false }) _exchange = ExchangeAsync();
            exchange = _exchange;
        }
        return await exchange.WaitAsync(cancellationToken);
    }

    public void Dispose()
    {
        _disposed.Cancel();
        _disposed.Dispose();
        _channel.Dispose();
        _account.Dispose();
    }

    private async Task<Answer> ExchangeAsync()
    {
        var disposed = _disposed.Token;
        // The caller holds the lock.
        await Task.Yield();
        var now = _time.GetUtcNow();
        using var request = new HttpRequestMessage(HttpMethod.Post, _address)
        {
            Version = HttpVersion.Version20,
            Content = new FormUrlEncodedContent([new("grant_type", GrantType), new("assertion", Assertion(now))]),
        };
        var reply = await _channel.SendAsync(request, disposed);
        if (reply.Status == HttpStatusCode.OK && Read(reply.Body) is { } granted)
        {
            lock (_gate)
            {
                _token = granted.Token;
                _goodUntil = now + granted.Life - Margin;
            }
            _log.CredentialsRenewed(PushProviders.Fcm);
            return new(granted.Token, null);
        }
        return new(null, Failure(reply));
    }

    private string Assertion(DateTimeOffset now) => CompactJwt.Rs256(
        _account.Key,
        new() { ["typ"] = "JWT", ["kid"] = _account.KeyId },
        new()
        {
            ["iss"] = _account.Email,
            ["scope"] = Scope,
            ["aud"] = _account.TokenAddress.AbsoluteUri,
            ["iat"] = now.ToUnixTimeSeconds(),
            ["exp"] = (now + AssertionLife).ToUnixTimeSeconds(),
        });

    private PushResult Failure(PushReply reply)
    {
        if (reply.Failure is { } failure)
        {
            _log.AccessTokenNotFetched(_address, failure);
            return new PushResult.TryLater(null, failure, IsProviderWide: true);
        }
        var reason = Word(reply.Body) ?? $"{(int)reply.Status}";
        _log.AccessTokenNotFetched(_address, reason);
        // Of 400 and 401 the cause is here: the account is gone, or the clock is wrong. An answer that is no token is not
        // the service's own.
        if (reply.Status is HttpStatusCode.BadRequest or HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden)
        {
            _log.CredentialsRefused(PushProviders.Fcm, reason);
            return new PushResult.Refused(reason);
        }
        return new PushResult.TryLater(reply.RetryAfter, reason, IsProviderWide: true);
    }

    private static (string Token, TimeSpan Life)? Read(ReadOnlyMemory<byte> body) =>
        Parse(body) is { } json
        && json["access_token"] is JsonValue token && token.TryGetValue<string>(out var text) && text.Length > 0
        && json["expires_in"] is JsonValue life && life.TryGetValue<long>(out var seconds) && seconds is > 0 and <= 86400
            ? (text, TimeSpan.FromSeconds(seconds))
            : null;

    private static string? Word(ReadOnlyMemory<byte> body) =>
        Parse(body)?["error"] is JsonValue error && error.TryGetValue<string>(out var word) ? word : null;

    private static JsonObject? Parse(ReadOnlyMemory<byte> body)
    {
        try
        {
            return JsonNode.Parse(body.Span) as JsonObject;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
