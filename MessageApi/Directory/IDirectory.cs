using WhatsAspire.Contracts;

namespace WhatsAspire.MessageApi.Directory;

/// <summary>Accounts, devices with their refresh tokens and push registrations, blocks, token-signing keys, and groups.
///
/// <para>Every method is one transaction: it took effect whole or not at all, and is durable when its task completes.
/// A task that fails for a lost connection leaves the outcome unknown; all methods may be repeated, with the results
/// stated for each. Time is the caller's, and is kept to the millisecond.</para></summary>
public partial interface IDirectory
{
    /// <summary>Makes an account.</summary>
    /// <returns>False when the user name is taken. User names are compared without regard to case. True again when
    /// the same account, by its id, is added again.</returns>
    Task<bool> AddAccountAsync(Account account, CancellationToken cancellationToken);

    Task<Account?> FindAccountAsync(UserId user, CancellationToken cancellationToken);

    Task<Account?> FindAccountAsync(string username, CancellationToken cancellationToken);

    /// <summary>Adds a device, or replaces name, platform, last token time and refresh token of one that the same
    /// user has: its earlier refresh tokens are unknown from then on.</summary>
    /// <returns>False when the id belongs to another user.</returns>
    Task<bool> PutDeviceAsync(Device device, RefreshTokenHash refreshToken, CancellationToken cancellationToken);

    /// <summary>The user's devices, oldest first.</summary>
    Task<IReadOnlyList<Device>> ListDevicesAsync(UserId user, CancellationToken cancellationToken);

    Task<Device?> FindDeviceAsync(UserId user, DeviceId device, CancellationToken cancellationToken);

    /// <summary>Logs a device out: it, its refresh tokens and its push registration are gone.</summary>
    /// <returns>False when the user has no such device.</returns>
    Task<bool> RemoveDeviceAsync(UserId user, DeviceId device, CancellationToken cancellationToken);

    /// <summary>Exchanges the device's current refresh token for the next one of the same family. A token that was
    /// exchanged before is a sign of theft: the device is removed, so that neither the thief's nor the owner's token
    /// works on (RFC 9700 section 4.14.2). The last exchanged token alone may come once more within
    /// <paramref name="grace"/> of its exchange and gets a new successor, which takes the place of the one before:
    /// the answer may have been lost on the way. Repeated with the same <paramref name="nextHash"/> within
    /// <paramref name="grace"/>, it gives the first result again.
    ///
    /// <para>Only who was given a token of a family knows the family, so that any other secret than the current one
    /// in a known family counts as used before. That keeps the detection for ever at a fixed size per
    /// device.</para></summary>
    Task<RotationOutcome> RotateRefreshTokenAsync(
        RefreshTokenHash presented, byte[] nextHash, DateTimeOffset now, TimeSpan grace, CancellationToken cancellationToken);

    /// <summary>Says how a device is pushed to from now on, instead of what it said before; its marks stay, and the time of
    /// the registration never falls. A token, by its provider, belongs to one device: the last that registered it. Where
    /// another device had it, that one has no registration any more and its marks are gone, since who used the app there
    /// before must not be told what is for the one who uses it now. Idempotent.</summary>
    /// <param name="registration">A token of any length up to 4,096 characters.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <returns>False when the user has no such device; nothing was changed then.</returns>
    Task<bool> PutPushAsync(PushRegistration registration, CancellationToken cancellationToken);

    /// <summary>The device is not pushed to any more, and its marks are gone. Idempotent; a device that the user does not have
    /// is left alone.</summary>
    Task RemovePushAsync(UserId user, DeviceId device, CancellationToken cancellationToken);

    /// <summary>Those of the user's devices that can be pushed to, oldest first, each with its marks for the
    /// conversation.</summary>
    Task<IReadOnlyList<PushTarget>> ListPushTargetsAsync(
        UserId user, ConversationId conversation, CancellationToken cancellationToken);

