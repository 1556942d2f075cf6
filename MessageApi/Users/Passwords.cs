using System.Security.Cryptography;
using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Identity;
using Microsoft.Extensions.Options;
using WhatsAspire.Contracts;

namespace WhatsAspire.MessageApi.Users;

/// <summary>Hashes and checks passwords with ASP.NET Core Identity's hasher: PBKDF2-HMAC-SHA512 with a random salt, in a
/// format that carries its parameters. Argon2id would resist graphics cards better, but its one managed implementation
/// takes 12 MiB of garbage per hash; PBKDF2 is the platform's own code, kept with it, and allocates next to nothing.
///
/// <para>Hashing is meant to be slow, so a bounded number runs at once and a bounded number waits: a flood of sign-ins
/// can't take all cores.</para></summary>
internal sealed class Passwords : IDisposable
{
    // Rounds below this are told of at start.
    private const int Enough = 100_000;
    private readonly PasswordHasher<object> _hasher;
    private readonly ConcurrencyLimiter _turns;
    private readonly UsersMetrics _metrics;
    private readonly TimeProvider _time;
    private readonly string _decoy;

    public Passwords(IOptions<UsersOptions> options, UsersMetrics metrics, TimeProvider time, ILogger<Passwords> log)
    {
        (_metrics, _time) = (metrics, time);
        var o = options.Value;
        if (o.PasswordIterations < Enough) UsersLog.WeakPasswords(log, o.PasswordIterations);
        _hasher = new(Options.Create(new PasswordHasherOptions { IterationCount = o.PasswordIterations }));
        _turns = new(new()
        {
            PermitLimit = o.PasswordConcurrency > 0 ? o.PasswordConcurrency : Math.Max(1, Environment.ProcessorCount / 2),
            QueueLimit = o.PasswordQueue,
            QueueProcessingOrder = QueueProcessingOrder.OldestFirst,
        });
        _decoy = _hasher.HashPassword(this, RandomNumberGenerator.GetHexString(32));
    }

    /// <summary>What to keep for a password; <c>unavailable</c> when too many wait.</summary>
    public Task<Outcome<string>> HashAsync(string password, CancellationToken cancellationToken) =>
        InTurnAsync(() => _hasher.HashPassword(this, password), cancellationToken);

    /// <summary>Whether it is the password; <c>unavailable</c> when too many wait.</summary>
    /// <param name="hash">Of the account; null, when there is none, takes as long and is false.</param>
    /// <param name="password">The password presented.</param>
    /// <param name="cancellationToken">Ends the wait for a turn.</param>
    public Task<Outcome<bool>> VerifyAsync(string? hash, string password, CancellationToken cancellationToken) =>
        InTurnAsync(
            () => _hasher.VerifyHashedPassword(this, hash ?? _decoy, password) != PasswordVerificationResult.Failed && hash is not null,
            cancellationToken);

    private async Task<Outcome<T>> InTurnAsync<T>(Func<T> work, CancellationToken cancellationToken)
    {
        using var turn = await _turns.AcquireAsync(1, cancellationToken);
        if (!turn.IsAcquired)
            return new Error(ErrorCode.Unavailable, "too many sign-ins at once; come back shortly", TimeSpan.FromSeconds(2));
        var started = _time.GetTimestamp();
        var result = await Task.Run(work, cancellationToken);
        _metrics.PasswordHashed(_time.GetElapsedTime(started));
        return result;
    }

    public void Dispose() => _turns.Dispose();
}
