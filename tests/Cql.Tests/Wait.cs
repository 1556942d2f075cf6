namespace WhatsAspire.Cql.Tests;

/// <summary>Waits with an end.</summary>
internal static class Wait
{
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    public static CancellationToken Stop => TestContext.Current.CancellationToken;

    public static async Task<T> For<T>(Task<T> task, string what)
    {
        try
        {
            return await task.WaitAsync(Patience, Stop);
        }
        catch (TimeoutException)
        {
            throw new TimeoutException($"Waited {Patience} for {what}.");
        }
    }

    public static async Task For(Task task, string what)
    {
        try
        {
            await task.WaitAsync(Patience, Stop);
        }
        catch (TimeoutException) when (!task.IsCompleted)
        {
            throw new TimeoutException($"Waited {Patience} for {what}.");
        }
    }

    /// <summary>Looks again and again; for states that nothing signals.</summary>
    public static async Task Until(Func<bool> condition, string what)
    {
        var start = TimeProvider.System.GetTimestamp();
        while (!condition())
        {
            if (TimeProvider.System.GetElapsedTime(start) > Patience)
                throw new TimeoutException($"Waited {Patience} until {what}.");
            await Task.Yield();
            Stop.ThrowIfCancellationRequested();
        }
    }
}
