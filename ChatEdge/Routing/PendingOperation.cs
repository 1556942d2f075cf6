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

    /// <summary>Where it was sent, or waits to be; null while no replica is known.</summary>
    public ReplicaStream? Replica { get; set; }

    /// <summary>What holds its conversation to that replica; null where there is nothing to choose.</summary>
    public ConversationPin? Pin { get; set; }

    public abstract void Complete(Result result);

    public abstract void Fail(Error error);
}

/// <summary>While operations of a conversation are under way the next ones go to the same replica, so that none overtakes
/// another.</summary>
internal sealed class ConversationPin(ulong route, ReplicaStream replica)
{
    public ulong Route => route;

    public ReplicaStream Replica => replica;

    /// <summary>Operations under way.</summary>
    public int Operations { get; set; }
}
