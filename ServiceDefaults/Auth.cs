using System.Security.Claims;
using System.Text.Encodings.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using WhatsAspire.Contracts;

namespace WhatsAspire.ServiceDefaults;

/// <summary>What is fixed about access tokens: JWTs (RFC 9068) signed with ECDSA P-256 (RFC 7518 section 3.4).</summary>
public static class AccessTokens
{
    public const string Scheme = "Bearer";
    public const string Issuer = "whatsaspire";
    public const string Audience = "whatsaspire";
    public const string Algorithm = SecurityAlgorithms.EcdsaSha256;

    /// <summary>The header's <c>typ</c>.</summary>
    public const string Type = "at+jwt";

    /// <summary>Claim: the user id.</summary>
    public const string Subject = JwtRegisteredClaimNames.Sub;

    /// <summary>Claim: the device id.</summary>
    public const string Device = "did";

    /// <summary>Claim: the token's own id.</summary>
    public const string TokenId = JwtRegisteredClaimNames.Jti;

    /// <summary>Longest token that is looked at, characters. Ours have about 450.</summary>
    public const int MaxLength = 4096;
}

/// <summary>Who an access token speaks for. A handler behind <c>RequireAuthorization</c> takes it as a parameter.</summary>
/// <param name="User">The user.</param>
/// <param name="Device">The signed-in device.</param>
/// <param name="TokenId">The token's own id.</param>
/// <param name="ExpiresAt">Until when the token is good.</param>
public sealed record AccessIdentity(UserId User, DeviceId Device, string TokenId, DateTimeOffset ExpiresAt)
{
    /// <summary>Lets endpoints take the caller's identity as a parameter.</summary>
    public static ValueTask<AccessIdentity?> BindAsync(HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        return new(context.Features.Get<AccessIdentity>());
    }
}

/// <summary>Says whether a device is still signed in. Where one is registered, REST asks it after the token's own
/// checks.</summary>
public interface IDeviceSessions
{
    /// <summary>May answer from a cache that is at most one second old.</summary>
    ValueTask<bool> IsSignedInAsync(UserId user, DeviceId device, CancellationToken cancellationToken);
}

/// <summary>Checks access tokens. The signature comes first: of a token that is not ours nothing else is told.
/// Safe for concurrent use.</summary>
public sealed class AccessTokenValidator(ISigningKeySource keys, TimeProvider time)
{
    private static readonly JsonWebTokenHandler Handler = new() { MapInboundClaims = false };

    /// <returns>Whom the token speaks for; else <c>unauthenticated</c>, <c>token_expired</c>, or <c>unavailable</c> while
    /// the signing keys can't be had.</returns>
    public async ValueTask<Outcome<AccessIdentity>> ValidateAsync(string? token, CancellationToken cancellationToken)
    {
        if (string.IsNullOrEmpty(token)) return Refuse("an access token is needed");
        if (token.Length > AccessTokens.MaxLength) return Refuse($"the access token is longer than {AccessTokens.MaxLength} characters");

        JsonWebToken jwt;
        try
        {
            jwt = new JsonWebToken(token);
            if (jwt.IsEncrypted) return Refuse("the access token is encrypted; a signed one is needed");
            if (jwt.Alg != AccessTokens.Algorithm) return Refuse($"the access token is not signed with {AccessTokens.Algorithm}");
            if (string.IsNullOrEmpty(jwt.Kid)) return Refuse("the access token does not name its key (kid)");
        }
        catch (Exception e) when (e is ArgumentException or SecurityTokenMalformedException)
        {
            return Refuse("the access token is not a JSON Web Token in compact form");
        }

        var key = await keys.FindAsync(jwt.Kid, cancellationToken);
        if (!key.IsOk) return key.Error!;

        var result = await Handler.ValidateTokenAsync(jwt, new TokenValidationParameters
        {
            IssuerSigningKey = key.Value,
            TryAllIssuerSigningKeys = false,
            ValidAlgorithms = [AccessTokens.Algorithm],
            ValidTypes = [AccessTokens.Type],
            ValidIssuer = AccessTokens.Issuer,
            ValidAudience = AccessTokens.Audience,
            // Below, by the injected clock.
            ValidateLifetime = false,
        });
        if (!result.IsValid) return Refuse(Reason(result.Exception));

        if (jwt.ValidTo == DateTime.MinValue) return Refuse("the access token has no end (exp)");
        if (!Guid.TryParseExact(jwt.Subject, "D", out var user)
            || !jwt.TryGetPayloadValue<string>(AccessTokens.Device, out var did) || !Guid.TryParseExact(did, "D", out var device))
            return Refuse("the access token does not name a user (sub) and a device (did)");

        var expires = new DateTimeOffset(jwt.ValidTo, TimeSpan.Zero);
        // No leeway: the clocks of one deployment are kept together, and a client is told how long its token lasts.
        if (expires <= time.GetUtcNow()) return new Error(ErrorCode.TokenExpired, "the access token has expired; get a new one with the refresh token");
        return new AccessIdentity(new(user), new(device), jwt.Id, expires);
    }

