namespace WhatsAspire.Contracts;

/// <summary>Every reason for which a request can be refused. Problem details, gRPC replies and <c>error</c> frames
/// take their words from here. The list only grows.</summary>
public enum ErrorCode
{
    /// <summary>Not a JSON object with a <c>type</c>.</summary>
    BadFrame = 1,
    /// <summary>The frame's <c>type</c> is none that this server knows.</summary>
    UnknownType = 2,
    /// <summary>A member is missing, of the wrong type, or out of range.</summary>
    InvalidArgument = 3,
    /// <summary>Larger than a stated limit.</summary>
    TooLarge = 4,
    /// <summary>No credentials, or wrong ones.</summary>
    Unauthenticated = 5,
    /// <summary>The access token was good and has expired: refresh it.</summary>
    TokenExpired = 6,
    /// <summary>The caller may know of the thing, but not do this to it.</summary>
    Forbidden = 7,
    /// <summary>The recipient has blocked the caller.</summary>
    Blocked = 8,
    /// <summary>Does not exist, or is none of the caller's business.</summary>
    NotFound = 9,
    /// <summary>Clashes with what is there: a name that is taken, an id used for another content.</summary>
    Conflict = 10,
    /// <summary>Was there and has been deleted.</summary>
    Gone = 11,
    /// <summary>Too many requests; come back after <c>retry_after_ms</c>.</summary>
    RateLimited = 12,
    /// <summary>A part that is needed does not answer now. Nothing is known to be lost: try again.</summary>
    Unavailable = 13,
    /// <summary>A fault of the server's.</summary>
    Internal = 14,
}

/// <summary>What each <see cref="ErrorCode"/> means on the different wires.</summary>
public static class ErrorCodes
{
    /// <summary>The word on the wire.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The code is not in the list.</exception>
    public static string Word(this ErrorCode code) => code switch
    {
        ErrorCode.BadFrame => "bad_frame",
        ErrorCode.UnknownType => "unknown_type",
        ErrorCode.InvalidArgument => "invalid_argument",
        ErrorCode.TooLarge => "too_large",
        ErrorCode.Unauthenticated => "unauthenticated",
        ErrorCode.TokenExpired => "token_expired",
        ErrorCode.Forbidden => "forbidden",
        ErrorCode.Blocked => "blocked",
        ErrorCode.NotFound => "not_found",
        ErrorCode.Conflict => "conflict",
        ErrorCode.Gone => "gone",
        ErrorCode.RateLimited => "rate_limited",
        ErrorCode.Unavailable => "unavailable",
        ErrorCode.Internal => "internal",
        _ => throw new ArgumentOutOfRangeException(nameof(code), code, "not an error code"),
    };

    /// <summary>Whether the same request may succeed later without a change.</summary>
    public static bool IsRetryable(this ErrorCode code) =>
        code is ErrorCode.RateLimited or ErrorCode.Unavailable or ErrorCode.Internal;

    /// <summary>The HTTP status that carries the code.</summary>
    public static int HttpStatus(this ErrorCode code) => code switch
    {
        ErrorCode.BadFrame or ErrorCode.UnknownType or ErrorCode.InvalidArgument => 400,
        ErrorCode.Unauthenticated or ErrorCode.TokenExpired => 401,
        ErrorCode.Forbidden or ErrorCode.Blocked => 403,
        ErrorCode.NotFound => 404,
        ErrorCode.Conflict => 409,
        ErrorCode.Gone => 410,
        ErrorCode.TooLarge => 413,
        ErrorCode.RateLimited => 429,
        ErrorCode.Unavailable => 503,
        _ => 500,
    };
}

/// <summary>A refusal: which code, and a sentence for a developer that says what was wrong and what is allowed.
/// Never holds message text, tokens or stack traces.</summary>
public sealed record Error(ErrorCode Code, string Message, TimeSpan? RetryAfter = null)
{
    public static Error Invalid(string message) => new(ErrorCode.InvalidArgument, message);
    public static Error NotFound(string what) => new(ErrorCode.NotFound, $"no such {what}");
    public static Error Unavailable(string message) => new(ErrorCode.Unavailable, message, TimeSpan.FromMilliseconds(500));
}

/// <summary>The value that was asked for, or why there is none.</summary>
public readonly struct Outcome<T>
{
    private readonly T _value;

    private Outcome(T value, Error? error) => (_value, Error, IsOk) = (value, error, error is null);

    /// <summary>Why there is no value; null when there is one.</summary>
    public Error? Error { get; }

    public bool IsOk { get; }

    /// <exception cref="InvalidOperationException">There is an <see cref="Error"/> instead.</exception>
    public T Value => IsOk ? _value : throw new InvalidOperationException($"no value: {Error?.Code} {Error?.Message}");

    public static implicit operator Outcome<T>(T value) => new(value, null);
    public static implicit operator Outcome<T>(Error error) => new(default!, error);
}
