using Microsoft.Extensions.Options;
using WhatsAspire.Contracts;
using WhatsAspire.MessageApi.Directory;
using WhatsAspire.MessageApi.Storage;

namespace WhatsAspire.MessageApi.Groups;

/// <summary>Puts changes into the logs of groups that nobody touches after whoever made them died, or could not reach the store.
/// Every replica does it, at times that chance keeps apart; two at once are harmless.</summary>
internal sealed class GroupSweeper(
    IDirectory directory, GroupLog log, IOptions<GroupsOptions> options, TimeProvider time, ApiMetrics metrics, ILogger<GroupSweeper> logger)
    : BackgroundService
{
    private const int Batch = 100;
    private const int Rounds = 10;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (true)
        {
            // Half to one and a half times the interval.
            await Task.Delay(options.Value.SweepInterval * (0.5 + Random.Shared.NextDouble()), time, stoppingToken);
            await SweepAsync(stoppingToken);
        }
    }

    /// <summary>Looks once, for a bounded number of groups.</summary>
    public async Task SweepAsync(CancellationToken cancellationToken)
    {
        var madeBefore = time.GetUtcNow() - options.Value.SweepInterval;
        var (tried, troubled, changes) = (new HashSet<ConversationId>(), 0, 0);
        for (var round = 0; round < Rounds; round++)
        {
            IReadOnlyList<ConversationId> groups;
            try
            {
                groups = await directory.ListGroupsWithPendingChangesAsync(madeBefore, Batch + troubled, cancellationToken);
            }
            catch (Exception e) when (!cancellationToken.IsCancellationRequested)
            {
                logger.GroupsNotSwept(e);
                break;
            }

            var troubledBefore = troubled;
            foreach (var group in groups)
                try
                {
                    if (tried.Add(group)) changes += await log.DrainAsync(group, cancellationToken);
                }
                catch (Exception e) when (!cancellationToken.IsCancellationRequested)
                {
                    // One group's trouble is not the others'. Unless the store is away it may last, and those behind must have their turn.
                    logger.GroupNotLogged(group, e);
                    if (e is not StoreUnavailableException) troubled++;
                }

            if (troubled == troubledBefore) break;
        }

        if (changes == 0) return;
        metrics.GroupChangesSwept(changes);
        logger.GroupsSwept(changes, tried.Count);
    }
}
