using System.Text.Json.Serialization;
using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Frames;

namespace WhatsAspire.MessageApi.Users;

// Requests are classes: a record's ToString would put passwords and tokens within reach of a log.

/// <summary><c>POST /accounts</c>.</summary>
public sealed class CreateAccountRequest
{
    /// <summary>3 to 32 of a-z, 0-9, '_', '.', '-'; compared without regard to case.</summary>
    public string? Username { get; init; }

    /// <summary>8 to 128 characters.</summary>
    public string? Password { get; init; }

    /// <summary>1 to 64 characters; the user name unless given.</summary>
    public string? DisplayName { get; init; }
}

/// <summary><c>POST /tokens</c>: user name, password and device; or a refresh token alone.</summary>
public sealed class TokenRequest
{
    public string? Username { get; init; }
    public string? Password { get; init; }
    public DeviceRequest? Device { get; init; }

    /// <summary>A device of this user that signs in again; a new one unless given.</summary>
    public string? DeviceId { get; init; }

    public string? RefreshToken { get; init; }
}

/// <summary>What signs in.</summary>
/// <param name="Name">1 to 64 characters.</param>
/// <param name="Platform">1 to 64 characters, such as <c>ios</c>, <c>android</c>, <c>web</c>, <c>desktop</c>.</param>
public sealed record DeviceRequest(string? Name, string? Platform);

/// <summary>An account as others see it.</summary>
public sealed record UserResponse(UserId UserId, string Username, string DisplayName, string? About);

/// <summary>The tokens of a device that signed in.</summary>
public sealed class TokenResponse
{
    public required UserId UserId { get; init; }
    public required DeviceId DeviceId { get; init; }
    public required string AccessToken { get; init; }

    /// <summary>Seconds.</summary>
    public required int ExpiresIn { get; init; }

    public required string RefreshToken { get; init; }
}

/// <summary>Whom the caller blocks, oldest block first.</summary>
public sealed record BlocksResponse(IReadOnlyList<UserId> UserIds);

/// <summary>The caller's devices, oldest first.</summary>
public sealed record DevicesResponse(IReadOnlyList<DeviceResponse> Devices);

/// <param name="DeviceId">The device.</param>
/// <param name="Name">As its owner calls it.</param>
/// <param name="Platform">As it said at sign-in.</param>
/// <param name="CreatedAt">When it first signed in.</param>
/// <param name="LastTokenAt">When it last got a token.</param>
/// <param name="Current">It is the one that asks.</param>
public sealed record DeviceResponse(
    DeviceId DeviceId, string Name, string Platform, DateTimeOffset CreatedAt, DateTimeOffset LastTokenAt, bool Current);

/// <summary>Source-generated serialization of these.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    Converters = [typeof(WireTimeConverter)])]
[JsonSerializable(typeof(CreateAccountRequest))]
[JsonSerializable(typeof(TokenRequest))]
[JsonSerializable(typeof(UserResponse))]
[JsonSerializable(typeof(TokenResponse))]
[JsonSerializable(typeof(BlocksResponse))]
[JsonSerializable(typeof(DevicesResponse))]
internal sealed partial class UsersJson : JsonSerializerContext;
