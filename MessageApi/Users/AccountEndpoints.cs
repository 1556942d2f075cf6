using Microsoft.AspNetCore.Http.HttpResults;
using WhatsAspire.Contracts;
using WhatsAspire.ServiceDefaults;

namespace WhatsAspire.MessageApi.Users;

/// <summary>Making accounts and getting tokens: what one may do without a token.</summary>
internal static class AccountEndpoints
{
    public static void MapAccounts(this IEndpointRouteBuilder routes)
    {
        var group = routes.MapGroup("").WithTags("Accounts").WithBodyLimit(Limits.FrameBytes).RequireRateLimiting(SignInLimits.Policy);
        group.MapPost("/accounts", CreateAccountAsync).WithSummary("Makes an account.");
        group.MapPost("/tokens", CreateTokensAsync).WithSummary("Signs a device in with a password, or rotates its refresh token.");
        routes.MapGet("/.well-known/jwks.json", GetKeysAsync).WithTags("Accounts").WithSummary("The public keys of access tokens (RFC 7517).");
    }

    private static async Task<Results<Created<UserResponse>, ProblemResult>> CreateAccountAsync(
        CreateAccountRequest request, SignIn signIn, SignInLimits limits, HttpContext context, CancellationToken cancellationToken)
    {
        var displayName = request.DisplayName ?? request.Username;
        var refusal = Check.Username(request.Username) ?? Check.NewPassword(request.Password) ?? Check.Name("display_name", displayName)
            ?? limits.Admit(context, request.Username!);
        if (refusal is not null) return Problems.Problem(refusal);

        var outcome = await signIn.CreateAccountAsync(request.Username!, request.Password!, displayName!, cancellationToken);
        if (!outcome.IsOk) return Problems.Problem(outcome.Error!);
        var account = outcome.Value;
        return TypedResults.Created($"/users/{account.Id}", new UserResponse(account.Id, account.Username, account.DisplayName, account.About));
    }

    private static async Task<Results<Ok<TokenResponse>, ProblemResult>> CreateTokensAsync(
        TokenRequest request, SignIn signIn, SignInLimits limits, UsersMetrics metrics, HttpContext context, CancellationToken cancellationToken)
    {
        context.Response.Headers.CacheControl = "no-store";
        var outcome = request.RefreshToken is { } refreshToken
            ? await RefreshAsync(request, refreshToken, signIn, cancellationToken)
            : await SignInAsync(request, signIn, limits, context, cancellationToken);
        metrics.SignedIn(request.RefreshToken is null ? "password" : "refresh_token", outcome.Error);
        return outcome.IsOk ? TypedResults.Ok(outcome.Value) : Problems.Problem(outcome.Error!);
    }

    private static async Task<Outcome<TokenResponse>> RefreshAsync(
        TokenRequest request, string refreshToken, SignIn signIn, CancellationToken cancellationToken) =>
        request is { Username: null, Password: null, Device: null, DeviceId: null }
            ? await signIn.WithRefreshTokenAsync(refreshToken, cancellationToken)
            : Error.Invalid("refresh_token stands alone: leave out username, password, device and device_id");

    private static async Task<Outcome<TokenResponse>> SignInAsync(
        TokenRequest request, SignIn signIn, SignInLimits limits, HttpContext context, CancellationToken cancellationToken)
    {
        var device = DeviceId.New();
        var refusal = Check.Username(request.Username) ?? Check.Password(request.Password)
            ?? (request.Device is null ? Check.Missing("device") : null)
            ?? Check.Name("device.name", request.Device!.Name) ?? Check.Name("device.platform", request.Device.Platform);
        if (refusal is null && request.DeviceId is not null)
        {
            refusal = Check.Id("device_id", request.DeviceId, out var id);
            device = new(id);
        }
        refusal ??= limits.Admit(context, request.Username!);
        if (refusal is not null) return refusal;
        return await signIn.WithPasswordAsync(
            request.Username!, request.Password!, device, request.Device!.Name!, request.Device.Platform!, cancellationToken);
    }

    private static async Task<ContentHttpResult> GetKeysAsync(SigningKeys keys, CancellationToken cancellationToken) =>
        TypedResults.Text(await keys.GetJsonWebKeySetAsync(cancellationToken), "application/jwk-set+json");
}
