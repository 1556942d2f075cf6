using WhatsAspire.Contracts;

namespace WhatsAspire.Client;

/// <summary>The server refused something, or the client can't go on.</summary>
/// <param name="code">A word of the wire's list, such as <c>conflict</c>.</param>
/// <param name="message">What was wrong, for a developer.</param>
/// <param name="retryable">The same request may succeed later.</param>
/// <param name="retryAfter">How long to wait before that, where the server said so.</param>
/// <param name="inner">What caused it.</param>
public sealed class ChatException(string code, string message, bool retryable = false, TimeSpan? retryAfter = null, Exception? inner = null)
    : Exception($"{code}: {message}", inner)
{
    /// <summary>A word of the wire's list of errors.</summary>
    public string Code { get; } = code;

    /// <summary>The same request may succeed later without a change.</summary>
    public bool Retryable { get; } = retryable;

    /// <summary>How long to wait before that, where the server said so.</summary>
    public TimeSpan? RetryAfter { get; } = retryAfter;

    internal static ChatException From(Error error) => new(error.Code.Word(), error.Message, error.Code.IsRetryable(), error.RetryAfter);

    internal static ChatException Unavailable(string message, Exception? inner = null) =>
        new(ErrorCode.Unavailable.Word(), message, retryable: true, inner: inner);
}
