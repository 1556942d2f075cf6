namespace WhatsAspire.Backplane.Queue;

/// <summary>The events of a topic that could not be handled. They lie in the topic <c>{topic}.dead</c> with their own key,
/// type, payload and headers, and beside these the reason and where they came from. One that is replayed or discarded is
/// not removed: a closing event of the same partition says that it is dealt with, and both go when their time is up.
/// <para>An event may lie there twice, when its owner crashed between writing it there and committing its
/// offset.</para></summary>
public interface IDeadLetters
{
    /// <summary>Reads a page of those that are not dealt with, by partition and oldest first.</summary>
    /// <param name="topic">The original topic, without <c>.dead</c>.</param>
    /// <param name="after">Where the page before ended; null for the first.</param>
    /// <param name="limit">1 to 1,000.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <returns>May hold fewer than asked for, or none, though more follow: then <see cref="DeadLetterPage.Next"/> is
    /// set.</returns>
    Task<DeadLetterPage> ListAsync(string topic, EventPosition? after, int limit, CancellationToken cancellationToken);

    /// <summary>Publishes the event again to its topic, with its own key, type, payload and headers, for the one group that
    /// could not handle it; then closes the dead letter. A crash between the two leaves it open: replaying again is
    /// right, and handles it twice.</summary>
    /// <param name="topic">The original topic.</param>
    /// <param name="letter">As listed.</param>
    /// <param name="cancellationToken">Stops waiting; the outcome is unknown then.</param>
    Task ReplayAsync(string topic, DeadLetter letter, CancellationToken cancellationToken);

    /// <summary>Closes a dead letter without handling it. Idempotent.</summary>
    Task DiscardAsync(string topic, DeadLetter letter, CancellationToken cancellationToken);
}

/// <param name="Letters">By partition, oldest first.</param>
/// <param name="Next">For the next call; null at the end.</param>
public sealed record DeadLetterPage(IReadOnlyList<DeadLetter> Letters, EventPosition? Next);

/// <summary>An event that could not be handled.</summary>
public sealed record DeadLetter
{
    /// <summary>Where it lies in the dead-letter topic.</summary>
    public required EventPosition Position { get; init; }

    public required string Key { get; init; }
    public required string Type { get; init; }
    public required ReadOnlyMemory<byte> Payload { get; init; }

    /// <summary>The publisher's, without what the queue added.</summary>
    public required IReadOnlyDictionary<string, string> Headers { get; init; }

    /// <summary>Where it lay in its own topic.</summary>
    public required EventPosition Original { get; init; }

    /// <summary>When it was first published.</summary>
    public required DateTimeOffset PublishedAt { get; init; }

    /// <summary>When it was given up.</summary>
    public required DateTimeOffset DiedAt { get; init; }

    /// <summary>The group whose handler could not do it.</summary>
    public required string Group { get; init; }

    /// <summary>What the handler said, or the exception's type and message.</summary>
    public required string Reason { get; init; }

    /// <summary>How often it was tried.</summary>
    public required int Attempts { get; init; }
}
