using Microsoft.Extensions.Options;
using StackExchange.Redis;
using WhatsAspire.Backplane;
using WhatsAspire.Backplane.Sessions;
using WhatsAspire.ChatEdge.Connections;

namespace WhatsAspire.ChatEdge.Routing;

/// <summary>Keeps this edge's lease alive, and its sessions registered when Redis has forgotten them.</summary>
internal sealed class LeaseKeeper(
    SessionRegistry sessions, EdgeIdentity identity, EdgeConnections connections, ActivityCheck activity,
    IOptions<BackplaneOptions> backplane,
    IOptions<EdgeOptions> options, IConfiguration configuration, TimeProvider time, ILogger<LeaseKeeper> logger) : BackgroundService
{
    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        // The lease stands before the first connection: nobody may be registered on an edge that is not there.
        await RenewAsync(first: true);
        await base.StartAsync(cancellationToken);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // When Redis is back others look for this edge's sessions at once, and not after the next renewal only.
        var restored = NewSignal();
        void OnRestored() => Volatile.Read(ref restored).TrySetResult();
        sessions.Restored += OnRestored;
        try
        {
            while (true)
            {
                await restored.Task.WaitAsync(backplane.Value.LeaseRenewal, time, stoppingToken)
                    .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                if (stoppingToken.IsCancellationRequested) return;
                if (restored.Task.IsCompleted) Volatile.Write(ref restored, NewSignal());
                await RenewAsync(first: false);
            }
        }
        finally
        {
            sessions.Restored -= OnRestored;
        }
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        try
        {
            await sessions.EndLeaseAsync(identity.Id);
        }
        catch (Exception e) when (e is RedisException or TimeoutException)
        {
            logger.LeaseNotRenewed(e);   // it expires by itself
        }
    }

    private async Task RenewAsync(bool first)
    {
        try
        {
            var lease = new EdgeLease(identity.Id, Address());
            if (await sessions.RenewLeaseAsync(lease) || first) return;
            logger.LeaseLost();
            await connections.RegisterAllAsync();
            activity.LookSoon();
        }
        catch (Exception e) when (e is RedisException or TimeoutException)
        {
            logger.LeaseNotRenewed(e);
        }
    }

    private Uri Address() =>
        options.Value.AdvertisedAddress
        ?? (Uri.TryCreate(configuration["Kestrel:Endpoints:grpc:Url"], UriKind.Absolute, out var address) ? address
            : throw new InvalidOperationException("Edge:AdvertisedAddress or Kestrel:Endpoints:grpc:Url must say where other processes reach this edge"));
}
