using WhatsAspire.Contracts;

namespace WhatsAspire.MessageApi.Users;

/// <summary>Tells every edge that a device was logged out.</summary>
public interface IDeviceRevocations
{
    /// <summary>Has the sockets of that device of that user closed (4403), on whichever edge they are. Called after the
    /// device is gone from the directory, and again when the client repeats its request. Idempotent; a device
    /// without sockets, or one that is not this user's, is nobody's loss.</summary>
    /// <returns>Completes when the announcement is on its way to all edges; throws when it could not be made.</returns>
    ValueTask AnnounceAsync(UserId user, DeviceId device, CancellationToken cancellationToken);
}
