using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using WhatsAspire.Contracts;
using WhatsAspire.ServiceDefaults;
using Xunit;

namespace WhatsAspire.Users.Tests;

[Trait("Requirement", "R45")]
public sealed class AccessTokenValidatorTests : IDisposable
{
    private const string KeyId = "key-1";
    private static readonly string User = Guid.NewGuid().ToString();
    private static readonly string Device = Guid.NewGuid().ToString();

    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 3, 1, 12, 0, 0, TimeSpan.Zero));
    private readonly ECDsa _key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly SigningKeySource _source;
    private readonly AccessTokenValidator _validator;
    private string? _keySet;
    private int _fetches;

    public AccessTokenValidatorTests()
    {
        _keySet = KeySet((KeyId, _key));
        _source = new(
            _ =>
            {
                _fetches++;
                return _keySet is { } json ? Task.FromResult(json) : throw new HttpRequestException("no answer");
            },
            _time, NullLogger<SigningKeySource>.Instance);
        _validator = new(_source, _time);
    }

    public void Dispose()
    {
        _source.Dispose();
        _key.Dispose();
    }

    private ValueTask<Outcome<AccessIdentity>> ValidateAsync(string? token) =>
        _validator.ValidateAsync(token, TestContext.Current.CancellationToken);

    private async Task RefusesAsync(string? token, string messagePart, ErrorCode code = ErrorCode.Unauthenticated)
    {
        var outcome = await ValidateAsync(token);
        Assert.False(outcome.IsOk);
        Assert.Contains(messagePart, outcome.Error!.Message, StringComparison.Ordinal);
        Assert.Equal(code, outcome.Error.Code);
    }

    private string Token(Action<SecurityTokenDescriptor>? change = null, ECDsa? key = null, string keyId = KeyId)
    {
        var descriptor = new SecurityTokenDescriptor
        {
            Issuer = AccessTokens.Issuer,
            Audience = AccessTokens.Audience,
            TokenType = AccessTokens.Type,
            Expires = _time.GetUtcNow().AddMinutes(15).UtcDateTime,
            Claims = new Dictionary<string, object> { ["sub"] = User, ["did"] = Device, ["jti"] = "1" },
            SigningCredentials = new(new ECDsaSecurityKey(key ?? _key) { KeyId = keyId }, SecurityAlgorithms.EcdsaSha256),
        };
        change?.Invoke(descriptor);
        return new JsonWebTokenHandler { SetDefaultTimesOnTokenCreation = false }.CreateToken(descriptor);
    }

    private static string KeySet(params (string Id, ECDsa Key)[] keys) => JsonSerializer.Serialize(new
    {
        keys = keys.Select(k =>
        {
            var q = k.Key.ExportParameters(false).Q;
            return new { kty = "EC", crv = "P-256", use = "sig", alg = "ES256", kid = k.Id, x = Base64UrlEncoder.Encode(q.X), y = Base64UrlEncoder.Encode(q.Y) };
        }),
    });

    private static string Forge(object header, string payload, Func<byte[], byte[]> sign)
    {
        var signed = $"{Base64UrlEncoder.Encode(JsonSerializer.Serialize(header))}.{payload}";
        return $"{signed}.{Base64UrlEncoder.Encode(sign(Encoding.ASCII.GetBytes(signed)))}";
    }

    [Fact]
    public async Task A_good_token_says_whom_it_speaks_for()
    {
        var caller = (await ValidateAsync(Token())).Value;
        Assert.Equal(new AccessIdentity(new(Guid.Parse(User)), new(Guid.Parse(Device)), "1", _time.GetUtcNow().AddMinutes(15)), caller);
    }

    [Fact]
    public async Task A_token_is_good_until_its_end_and_no_longer()
    {
        var token = Token();
        _time.Advance(TimeSpan.FromMinutes(15) - TimeSpan.FromMilliseconds(1));
        Assert.True((await ValidateAsync(token)).IsOk);
        _time.Advance(TimeSpan.FromMilliseconds(1));
        await RefusesAsync(token, "has expired", ErrorCode.TokenExpired);
    }

    [Fact]
    public async Task A_token_of_another_key_under_the_same_id_is_refused_even_when_expired()
    {
        using var other = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        await RefusesAsync(Token(key: other), "signature is wrong");
        await RefusesAsync(Token(d => d.Expires = _time.GetUtcNow().AddDays(-1).UtcDateTime, key: other), "signature is wrong");
    }

    [Fact]
    public async Task A_changed_payload_is_refused()
    {
        var parts = Token().Split('.');
        var payload = Base64UrlEncoder.Decode(parts[1]).Replace(User, Guid.NewGuid().ToString(), StringComparison.Ordinal);
        await RefusesAsync($"{parts[0]}.{Base64UrlEncoder.Encode(payload)}.{parts[2]}", "signature is wrong");
        await RefusesAsync($"{parts[0]}.{parts[1]}.", "signature is wrong");
    }

    [Theory]
    [InlineData("none")]
    [InlineData("None")]
    [InlineData("")]
    public async Task A_token_without_a_signature_is_refused(string algorithm)
    {
        var payload = Token().Split('.')[1];
        await RefusesAsync(Forge(new { alg = algorithm, typ = AccessTokens.Type, kid = KeyId }, payload, _ => []), "not signed with ES256");
    }

    [Fact]
    public async Task A_token_signed_by_HMAC_with_the_public_key_is_refused()
    {
        var payload = Token().Split('.')[1];
        var header = new { alg = "HS256", typ = AccessTokens.Type, kid = KeyId };
        await RefusesAsync(Forge(header, payload, data => HMACSHA256.HashData(_key.ExportSubjectPublicKeyInfo(), data)), "not signed with ES256");
        await RefusesAsync(Forge(header, payload, data => HMACSHA256.HashData(Encoding.UTF8.GetBytes(_keySet!), data)), "not signed with ES256");
    }

    [Fact]
    public async Task A_key_that_the_token_brings_along_is_not_believed()
    {
        using var other = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var q = other.ExportParameters(false).Q;
        var header = new
        {
            alg = "ES256",
            typ = AccessTokens.Type,
            kid = KeyId,
            jwk = new { kty = "EC", crv = "P-256", x = Base64UrlEncoder.Encode(q.X), y = Base64UrlEncoder.Encode(q.Y) },
        };
        await RefusesAsync(Forge(header, Token().Split('.')[1], data => other.SignData(data, HashAlgorithmName.SHA256)), "signature is wrong");
    }

    [Fact]
    public async Task Another_audience_issuer_or_type_is_refused()
    {
        await RefusesAsync(Token(d => d.Audience = "someone"), "another audience");
        await RefusesAsync(Token(d => d.Audience = null), "another audience");
        await RefusesAsync(Token(d => d.Issuer = "https://else.where"), "another issuer");
        await RefusesAsync(Token(d => d.Issuer = null), "another issuer");
        await RefusesAsync(Token(d => d.TokenType = "JWT"), "not an access token");
    }

    [Fact]
    public async Task A_token_without_an_end_a_user_a_device_or_a_key_id_is_refused()
    {
        await RefusesAsync(Token(d => d.Expires = null), "has no end");
        await RefusesAsync(Token(d => d.Claims.Remove("sub")), "does not name a user");
        await RefusesAsync(Token(d => d.Claims.Remove("did")), "does not name a user");
        await RefusesAsync(Token(d => d.Claims["did"] = 7), "does not name a user");
        await RefusesAsync(Token(d => d.Claims["sub"] = "ann"), "does not name a user");
        await RefusesAsync(Token(keyId: ""), "does not name its key");
    }

    [Theory]
    [InlineData(null, "is needed")]
    [InlineData("", "is needed")]
    [InlineData("garbage", "not a JSON Web Token")]
    [InlineData("a.b.c", "not a JSON Web Token")]
    [InlineData("..", "not a JSON Web Token")]
    [InlineData("a.b.c.d.e", "not a JSON Web Token")]
    [InlineData("e30.e30.", "not signed with ES256")]
    [InlineData("ünï.cödé.☃", "not a JSON Web Token")]
    [InlineData("W10.W10.W10", "not a JSON Web Token")]
    public async Task Garbage_is_refused(string? token, string message) => await RefusesAsync(token, message);

    [Fact]
    public async Task A_token_that_is_too_long_is_not_looked_at()
    {
        await RefusesAsync(new string('a', 4097), "longer than 4096");
        await RefusesAsync(Token(d => d.Claims["x"] = new string('a', 4096)), "longer than 4096");
        Assert.Equal(0, _fetches);
    }

    [Fact]
    public async Task A_new_key_is_fetched_when_it_is_met_but_not_for_every_made_up_id()
    {
        using var next = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        Assert.True((await ValidateAsync(Token())).IsOk);
        _keySet = KeySet((KeyId, _key), ("key-2", next));
        var token = Token(key: next, keyId: "key-2");
        await RefusesAsync(token, "does not know");
        for (var i = 0; i < 20; i++) await RefusesAsync(Token(keyId: $"made up {i}"), "does not know");
        Assert.Equal(1, _fetches);

        _time.Advance(SigningKeySource.MinimumInterval);
        Assert.True((await ValidateAsync(token)).IsOk);
        Assert.Equal(2, _fetches);
    }

    [Fact]
    public async Task The_keys_are_fetched_anew_now_and_then_so_that_a_withdrawn_one_ends()
    {
        using var next = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        Assert.True((await ValidateAsync(Token())).IsOk);
        _keySet = KeySet(("key-2", next));
        _time.Advance(SigningKeySource.RefreshInterval);
        Assert.True((await ValidateAsync(Token())).IsOk);
        Assert.Equal(2, _fetches);
        await RefusesAsync(Token(), "does not know");
    }

    [Fact]
    public async Task Known_keys_stay_good_while_none_can_be_fetched_and_unknown_ones_are_not_called_wrong()
    {
        Assert.True((await ValidateAsync(Token())).IsOk);
        _keySet = null;
        _time.Advance(SigningKeySource.RefreshInterval);
        Assert.True((await ValidateAsync(Token())).IsOk);
        await RefusesAsync(Token(keyId: "key-2"), "can't be checked now", ErrorCode.Unavailable);
        _time.Advance(TimeSpan.FromHours(1));
        Assert.True((await ValidateAsync(Token())).IsOk);
    }
}
