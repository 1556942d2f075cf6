using WhatsAspire.Contracts;

namespace WhatsAspire.PushWorker;

/// <summary>A device that can be pushed to.</summary>
/// <param name="Device">Which.</param>
/// <param name="Provider">A <see cref="PushProviders"/>.</param>
/// <param name="Token">APNs' or FCM's token; of Web Push the endpoint.</param>
internal sealed record PushAddress(DeviceId Device, string Provider, string Token)
{
    /// <summary>Of APNs: the app's bundle id; null: the default of the settings.</summary>
    public string? Topic { get; init; }

    /// <summary>Of APNs: a token of the development environment.</summary>
    public bool IsSandbox { get; init; }

    /// <summary>Of Web Push: the browser's public key, an uncompressed point of P-256, base64url without padding.</summary>
    public string? P256dh { get; init; }

    /// <summary>Of Web Push: the secret of 16 bytes, base64url without padding.</summary>
    public string? Auth { get; init; }
}

/// <summary>The names of the providers, as on the wire.</summary>
internal static class PushProviders
{
    public const string Apns = "apns";
    public const string Fcm = "fcm";
    public const string WebPush = "webpush";
}

/// <summary>What a device is to be told about a conversation.</summary>
internal sealed record PushNotification
{
    /// <summary>A later one about the same conversation takes the place of an earlier one.</summary>
    public required ConversationId Conversation { get; init; }

    /// <summary>The newest message, or up to where was read.</summary>
    public required long Seq { get; init; }

    /// <summary>The newest message; null of a silent one.</summary>
    public MessageId? Message { get; init; }

    /// <summary>Nothing is shown: the app takes away what it shows of the conversation up to <see cref="Seq"/>, and sets its
    /// badge.</summary>
    public bool IsSilent { get; init; }

    /// <summary>Who writes, or the app's name where that is hidden; empty of a silent one.</summary>
    public string Title { get; init; } = "";

    /// <summary>The start of the text, or that there is one; empty of a silent one.</summary>
    public string Body { get; init; } = "";

    /// <summary>The user's unread total, 0 or more.</summary>
    public required long Badge { get; init; }

    /// <summary>The provider may throw it away after this.</summary>
    public required DateTimeOffset ExpiresAt { get; init; }
}

/// <summary>What became of a notification.</summary>
internal abstract record PushResult
{
    private PushResult()
    {
    }

    /// <summary>The provider has it.</summary>
    /// <param name="Id">Its name for it, for logs; null where it gave none.</param>
    public sealed record Accepted(string? Id) : PushResult;

    /// <summary>The token is no more: forget it, unless it was registered again after <paramref name="Since"/>.</summary>
    /// <param name="Since">Null where the provider does not say.</param>
    /// <param name="Reason">The provider's word.</param>
    public sealed record DeadToken(DateTimeOffset? Since, string Reason) : PushResult;

    /// <summary>Not now.</summary>
    /// <param name="After">The least wait that the provider asks for; null where it does not say.</param>
    /// <param name="Reason">The provider's word, or what went wrong on the way.</param>
    /// <param name="IsProviderWide">It says nothing of this device: the provider as a whole is in trouble, or slows us down.</param>
    public sealed record TryLater(TimeSpan? After, string Reason, bool IsProviderWide) : PushResult;

    /// <summary>It will never take this: our settings or the notification are at fault, not the device.</summary>
    /// <param name="Reason">The provider's word.</param>
    public sealed record Refused(string Reason) : PushResult;
}

/// <summary>Sends to one provider. Safe for concurrent use.</summary>
internal interface IPushSender
{
    /// <summary>Which: a <see cref="PushProviders"/>.</summary>
    string Provider { get; }

    /// <summary>Sends one notification to one device. Failures of the network and of the provider are results; only a
    /// cancellation throws.</summary>
    Task<PushResult> SendAsync(PushAddress to, PushNotification notification, CancellationToken cancellationToken);
}