    /// <summary>Notes how far devices of the user were pushed and cleared in a conversation: marks rise, each by itself, and
    /// never fall. Then a registration is removed, with its marks, if its token is the reported one, that is dead, and it
    /// was not registered after <see cref="PushReport.DeadAt"/>: one that was put again since then is alive. A device that
    /// has no registration, or is another user's, is passed over. All reports take effect together. Idempotent.</summary>
    Task ReportPushAsync(
        UserId user, ConversationId conversation, IReadOnlyList<PushReport> reports, CancellationToken cancellationToken);

    /// <summary>Blocks a user; both must have accounts. Idempotent: the first block's time stays.</summary>
    Task AddBlockAsync(UserId blocker, UserId blocked, DateTimeOffset now, CancellationToken cancellationToken);

    /// <summary>Ends a block. Idempotent.</summary>
    Task RemoveBlockAsync(UserId blocker, UserId blocked, CancellationToken cancellationToken);

    /// <summary>Whom the user blocks, oldest block first.</summary>
    Task<IReadOnlyList<UserId>> ListBlocksAsync(UserId blocker, CancellationToken cancellationToken);

    Task<bool> IsBlockedAsync(UserId blocker, UserId blocked, CancellationToken cancellationToken);

    /// <summary>Adds a signing key if none is there that is current at <paramref name="key"/>'s start, so that
    /// replicas that start together agree on one.</summary>
    /// <returns>All keys that have not expired at the key's start, newest first.</returns>
    Task<IReadOnlyList<SigningKey>> AddSigningKeyIfDueAsync(SigningKey key, CancellationToken cancellationToken);

    /// <summary>All keys that have not expired at <paramref name="now"/>, newest first.</summary>
    Task<IReadOnlyList<SigningKey>> ListSigningKeysAsync(DateTimeOffset now, CancellationToken cancellationToken);
}

/// <param name="Id">The user.</param>
/// <param name="Username">As chosen; unique without regard to case.</param>
/// <param name="DisplayName">What others are shown.</param>
/// <param name="About">A line about oneself, or null.</param>
/// <param name="PasswordHash">The hasher's own format, with its parameters.</param>
/// <param name="CreatedAt">When the account was made.</param>
public sealed record Account(
    UserId Id, string Username, string DisplayName, string? About, string PasswordHash, DateTimeOffset CreatedAt);

/// <param name="Id">The device.</param>
/// <param name="User">Whose it is.</param>
/// <param name="Name">As the owner calls it.</param>
/// <param name="Platform">Such as <c>ios</c>, <c>android</c>, <c>web</c>, <c>desktop</c>.</param>
/// <param name="CreatedAt">When it first signed in.</param>
/// <param name="LastTokenAt">When it last got a token.</param>
public sealed record Device(
    DeviceId Id, UserId User, string Name, string Platform, DateTimeOffset CreatedAt, DateTimeOffset LastTokenAt);

/// <summary>A refresh token as it is kept: no one can sign in with what the directory holds.</summary>
/// <param name="Family">SHA-256 of the random part that all refresh tokens of one sign-in share.</param>
/// <param name="Secret">SHA-256 of the random part that is this token's own.</param>
public sealed record RefreshTokenHash(byte[] Family, byte[] Secret);

public enum RotationStatus
{
    Rotated,
    /// <summary>No device has this family: it never was, or its device was logged out or signed in anew.</summary>
    Unknown,
    /// <summary>It had been exchanged before: the device is logged out now.</summary>
    Reused,
}

/// <param name="Status">What became of it.</param>
/// <param name="Device">Whose token it was, with its new last token time when rotated; null when unknown.</param>
public sealed record RotationOutcome(RotationStatus Status, Device? Device);

/// <summary>A key that signs access tokens.</summary>
/// <param name="Id">The <c>kid</c>.</param>
/// <param name="Private">PKCS#8, protected by the caller.</param>
/// <param name="SignsFrom">Signs new tokens from here…</param>
/// <param name="SignsUntil">…to here.</param>
/// <param name="ExpiresAt">Verifies until here: later than the last token that it signed.</param>
public sealed record SigningKey(
    string Id, byte[] Private, DateTimeOffset SignsFrom, DateTimeOffset SignsUntil, DateTimeOffset ExpiresAt);
