namespace WhatsAspire.AppHost;

/// <summary>What a process said of its end, for those who don't have the dashboard before them.</summary>
internal sealed class LastWords(ResourceLoggerService logs)
{
    private const string Unhandled = "Unhandled exception. ";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    /// <summary>The last line that a replica wrote to standard error, without the frames of a stack trace; null where
    /// there is none, or the orchestrator does not give it in a second.</summary>
    public async Task<string?> OfAsync(string replica, CancellationToken cancellationToken)
    {
        using var late = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        late.CancelAfter(Patience);
        string? last = null;
        try
        {
            await foreach (var lines in logs.GetAllAsync(replica).WithCancellation(late.Token))
            {
                foreach (var line in lines)
                {
                    if (line.IsErrorMessage && Text(line.Content) is { } text)
                        last = text;
                }
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // What came until now has to do.
        }

        return last;
    }

    /// <summary>A line without the time that the orchestrator puts before it; null for what follows an exception's
    /// message.</summary>
    public static string? Text(string line)
    {
        var space = line.IndexOf(' ', StringComparison.Ordinal);
        var text = space > 0 && DateTimeOffset.TryParse(line.AsSpan(0, space), null, out _) ? line[(space + 1)..] : line;
        if (text.Length == 0 || char.IsWhiteSpace(text[0]))
            return null;
        return text.StartsWith(Unhandled, StringComparison.Ordinal) ? text[Unhandled.Length..] : text;
    }
}
