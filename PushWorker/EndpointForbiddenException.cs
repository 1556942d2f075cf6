namespace WhatsAspire.PushWorker;

/// <summary>A host has no address that may be connected to.</summary>
internal sealed class EndpointForbiddenException() : IOException("the host has no public address")
{
    /// <summary>The word for it in results.</summary>
    public const string Reason = "EndpointForbidden";

    /// <summary>The HTTP client wraps what is thrown while it connects.</summary>
    public static bool IsCauseOf(Exception e)
    {
        for (var cause = e; cause is not null; cause = cause.InnerException)
            if (cause is EndpointForbiddenException)
                return true;
        return false;
    }
}
