using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace WhatsAspire.PushGateways;

/// <summary>Reads signed tokens. What their claims must be is each provider's own affair, times included.</summary>
internal static class SignedToken
{
    private static readonly JsonWebTokenHandler Handler = new() { MapInboundClaims = false };

    /// <summary>The token, unchecked; null if it is none.</summary>
    public static JsonWebToken? Read(string text)
    {
        try
        {
            return new JsonWebToken(text);
        }
        catch (Exception e) when (e is ArgumentException or SecurityTokenException)
        {
            return null;
        }
    }

    /// <summary>Whether the key's owner signed it, with that algorithm.</summary>
    public static async Task<bool> IsSignedByAsync(JsonWebToken token, SecurityKey key, string algorithm)
    {
        // The keys come and go, here and in tests.
        key.CryptoProviderFactory = new CryptoProviderFactory { CacheSignatureProviders = false };
        var result = await Handler.ValidateTokenAsync(token, new TokenValidationParameters
        {
            IssuerSigningKey = key,
            ValidAlgorithms = [algorithm],
            ValidateIssuer = false,
            ValidateAudience = false,
            ValidateLifetime = false,
            RequireExpirationTime = false,
        });
        return result.IsValid;
    }

    /// <summary>A claim that is a time in seconds; null if it is not there, or no such thing.</summary>
    public static DateTimeOffset? Time(JsonWebToken token, string claim) =>
        token.TryGetPayloadValue<long>(claim, out var seconds) && seconds is > 0 and < 253402300800 ? DateTimeOffset.FromUnixTimeSeconds(seconds) : null;
}
