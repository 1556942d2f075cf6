using WhatsAspire.Contracts;

namespace WhatsAspire.MessageApi.Users;

/// <summary>Event ids 2200–2299.</summary>
internal static partial class UsersLog
{
    [LoggerMessage(2200, LogLevel.Information, "Account {UserId} was made")]
    public static partial void AccountMade(ILogger logger, UserId userId);

    [LoggerMessage(2201, LogLevel.Debug, "Device {DeviceId} of {UserId} signed in")]
    public static partial void SignedIn(ILogger logger, UserId userId, DeviceId deviceId);

    [LoggerMessage(2202, LogLevel.Warning, "A refresh token of device {DeviceId} of {UserId} was used again: the device was logged out")]
    public static partial void RefreshTokenReused(ILogger logger, UserId userId, DeviceId deviceId);

    [LoggerMessage(2203, LogLevel.Information, "Device {DeviceId} of {UserId} was logged out")]
    public static partial void LoggedOut(ILogger logger, UserId userId, DeviceId deviceId);

    [LoggerMessage(2204, LogLevel.Information, "Signing key {KeyId} signs from {SignsFrom}")]
    public static partial void SigningKeyAdded(ILogger logger, string keyId, DateTimeOffset signsFrom);

    [LoggerMessage(2205, LogLevel.Warning, "The signing keys could not be read; those known so far stay in use")]
    public static partial void SigningKeysNotRead(ILogger logger, Exception exception);

    [LoggerMessage(2206, LogLevel.Information, "The directory was migrated: {Script}")]
    public static partial void MigrationApplied(ILogger logger, string script);

    [LoggerMessage(2207, LogLevel.Warning, "Passwords are hashed with {Iterations} rounds only; that is for load tests")]
    public static partial void WeakPasswords(ILogger logger, int iterations);

    [LoggerMessage(2208, LogLevel.Warning, "The directory can't be reached, and is tried again in {PauseSeconds:F1} s: {Problem}")]
    public static partial void DirectoryIsAway(ILogger logger, string? problem, double pauseSeconds);
}
