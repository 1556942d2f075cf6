using WhatsAspire.Backplane.EdgeTransport;
using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Edge.V1;

namespace WhatsAspire.MessageApi.Users;

/// <summary>Tells the edges that hold connections of a logged-out device to close them.</summary>
internal sealed class DeviceRevocations(LiveEvents live) : IDeviceRevocations
{
    public ValueTask AnnounceAsync(UserId user, DeviceId device, CancellationToken cancellationToken)
    {
        live.TryRoute(new() { Users = [user], Kind = DeliveryKind.LoggedOut, CloseDevice = device });
        return default;
    }
}
