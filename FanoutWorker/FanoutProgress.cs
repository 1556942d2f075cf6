using WhatsAspire.Contracts;

namespace WhatsAspire.FanoutWorker;

/// <summary>Where of an event everything has got, over its attempts.</summary>
internal sealed class FanoutProgress
{
    /// <summary>Members on edges that have confirmed.</summary>
    public HashSet<(UserId User, string Edge)> Done { get; } = [];

    /// <summary>Members who were connected nowhere, and are durably to be pushed to.</summary>
    public HashSet<UserId> Pushed { get; } = [];
}
