namespace WhatsAspire.AppHost;

/// <summary>What a process said of its end, for those who don't have the dashboard before them.</summary>
internal sealed class LastWords(ResourceLoggerService logs)
{
    private const string Unhandled = "Unhandled exception. ";
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(300);

    /// <summary>The last line that a replica wrote to standard error, without the frames of a stack trace; null where
    /// there is none, or where the orchestrator does not give it at once: nobody's restart waits for it.</summary>
    public async Task<string?> OfAsync(string replica, CancellationToken cancellationToken)
    {
        var late = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        try
        {
            // The orchestrator's reader does not always hear of a cancellation: it is left behind then.
            return await Task.Run(() => ReadAsync(replica, late.Token), cancellationToken).WaitAsync(Patience, cancellationToken);
        }
        catch (Exception) when (!cancellationToken.IsCancellationRequested)
        {
            // Whatever it is that keeps the words from us must not keep the process dead.
            return null;
        }
        finally
        {
            // Not waited for either: it runs what the reader has registered.
            _ = late.CancelAsync().ContinueWith(_ => late.Dispose(), CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        }
    }

    private async Task<string?> ReadAsync(string replica, CancellationToken cancellationToken)
    {
        string? last = null;
        await foreach (var lines in logs.GetAllAsync(replica).WithCancellation(cancellationToken))
        {
            foreach (var line in lines)
            {
                if (line.IsErrorMessage && Text(line.Content) is { } text)
                    last = text;
            }
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
