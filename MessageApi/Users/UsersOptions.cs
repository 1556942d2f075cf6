namespace WhatsAspire.MessageApi.Users;

/// <summary>Accounts, sign-in and tokens.</summary>
public sealed class UsersOptions
{
    public const string SectionName = "Users";

    /// <summary>How long an access token is good: one second to a day.</summary>
    public TimeSpan AccessTokenLifetime { get; set; } = TimeSpan.FromMinutes(15);

    /// <summary>How long one key signs new tokens, one hour to a year; its successor is there a while before.</summary>
    public TimeSpan SigningKeyLifetime { get; set; } = TimeSpan.FromDays(7);

    /// <summary>How long after its exchange the last refresh token may come once more, at most five minutes.</summary>
    public TimeSpan RefreshGrace { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>Rounds of PBKDF2-HMAC-SHA512 for a new password, 1,000 to 10 million. The default is what OWASP's
    /// password storage cheat sheet asks for. Fewer are for load tests.</summary>
    public int PasswordIterations { get; set; } = 210_000;

    /// <summary>Passwords hashed at one time; 0: half the cores, at least one. The rest of the cores go on serving
    /// messages while sign-ins pour in.</summary>
    public int PasswordConcurrency { get; set; }

    /// <summary>Sign-ins that may wait for their turn to hash; more are told to come back.</summary>
    public int PasswordQueue { get; set; } = 100;

    /// <summary>Requests that make accounts or tokens, per minute and client address (an IPv6 /64 counts as one);
    /// as many may come at once. 0: no limit.</summary>
    public int SignInsPerAddressPerMinute { get; set; } = 1_200;

    /// <summary>The same per address and user name together, so that guessing from one place does not lock the owner
    /// out elsewhere. 0: no limit.</summary>
    public int SignInsPerUserPerMinute { get; set; } = 20;
}
