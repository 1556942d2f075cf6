using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using WhatsAspire.Contracts;
using WhatsAspire.MessageApi.Directory;
using WhatsAspire.ServiceDefaults;

namespace WhatsAspire.MessageApi.Users;

/// <summary>Makes accounts, and signs devices in and out.</summary>
internal sealed class SignIn(
    IDirectory directory, Passwords passwords, SigningKeys keys, DeviceSessions sessions, IDeviceRevocations revocations,
    IOptions<UsersOptions> options, TimeProvider time, ILogger<SignIn> log)
{
    private static readonly JsonWebTokenHandler Handler = new() { SetDefaultTimesOnTokenCreation = false };

    /// <returns>The account; <c>conflict</c> when the name is taken.</returns>
    public async Task<Outcome<Account>> CreateAccountAsync(
        string username, string password, string displayName, CancellationToken cancellationToken)
    {
        var taken = new Error(ErrorCode.Conflict, $"the username '{username}' is taken");
        // Spares the hashing; what decides is the insert.
        if (await directory.FindAccountAsync(username, cancellationToken) is not null) return taken;
        var hash = await passwords.HashAsync(password, cancellationToken);
        if (!hash.IsOk) return hash.Error!;
        var account = new Account(UserId.New(), username, displayName, null, hash.Value, time.GetUtcNow());
        if (!await directory.AddAccountAsync(account, cancellationToken)) return taken;
        UsersLog.AccountMade(log, account.Id);
        return account;
    }

    /// <returns>Tokens for the device; <c>unauthenticated</c> for a wrong name or password alike, <c>conflict</c> when the
    /// device is another user's.</returns>
    public async Task<Outcome<TokenResponse>> WithPasswordAsync(
        string username, string password, DeviceId device, string name, string platform, CancellationToken cancellationToken)
    {
        var account = await directory.FindAccountAsync(username, cancellationToken);
        var verified = await passwords.VerifyAsync(account?.PasswordHash, password, cancellationToken);
        if (!verified.IsOk) return verified.Error!;
        if (!verified.Value || account is null) return new Error(ErrorCode.Unauthenticated, "the username or the password is wrong");

        // Before the device's old tokens are replaced: what can fail should fail here.
        var signer = await keys.GetSignerAsync(cancellationToken);
        var now = time.GetUtcNow();
        var token = RefreshToken.New();
        if (!await directory.PutDeviceAsync(new(device, account.Id, name, platform, now, now), token.Hash, cancellationToken))
            return new Error(ErrorCode.Conflict, "device_id is another user's device");
        UsersLog.SignedIn(log, account.Id, device);
        return Issue(signer, account.Id, device, token, now);
    }

    /// <returns>New tokens for the device; <c>unauthenticated</c> when the token is not good, or no longer. One that was used
    /// before logs the device out.</returns>
    public async Task<Outcome<TokenResponse>> WithRefreshTokenAsync(string refreshToken, CancellationToken cancellationToken)
    {
        var unknown = new Error(ErrorCode.Unauthenticated, "the refresh token is not known; sign in with the password");
        if (RefreshToken.Parse(refreshToken) is not { } presented) return unknown;
        var signer = await keys.GetSignerAsync(cancellationToken);
        var next = presented.Next();
        var now = time.GetUtcNow();
        var outcome = await directory.RotateRefreshTokenAsync(
            presented.Hash, next.Hash.Secret, now, options.Value.RefreshGrace, cancellationToken);
        switch (outcome)
        {
            case { Status: RotationStatus.Rotated, Device: { } device }:
                return Issue(signer, device.User, device.Id, next, now);
            case { Status: RotationStatus.Reused, Device: { } device }:
                UsersLog.RefreshTokenReused(log, device.User, device.Id);
                await AnnounceAsync(device.User, device.Id, cancellationToken);
                return new Error(ErrorCode.Unauthenticated, "the refresh token was used before: the device is logged out; sign in with the password");
            default:
                return unknown;
        }
    }

    /// <summary>Logs a device out: its tokens end, its sockets are closed.</summary>
    /// <returns>False when the user has no such device.</returns>
    public async Task<bool> LogOutAsync(UserId user, DeviceId device, CancellationToken cancellationToken)
    {
        var removed = await directory.RemoveDeviceAsync(user, device, cancellationToken);
        if (removed) UsersLog.LoggedOut(log, user, device);
        // Even if it was gone: the first try may have failed at this step.
        await AnnounceAsync(user, device, cancellationToken);
        return removed;
    }

    private ValueTask AnnounceAsync(UserId user, DeviceId device, CancellationToken cancellationToken)
    {
        sessions.Forget();
        return revocations.AnnounceAsync(user, device, cancellationToken);
    }

    private TokenResponse Issue(SigningCredentials signer, UserId user, DeviceId device, RefreshToken refreshToken, DateTimeOffset now)
    {
        var lifetime = options.Value.AccessTokenLifetime;
        return new()
        {
            UserId = user,
            DeviceId = device,
            AccessToken = Handler.CreateToken(new SecurityTokenDescriptor
            {
                Issuer = AccessTokens.Issuer,
                Audience = AccessTokens.Audience,
                TokenType = AccessTokens.Type,
                IssuedAt = now.UtcDateTime,
                Expires = (now + lifetime).UtcDateTime,
                Claims = new Dictionary<string, object>
                {
                    [AccessTokens.Subject] = user.ToString(),
                    [AccessTokens.Device] = device.ToString(),
                    [AccessTokens.TokenId] = Guid.NewGuid().ToString("N"),
                },
                SigningCredentials = signer,
            }),
            ExpiresIn = (int)lifetime.TotalSeconds,
            RefreshToken = refreshToken.Encode(),
        };
    }
}
