using WhatsAspire.Contracts.Messaging.V1;

namespace WhatsAspire.Contracts;

/// <summary>Refusals between the services.</summary>
public static class Faults
{
    public static Fault ToFault(this Error error)
    {
        ArgumentNullException.ThrowIfNull(error);
        return new()
        {
            Code = (int)error.Code,
            Message = error.Message,
            RetryAfterMs = (long)(error.RetryAfter?.TotalMilliseconds ?? 0),
        };
    }

    /// <summary>A code that this version does not know becomes <see cref="ErrorCode.Internal"/>.</summary>
    public static Error ToError(Fault? fault)
    {
        if (fault is null) return new(ErrorCode.Internal, "the service gave no answer");
        var code = Enum.IsDefined((ErrorCode)fault.Code) ? (ErrorCode)fault.Code : ErrorCode.Internal;
        return new(code, fault.Message, fault.RetryAfterMs > 0 ? TimeSpan.FromMilliseconds(fault.RetryAfterMs) : null);
    }
}
