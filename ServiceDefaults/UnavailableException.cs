namespace WhatsAspire.ServiceDefaults;

/// <summary>A part that is needed does not answer now. A client is told <c>unavailable</c> and may try again.</summary>
public class UnavailableException : Exception
{
    public UnavailableException()
        : this("a part that is needed does not answer now")
    {
    }

    public UnavailableException(string message)
        : base(message)
    {
    }

    public UnavailableException(string message, Exception? inner)
        : base(message, inner)
    {
    }
}
