using System.ComponentModel.DataAnnotations;

namespace WhatsAspire.PushWorker;

/// <summary>When and what is pushed.</summary>
internal sealed class PushOptions
{
    public const string SectionName = "Push";

    /// <summary>How long after a message the devices are pushed to: those that come of one conversation in the meantime are one
    /// notification, and a device that was only changing networks is back. 0 to 1 min.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:01:00")]
    public TimeSpan CoalesceWindow { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>For how long a device is tried again before its event goes to the dead letters. 1 s to 7 days.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "7.00:00:00")]
    public TimeSpan GiveUpAfter { get; set; } = TimeSpan.FromHours(24);

    /// <summary>For how long a provider keeps a notification for a device that it does not reach. 0 to 28 days.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "28.00:00:00")]
    public TimeSpan Expiry { get; set; } = TimeSpan.FromDays(7);

    /// <summary>For how long it is waited for Redis to tell whether a user is connected, before he is taken for one who is not. 0
    /// to 10 min.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:10:00")]
    public TimeSpan SessionsPatience { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>The title where a device hides who writes. 1 to 100 characters.</summary>
    [Required, StringLength(100)]
    public string HiddenTitle { get; set; } = "WhatsAspire";

    /// <summary>The text where a device hides what is written. 1 to 100 characters.</summary>
    [Required, StringLength(100)]
    public string HiddenBody { get; set; } = "New message";
}
