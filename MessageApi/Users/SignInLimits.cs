using System.Net;
using System.Net.Sockets;
using System.Threading.RateLimiting;
using Microsoft.AspNetCore.RateLimiting;
using Microsoft.Extensions.Options;
using WhatsAspire.Contracts;
using WhatsAspire.ServiceDefaults;

namespace WhatsAspire.MessageApi.Users;

/// <summary>How often one address, and one address with one user name, may try to make accounts or tokens. Counted by
/// this replica alone.</summary>
internal sealed class SignInLimits(IOptions<UsersOptions> options) : IRateLimiterPolicy<string>, IDisposable
{
    public const string Policy = "sign-in";

    private readonly PartitionedRateLimiter<(string Address, string Username)> _perUser =
        PartitionedRateLimiter.Create<(string Address, string Username), (string Address, string Username)>(
            key => Partition(key, options.Value.SignInsPerUserPerMinute));

    /// <summary>Before the body is read: by address.</summary>
    public RateLimitPartition<string> GetPartition(HttpContext httpContext) =>
        Partition(Address(httpContext), options.Value.SignInsPerAddressPerMinute);

    public Func<OnRejectedContext, CancellationToken, ValueTask>? OnRejected => static async (rejected, _) =>
        await Problems.Problem(Refusal(rejected.Lease)).ExecuteAsync(rejected.HttpContext);

    /// <summary>Once the body is read: by address and user name. Null: go on.</summary>
    public Error? Admit(HttpContext context, string username)
    {
        using var lease = _perUser.AttemptAcquire((Address(context), username.ToLowerInvariant()));
        return lease.IsAcquired ? null : Refusal(lease);
    }

    private static Error Refusal(RateLimitLease lease) => new(
        ErrorCode.RateLimited, "too many sign-ins from here; come back later",
        lease.TryGetMetadata(MetadataName.RetryAfter, out var after) ? after : TimeSpan.FromSeconds(1));

    private static RateLimitPartition<TKey> Partition<TKey>(TKey key, int perMinute)
    {
        if (perMinute == 0) return RateLimitPartition.GetNoLimiter(key);
        var period = Math.Max(0.1, 60.0 / perMinute);
        return RateLimitPartition.GetTokenBucketLimiter(key, _ => new()
        {
            TokenLimit = perMinute,
            TokensPerPeriod = Math.Max(1, (int)(perMinute * period / 60)),
            ReplenishmentPeriod = TimeSpan.FromSeconds(period),
            QueueLimit = 0,
        });
    }

    private static string Address(HttpContext context)
    {
        var address = context.Connection.RemoteIpAddress ?? IPAddress.None;
        if (address.IsIPv4MappedToIPv6) address = address.MapToIPv4();
        if (address.AddressFamily != AddressFamily.InterNetworkV6) return address.ToString();
        // Providers give a household or a server a whole /64.
        var bytes = address.GetAddressBytes();
        Array.Clear(bytes, 8, 8);
        return new IPAddress(bytes).ToString();
    }

    public void Dispose() => _perUser.Dispose();
}
