using WhatsAspire.ServiceDefaults;

namespace WhatsAspire.MessageApi.Storage;

/// <summary>The store cannot read or write now. Whether a write took effect is unknown: repeat it with the same
/// arguments once the store answers again.</summary>
public sealed class StoreUnavailableException : UnavailableException
{
    public StoreUnavailableException()
        : this("the message store does not answer")
    {
    }

    public StoreUnavailableException(string message)
        : base(message)
    {
    }

    public StoreUnavailableException(string message, Exception? inner)
        : base(message, inner)
    {
    }
}
