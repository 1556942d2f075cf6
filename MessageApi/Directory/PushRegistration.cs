using WhatsAspire.Contracts;

namespace WhatsAspire.MessageApi.Directory;

/// <summary>How one device is pushed to. The token and the keys let whoever has them write to the device: its text names none
/// of them.</summary>
public sealed record PushRegistration
{
    /// <summary>The device; it has one registration at most.</summary>
    public required DeviceId Device { get; init; }

    /// <summary>Whose it is.</summary>
    public required UserId User { get; init; }

    /// <summary><c>apns</c>, <c>fcm</c> or <c>webpush</c>.</summary>
    public required string Provider { get; init; }

    /// <summary>The provider's name of the app on the device; of <c>webpush</c> the endpoint.</summary>
    public required string Token { get; init; }

    /// <summary>Of <c>apns</c>: the app's bundle id, or null.</summary>
    public string? Topic { get; init; }

    /// <summary>Of <c>apns</c>: a token of the development environment.</summary>
    public bool IsSandbox { get; init; }

    /// <summary>Of <c>webpush</c>: the browser's public key, base64url without padding.</summary>
    public string? P256dh { get; init; }

    /// <summary>Of <c>webpush</c>: the browser's secret, base64url without padding.</summary>
    public string? Auth { get; init; }

    /// <summary>Neither sender nor text may be in a notification.</summary>
    public bool HidesContent { get; init; }

    /// <summary>When the token was last registered.</summary>
    public required DateTimeOffset RegisteredAt { get; init; }

    public override string ToString() => $"{Provider} of {Device}";
}

/// <param name="Registration">How the device is pushed to.</param>
/// <param name="PushedSeq">The conversation was pushed to it up to here; 0: not yet.</param>
/// <param name="ClearedSeq">What was pushed up to here was cleared again; 0: nothing.</param>
public sealed record PushTarget(PushRegistration Registration, long PushedSeq, long ClearedSeq);

/// <summary>What became of pushing a conversation to a device.</summary>
/// <param name="Device">Which.</param>
/// <param name="Token">That was sent to.</param>
/// <param name="PushedSeq">It was pushed up to here; 0: nothing was.</param>
/// <param name="ClearedSeq">It was cleared up to here; 0: nothing was.</param>
/// <param name="DeadAt">The provider says that the token is dead since then; null: it lives.</param>
public sealed record PushReport(DeviceId Device, string Token, long PushedSeq, long ClearedSeq, DateTimeOffset? DeadAt)
{
    public override string ToString() => $"{Device} pushed {PushedSeq} cleared {ClearedSeq} dead {DeadAt:O}";
}
