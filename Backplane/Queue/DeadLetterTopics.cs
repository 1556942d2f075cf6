using System.Globalization;

namespace WhatsAspire.Backplane.Queue;

/// <summary>Dead letters as events of the topic <c>{topic}.dead</c>.</summary>
internal sealed class DeadLetterTopics(EventQueue queue) : IDeadLetters
{
    /// <summary>The type of the events that close a dead letter. Stored: never change it.</summary>
    internal const string ClosedType = "queue.dead-letter-closed";

    private const int Page = 200;
    private const int ReasonLength = 1000;

    /// <summary>Writes an event that <paramref name="group"/> could not handle.</summary>
    public static Task BuryAsync(EventQueue queue, ReceivedEvent dead, string group, string reason, CancellationToken cancellationToken)
    {
        var headers = new Dictionary<string, string>(dead.Headers, StringComparer.Ordinal)
        {
            [EventHeaders.DeadReason] = reason.Length <= ReasonLength ? reason : reason[..ReasonLength],
            [EventHeaders.DeadTopic] = dead.Topic,
            [EventHeaders.DeadPartition] = Text(dead.Position.Partition),
            [EventHeaders.DeadOffset] = Text(dead.Position.Offset),
            [EventHeaders.DeadPublishedAt] = Text(dead.PublishedAt.ToUnixTimeMilliseconds()),
            [EventHeaders.DeadGroup] = group,
            [EventHeaders.DeadAttempts] = Text(dead.Attempt),
        };
        var message = new QueueEvent { Key = dead.Key, Type = dead.Type, Payload = dead.Payload, Headers = headers };
        return queue.PublishCheckedAsync(dead.Topic + EventQueue.DeadSuffix, message, null, cancellationToken);
    }

    public async Task<DeadLetterPage> ListAsync(string topic, EventPosition? after, int limit, CancellationToken cancellationToken)
    {
        EventQueue.CheckTopic(topic);
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(limit, 1000);
        var dead = topic + EventQueue.DeadSuffix;
        var letters = new List<DeadLetter>();
        EventPosition? next = null;
        foreach (var range in (await queue.RangesAsync(dead, cancellationToken)).OrderBy(r => r.Partition))
        {
            if (after is { } done && range.Partition < done.Partition) continue;
            if (letters.Count >= limit) break;
            var from = after is { } last && last.Partition == range.Partition ? Math.Max(range.First, last.Offset + 1) : range.First;
            var open = new SortedDictionary<long, DeadLetter>();
            // The partition is read to its end even when the page is full: what closes a letter lies behind it.
            var full = false;
            while (from < range.End)
            {
                var events = await queue.ReadAsync(dead, range.Partition, from, range.End, Page, cancellationToken);
                if (events.Count == 0) break;
                foreach (var stored in events)
                {
                    if (stored.Type == ClosedType) open.Remove(Number(stored, EventHeaders.Closes));
                    else if (full) continue;
                    else open[stored.Position.Offset] = Letter(stored);
                    if (full || letters.Count + open.Count < limit) continue;
                    full = true;
                    next = stored.Position;
                }

                from = events[^1].Position.Offset + 1;
            }

            letters.AddRange(open.Values);
            if (full) break;
        }

        return new(letters, next);
    }

    public async Task ReplayAsync(string topic, DeadLetter letter, CancellationToken cancellationToken)
    {
        EventQueue.CheckTopic(topic);
        ArgumentNullException.ThrowIfNull(letter);
        var headers = new Dictionary<string, string>(letter.Headers, StringComparer.Ordinal)
        {
            [EventHeaders.OnlyGroup] = letter.Group,
            [EventHeaders.ReplayOf] = string.Create(CultureInfo.InvariantCulture, $"{letter.Position.Partition}/{letter.Position.Offset}"),
        };
        await queue.PublishCheckedAsync(
            topic, new() { Key = letter.Key, Type = letter.Type, Payload = letter.Payload, Headers = headers }, null, cancellationToken);
        await DiscardAsync(topic, letter, cancellationToken);
    }

    public Task DiscardAsync(string topic, DeadLetter letter, CancellationToken cancellationToken)
    {
        EventQueue.CheckTopic(topic);
        ArgumentNullException.ThrowIfNull(letter);
        var closed = new QueueEvent
        {
            Key = letter.Key,
            Type = ClosedType,
            Headers = new Dictionary<string, string> { [EventHeaders.Closes] = Text(letter.Position.Offset) },
        };
        // Into the letter's own partition, behind it.
        return queue.PublishCheckedAsync(topic + EventQueue.DeadSuffix, closed, letter.Position.Partition, cancellationToken);
    }

    private static DeadLetter Letter(ReceivedEvent stored) => new()
    {
        Position = stored.Position,
        Key = stored.Key,
        Type = stored.Type,
        Payload = stored.Payload,
        Headers = stored.Headers.Where(h => !EventHeaders.IsOurs(h.Key)).ToDictionary(StringComparer.Ordinal),
        Original = new((int)Number(stored, EventHeaders.DeadPartition), Number(stored, EventHeaders.DeadOffset)),
        PublishedAt = DateTimeOffset.FromUnixTimeMilliseconds(Number(stored, EventHeaders.DeadPublishedAt)),
        DiedAt = stored.PublishedAt,
        Group = stored.Headers.GetValueOrDefault(EventHeaders.DeadGroup, ""),
        Reason = stored.Headers.GetValueOrDefault(EventHeaders.DeadReason, ""),
        Attempts = (int)Number(stored, EventHeaders.DeadAttempts),
    };

    private static long Number(ReceivedEvent stored, string header) =>
        long.TryParse(stored.Headers.GetValueOrDefault(header), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) ? number : -1;

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
}
