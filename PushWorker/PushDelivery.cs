using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Push.V1;

namespace WhatsAspire.PushWorker;

/// <summary>What became of a notification to one device.</summary>
internal readonly record struct Told(PushTarget Target, PushResult Result);

/// <summary>Gives notifications to the providers, as far as their circuits let it.</summary>
internal sealed class PushDelivery(
    IEnumerable<IPushSender> senders, ProviderCircuits circuits, PushWorkerMetrics metrics, ILogger<PushDelivery> logger)
{
    private readonly Dictionary<string, IPushSender> _senders = senders.ToDictionary(sender => sender.Provider, StringComparer.Ordinal);

    /// <summary>Sends to some devices at once. A device whose provider is not set up is left out.</summary>
    public async Task<List<Told>> SendAsync(
        IReadOnlyList<PushTarget> targets, Func<PushTarget, PushNotification> what, CancellationToken cancellationToken)
    {
        var sends = new List<Task<Told>>(targets.Count);
        foreach (var target in targets)
        {
            if (_senders.TryGetValue(target.Provider, out var sender))
            {
                sends.Add(SendAsync(sender, target, what(target), cancellationToken));
                continue;
            }

            metrics.Sent(target.Provider, "not_configured");
            logger.ProviderNotConfigured(target.Provider);
        }

        return [.. await Task.WhenAll(sends)];
    }

    private async Task<Told> SendAsync(
        IPushSender sender, PushTarget target, PushNotification notification, CancellationToken cancellationToken)
    {
        if (circuits.Open(sender.Provider) is { } wait)
        {
            metrics.Sent(sender.Provider, "held_back");
            return new(target, new PushResult.TryLater(wait, "the provider is left in peace", IsProviderWide: true));
        }

        var result = await sender.SendAsync(ToAddress(target), notification, cancellationToken);
        switch (result)
        {
            case PushResult.TryLater { IsProviderWide: true } later:
                if (circuits.Failed(sender.Provider, later.After))
                {
                    metrics.Opened(sender.Provider);
                    logger.ProviderLeftInPeace(sender.Provider, later.Reason);
                }

                break;
            default:
                circuits.Answered(sender.Provider);
                break;
        }

        metrics.Sent(sender.Provider, result switch
        {
            PushResult.Accepted => notification.IsSilent ? "cleared" : "accepted",
            PushResult.DeadToken => "dead_token",
            PushResult.TryLater => "try_later",
            _ => "refused",
        });
        return new(target, result);
    }

    private static PushAddress ToAddress(PushTarget target) => new(target.DeviceId.ToDeviceId(), target.Provider, target.Token)
    {
        Topic = target.Topic.Length == 0 ? null : target.Topic,
        IsSandbox = target.Sandbox,
        P256dh = target.P256Dh.Length == 0 ? null : target.P256Dh,
        Auth = target.Auth.Length == 0 ? null : target.Auth,
    };
}
