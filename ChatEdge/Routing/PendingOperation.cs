using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Messaging.V1;

namespace WhatsAspire.ChatEdge.Routing;

/// <summary>An operation on its way to MessageApi and back. Exactly one of <see cref="Complete"/> and
/// <see cref="Fail"/> is called, once, and must not block.</summary>
internal abstract class PendingOperation(Operation operation)
{
    public Operation Operation { get; } = operation;

    /// <summary>Timestamp of the submission.</summary>
    public long SubmittedAt { get; set; }

    /// <summary>It has been written to a stream at least once.</summary>
    public bool WasWritten { get; set; }

    public abstract void Complete(Result result);

    public abstract void Fail(Error error);
}
