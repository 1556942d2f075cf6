using WhatsAspire.Contracts.Events;

namespace WhatsAspire.PushWorker;

/// <summary>Where a push waits that has to be tried again. One topic for each length of wait: in each the events come due about
/// in the order in which they were put there, so that none holds up others, nor what may be committed.</summary>
internal static class RetryTopics
{
    private static readonly TimeSpan First = TimeSpan.FromSeconds(5);

    private static readonly (TimeSpan Wait, string Topic)[] Tiers =
    [
        (TimeSpan.FromSeconds(6), $"{PushEvent.Topic}.seconds"),
        (TimeSpan.FromMinutes(1.2), $"{PushEvent.Topic}.minute"),
        (TimeSpan.FromMinutes(12), $"{PushEvent.Topic}.minutes"),
        (TimeSpan.MaxValue, $"{PushEvent.Topic}.hours"),
    ];

    /// <summary>The longest wait that nobody asked for.</summary>
    public static TimeSpan Longest { get; } = TimeSpan.FromHours(1);

    public static IEnumerable<string> All => Tiers.Select(tier => tier.Topic);

    /// <summary>5 s, 20 s, 80 s … 1 h, up to a fifth longer, so that what failed together does not come back together; never
    /// shorter than what the provider asks for.</summary>
    /// <param name="tries">Failed so far, this one included; 1 or more.</param>
    /// <param name="asked">What the provider asks for, or null.</param>
    /// <param name="random">0 to 1.</param>
    public static TimeSpan Wait(int tries, TimeSpan? asked, double random)
    {
        var wait = Math.Min(Longest.TotalSeconds, First.TotalSeconds * Math.Pow(4, Math.Min(tries - 1, 30)));
        if (asked is { } least) wait = Math.Max(wait, least.TotalSeconds);
        return TimeSpan.FromSeconds(wait * (1 + (random / 5)));
    }

    /// <summary>The topic of the shortest waits that has this one.</summary>
    public static string Of(TimeSpan wait) => Array.Find(Tiers, tier => wait <= tier.Wait).Topic;
}
