using System.Globalization;
using Microsoft.Extensions.Options;
using WhatsAspire.Backplane.Queue;

namespace WhatsAspire.QueueTool;

/// <summary>What an operator does with events that could not be handled: looks at them, has them handled again, or closes
/// them.</summary>
/// <param name="Verb">list, replay or discard.</param>
/// <param name="Topic">The original topic.</param>
/// <param name="Position">Which one, as listed; null: all.</param>
internal sealed record DeadLetterCommand(string Verb, string Topic, EventPosition? Position)
{
    public const string Usage = """
        Usage: dotnet run --project QueueTool -- VERB TOPIC [POSITION | all]
          list TOPIC                 the dead letters of a topic, such as push, push.seconds or redelivery
          replay TOPIC POSITION|all  has them handled once more
          discard TOPIC POSITION|all closes them
        The queue is the Kafka that ConnectionStrings__kafka names, or else the file that Queue__Path names.
        A position is PARTITION:OFFSET, as listed.
        """;

    private const int Page = 100;

    /// <summary>Reads the command line; null where it is none.</summary>
    public static DeadLetterCommand? Parse(IReadOnlyList<string> args) => args switch
    {
        ["list", var topic] => new("list", topic, null),
        ["replay" or "discard", var topic, "all"] => new(args[0], topic, null),
        ["replay" or "discard", var topic, var at] when ParsePosition(at) is { } position => new(args[0], topic, position),
        _ => null,
    };

    /// <summary>Does it.</summary>
    /// <returns>The exit code: 0 done, 1 there is no such dead letter, 2 the topic can't be, 3 the queue does not answer.</returns>
    public async Task<int> RunAsync(IEventQueue queue, TextWriter output, TextWriter errors, CancellationToken cancellationToken)
    {
        try
        {
            // All first: what is replayed may die again while the rest is still being read.
            var letters = (await ReadAsync(queue, cancellationToken)).Where(letter => Position is null || letter.Position == Position).ToArray();
            if (letters.Length == 0 && Position is not null)
            {
                await errors.WriteLineAsync($"{Topic} has no open dead letter at {Text(Position.Value)}.");
                return 1;
            }

            foreach (var letter in letters)
            {
                if (Verb == "replay") await queue.DeadLetters.ReplayAsync(Topic, letter, cancellationToken);
                else if (Verb == "discard") await queue.DeadLetters.DiscardAsync(Topic, letter, cancellationToken);
                await output.WriteLineAsync(string.Create(CultureInfo.InvariantCulture,
                    $"{Text(letter.Position)}  {letter.DiedAt:u}  {letter.Type}  {letter.Key}  {letter.Group}  {letter.Attempts} attempts: {letter.Reason}"));
            }

            await output.WriteLineAsync($"{letters.Length} {Verb switch { "replay" => "replayed", "discard" => "discarded", _ => "open" }}");
            return 0;
        }
        catch (Exception e) when (e is ArgumentException or OptionsValidationException)
        {
            await errors.WriteLineAsync(e.Message);
            return 2;
        }
        catch (QueueUnavailableException e)
        {
            await errors.WriteLineAsync($"The queue does not answer: {e.Message}");
            return 3;
        }
    }

    private async Task<List<DeadLetter>> ReadAsync(IEventQueue queue, CancellationToken cancellationToken)
    {
        var letters = new List<DeadLetter>();
        EventPosition? after = null;
        do
        {
            var page = await queue.DeadLetters.ListAsync(Topic, after, Page, cancellationToken);
            letters.AddRange(page.Letters);
            after = page.Next;
        }
        while (after is not null);
        return letters;
    }

    private static EventPosition? ParsePosition(string text)
    {
        var colon = text.IndexOf(':', StringComparison.Ordinal);
        return colon > 0
            && int.TryParse(text[..colon], NumberStyles.None, CultureInfo.InvariantCulture, out var partition)
            && long.TryParse(text[(colon + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out var offset)
            ? new EventPosition(partition, offset) : null;
    }

    private static string Text(EventPosition position) =>
        string.Create(CultureInfo.InvariantCulture, $"{position.Partition}:{position.Offset}");
}
