using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace WhatsAspire.PushGateways.Fcm;

/// <summary>Plays Google's OAuth endpoint: gives access tokens for what the service account signed (RFC 7523).</summary>
internal sealed class FcmTokens(GatewayCore core, GatewayCredentials credentials, Func<Uri> ownAddress) : IDisposable
{
    public const string Path = "/token";

    private const string GrantType = "urn:ietf:params:oauth:grant-type:jwt-bearer";
    private const string Scope = "https://www.googleapis.com/auth/firebase.messaging";

    /// <summary>How long an access token is good.</summary>
    public static readonly TimeSpan Life = TimeSpan.FromHours(1);

    private static readonly TimeSpan MaxAssertionLife = TimeSpan.FromHours(1);
    private static readonly TimeSpan ClockTolerance = TimeSpan.FromMinutes(5);

    private readonly ConcurrentDictionary<string, DateTimeOffset> _tokens = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim _verifying = new(1);

    /// <summary>Whether a token was given, and is still good.</summary>
    public bool IsGood(string token) => _tokens.TryGetValue(token, out var until) && until > core.Time.GetUtcNow();

    /// <summary>Takes all tokens back.</summary>
    public void Revoke() => _tokens.Clear();

    public async Task HandleAsync(HttpContext context)
    {
        if (!HttpMethods.IsPost(context.Request.Method) || !context.Request.HasFormContentType)
        {
            await RefuseAsync(context, "invalid_request", "a form is to be posted");
            return;
        }
        var form = await context.Request.ReadFormAsync(context.RequestAborted);
        if (form["grant_type"] != GrantType)
        {
            await RefuseAsync(context, "unsupported_grant_type", "Invalid grant_type");
            return;
        }
        if (await FindFaultAsync(form["assertion"].ToString(), context.RequestAborted) is { } fault)
        {
            await RefuseAsync(context, fault.Error, fault.Description);
            return;
        }
        if (core.Script.Next(GatewayProviders.OAuth, "") is { } behaviour)
        {
            if (behaviour.Reason is { } reason)
            {
                GatewayCore.SetRetryAfter(context, behaviour.RetryAfter);
                await RefuseAsync(context, reason, "as the script says");
                return;
            }
            if (!await core.ComesToAnswerAsync(context, behaviour, core.Late(context, behaviour), GatewayProviders.OAuth, "")) return;
        }

        foreach (var (old, until) in _tokens)
            if (until <= core.Time.GetUtcNow())
                _tokens.TryRemove(old, out _);
        var token = "ya29." + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));
        _tokens[token] = core.Time.GetUtcNow() + Life;
        core.Note(context, GatewayProviders.OAuth, "", StatusCodes.Status200OK, "");
        await GatewayCore.WriteAsync(context, StatusCodes.Status200OK, new JsonObject
        {
            ["access_token"] = token,
            ["expires_in"] = (long)Life.TotalSeconds,
            ["token_type"] = "Bearer",
        });
    }

    public void Dispose() => _verifying.Dispose();

    private async Task<(string Error, string Description)?> FindFaultAsync(string assertion, CancellationToken cancellationToken)
    {
        if (SignedToken.Read(assertion) is not { } token || token.Alg != SecurityAlgorithms.RsaSha256) return ("invalid_grant", "Invalid JWT");
        if (token.Kid != credentials.ServiceAccountKeyId || token.Issuer != credentials.Email) return ("invalid_grant", "Invalid grant: account not found");
        await _verifying.WaitAsync(cancellationToken);
        try
        {
            if (!await SignedToken.IsSignedByAsync(token, new RsaSecurityKey(credentials.AccountKey), SecurityAlgorithms.RsaSha256))
                return ("invalid_grant", "Invalid JWT Signature.");
        }
        finally
        {
            _verifying.Release();
        }
        if (!token.Audiences.SequenceEqual([ownAddress().AbsoluteUri])) return ("invalid_grant", "Invalid JWT: wrong audience");
        if (!token.TryGetPayloadValue<string>("scope", out var scope) || !scope.Split(' ').Contains(Scope)) return ("invalid_scope", "Invalid OAuth scope");
        var now = core.Time.GetUtcNow();
        if (SignedToken.Time(token, JwtRegisteredClaimNames.Iat) is not { } issued || SignedToken.Time(token, JwtRegisteredClaimNames.Exp) is not { } expires
            || issued > now + ClockTolerance || expires < now - ClockTolerance || expires - issued > MaxAssertionLife)
            return ("invalid_grant", "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe");
        return null;
    }

    private async Task RefuseAsync(HttpContext context, string error, string description)
    {
        var status = error switch
        {
            "invalid_client" => StatusCodes.Status401Unauthorized,
            "internal_failure" => StatusCodes.Status500InternalServerError,
            "temporarily_unavailable" => StatusCodes.Status503ServiceUnavailable,
            _ => StatusCodes.Status400BadRequest,
        };
        core.Note(context, GatewayProviders.OAuth, "", status, error);
        await GatewayCore.WriteAsync(context, status, new JsonObject { ["error"] = error, ["error_description"] = description });
    }
}
