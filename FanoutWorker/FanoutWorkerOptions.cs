using System.ComponentModel.DataAnnotations;

namespace WhatsAspire.FanoutWorker;

/// <summary>How entries of large groups are brought to their members.</summary>
internal sealed class FanoutWorkerOptions
{
    public const string SectionName = "FanoutWorker";

    /// <summary>Members that are looked up together, in one round trip to Redis. 1 to 500.</summary>
    [Range(1, 500)]
    public int PageSize { get; set; } = 500;

    /// <summary>For how long a group's members are believed without asking again. 0 to 10 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:00:10")]
    public TimeSpan MemberCache { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>How long an edge may take to confirm. 10 ms to 10 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "00:00:10")]
    public TimeSpan ConfirmTimeout { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>For how long an edge that did not confirm is not waited for again: what is for it is tried later, and the others
    /// go on. 0 to 1 min.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:01:00")]
    public TimeSpan Avoid { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>For how long what an edge did not confirm is tried again; then it is left to that edge's activity check. 1 s to
    /// 1 h.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "01:00:00")]
    public TimeSpan Patience { get; set; } = TimeSpan.FromMinutes(2);
}