    private static Error Refuse(string message) => new(ErrorCode.Unauthenticated, message);

    private static string Reason(Exception? e) => e switch
    {
        SecurityTokenInvalidSignatureException or SecurityTokenSignatureKeyNotFoundException => "the access token's signature is wrong",
        SecurityTokenInvalidAudienceException => "the access token is meant for another audience",
        SecurityTokenInvalidIssuerException => "the access token is of another issuer",
        SecurityTokenInvalidTypeException => $"the token is not an access token (typ {AccessTokens.Type})",
        _ => "the access token is not valid",
    };
}

/// <summary>Access tokens in <c>Authorization: Bearer …</c> as an ASP.NET authentication scheme.</summary>
public static class AccessTokenAuthentication
{
    /// <summary>Adds the scheme as the default one, and authorization. Needs an <see cref="ISigningKeySource"/>; asks
    /// <see cref="IDeviceSessions"/> too where one is registered.</summary>
    public static IServiceCollection AddAccessTokenAuthentication(this IServiceCollection services)
    {
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton<AccessTokenValidator>();
        services.AddAuthentication(AccessTokens.Scheme)
            .AddScheme<AuthenticationSchemeOptions, AccessTokenHandler>(AccessTokens.Scheme, null);
        services.AddAuthorization();
        return services;
    }
}

/// <summary>Authenticates by access token, and answers refusals as problem details.</summary>
internal sealed class AccessTokenHandler(
    IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory logger, UrlEncoder encoder, AccessTokenValidator validator)
    : AuthenticationHandler<AuthenticationSchemeOptions>(options, logger, encoder)
{
    private const string Prefix = AccessTokens.Scheme + " ";
    private Error? _refusal;

    protected override async Task<AuthenticateResult> HandleAuthenticateAsync()
    {
        var header = Request.Headers.Authorization;
        if (header.Count == 0) return AuthenticateResult.NoResult();
        if (header.Count > 1 || header[0] is not { } value || !value.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase))
            return Refuse(new(ErrorCode.Unauthenticated, "the Authorization header must be 'Bearer' and an access token"));

        var outcome = await validator.ValidateAsync(value[Prefix.Length..].Trim(), Context.RequestAborted);
        if (!outcome.IsOk) return Refuse(outcome.Error!);
        var caller = outcome.Value;
        if (Context.RequestServices.GetService<IDeviceSessions>() is { } sessions
            && !await sessions.IsSignedInAsync(caller.User, caller.Device, Context.RequestAborted))
            return Refuse(new(ErrorCode.Unauthenticated, "the device was logged out; sign in again"));

        Context.Features.Set(caller);
        var identity = new ClaimsIdentity(
            [
                new(AccessTokens.Subject, caller.User.ToString()),
                new(AccessTokens.Device, caller.Device.ToString()),
                new(AccessTokens.TokenId, caller.TokenId),
            ],
            Scheme.Name, AccessTokens.Subject, roleType: null);
        return AuthenticateResult.Success(new(new ClaimsPrincipal(identity), Scheme.Name));
    }

    protected override async Task HandleChallengeAsync(AuthenticationProperties properties)
    {
        await HandleAuthenticateOnceSafeAsync();
        var error = _refusal ?? new Error(ErrorCode.Unauthenticated, "an access token is needed: 'Authorization: Bearer …'");
        if (error.Code is ErrorCode.Unauthenticated or ErrorCode.TokenExpired)
            Response.Headers.WWWAuthenticate = _refusal is null ? AccessTokens.Scheme : $"{AccessTokens.Scheme} error=\"invalid_token\", error_description=\"{error.Message}\"";
        await Problems.Problem(error).ExecuteAsync(Context);
    }

    protected override Task HandleForbiddenAsync(AuthenticationProperties properties) =>
        Problems.Problem(new Error(ErrorCode.Forbidden, "the caller may not do this")).ExecuteAsync(Context);

    private AuthenticateResult Refuse(Error error)
    {
        _refusal = error;
        return AuthenticateResult.Fail(error.Message);
    }
}
