using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Messaging.V1;

namespace WhatsAspire.ChatEdge.Routing;

/// <summary>A connection whose positions are raised.</summary>
internal interface IPositionSource
{
    ConnectionId Id { get; }

    /// <summary>Sends a frame about something that it did without asking for an answer.</summary>
    void Tell(ReadOnlyMemory<byte> frame);
}

/// <summary>Waits for what becomes of a position. Exactly one of the two is called, once, and must not block.</summary>
internal interface IPositionAnswer
{
    void Complete(Advanced advanced);

    void Fail(Error error);
}
