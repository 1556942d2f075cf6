namespace WhatsAspire.AppHost;

/// <summary>How long to wait before a service that keeps dying is started again.</summary>
internal static class Backoff
{
    /// <summary>A service that has run this long is taken to work, and the count of its deaths starts anew.</summary>
    public static TimeSpan GoodRun { get; } = TimeSpan.FromSeconds(10);

    /// <summary>No wait is longer.</summary>
    public static TimeSpan Longest { get; } = TimeSpan.FromSeconds(30);

    private static TimeSpan First { get; } = TimeSpan.FromSeconds(0.5);

    /// <summary>
    /// None after the first death, then 0.5, 1, 2, 4 … seconds up to <see cref="Longest"/>, of which up to a half is
    /// taken off, so that services that died of one cause don't all come back at one moment.
    /// </summary>
    /// <param name="deaths">Deaths in a row, this one included; 1 or more.</param>
    /// <param name="random">0 to 1.</param>
    public static TimeSpan Delay(int deaths, double random)
    {
        if (deaths <= 1)
            return TimeSpan.Zero;
        var full = Math.Min(Longest.TotalSeconds, First.TotalSeconds * Math.Pow(2, Math.Min(deaths - 2, 30)));
        return TimeSpan.FromSeconds(full * (1 - (random / 2)));
    }
}
