namespace WhatsAspire.PushGateways;

/// <summary>What the gateways stand in for, and where they listen.</summary>
public sealed record PushGatewayOptions
{
    /// <summary>The clock that credentials are checked by.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>The app's bundle id.</summary>
    public string Topic { get; init; } = "org.whatsaspire.app";

    /// <summary>The id of the APNs signing key, ten characters.</summary>
    public string KeyId { get; init; } = "WAGATEWAY1";

    /// <summary>The id of the developer team, ten characters.</summary>
    public string TeamId { get; init; } = "WASPIRETM1";

    /// <summary>FCM's project.</summary>
    public string ProjectId { get; init; } = "whatsaspire-dev";

    /// <summary>The RSA key of FCM's service account, PEM. Null: a new one, which takes a while to make.</summary>
    public string? AccountKeyPem { get; init; }

    /// <summary>Ports on loopback. 0: any free one.</summary>
    public int ApnsPort { get; init; }

    public int ApnsSandboxPort { get; init; }

    public int FcmPort { get; init; }

    public int WebPushPort { get; init; }
}

/// <summary>The names of the providers.</summary>
public static class GatewayProviders
{
    public const string Apns = "apns";
    public const string Fcm = "fcm";
    public const string WebPush = "webpush";

    /// <summary>The endpoint where FCM's access tokens are had.</summary>
    public const string OAuth = "oauth";
}
