using System.Collections.Concurrent;
using Microsoft.Extensions.Options;
using WhatsAspire.Backplane.EdgeTransport;
using WhatsAspire.Backplane.Sessions;
using WhatsAspire.Contracts;

namespace WhatsAspire.FanoutWorker;

/// <summary>Gives an entry to the edges of some members: one call for each edge, all at once.</summary>
internal sealed class EdgeDelivery(
    SessionRegistry sessions, EdgeLinks links, DeliveryMetrics fanout, FanoutWorkerMetrics metrics, IOptions<FanoutWorkerOptions> options, TimeProvider time,
    ILogger<EdgeDelivery> logger)
{
    // Since when an edge has not been confirming; while it is here it is not waited for.
    private readonly ConcurrentDictionary<string, long> _silent = new(StringComparer.Ordinal);

    /// <summary>Delivers to where the members are connected now, except where it was delivered before. The sessions are looked up
    /// anew for each entry, after it is in the log: a device that registers later than the look-up reads the log after that, and
    /// finds it. An older look-up would miss a device that had read the log just before the entry came.</summary>
    /// <param name="live">The entry; its users don't matter.</param>
    /// <param name="members">Distinct.</param>
    /// <param name="onlyEdge">The one edge to which it goes; null: all.</param>
    /// <param name="path">For the metrics.</param>
    /// <param name="progress">What earlier attempts have done, and this one does.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <returns>Members by edge that did not confirm, and those who are connected nowhere.</returns>
    /// <exception cref="StackExchange.Redis.RedisException">Or <see cref="TimeoutException"/>: no sessions can be looked
    /// up.</exception>
    public async Task<(Dictionary<string, List<UserId>> Failed, List<UserId> Nowhere)> DeliverAsync(
        LiveEvent live, IReadOnlyList<UserId> members, string? onlyEdge, string path, FanoutProgress progress, CancellationToken cancellationToken)
    {
        var byEdge = new Dictionary<string, List<UserId>>(StringComparer.Ordinal);
        var nowhere = new List<UserId>();
        foreach (var page in members.Chunk(options.Value.PageSize))
        {
            var found = await sessions.FindAsync(page);
            for (var i = 0; i < page.Length; i++)
            {
                if (found[i].Count == 0) nowhere.Add(page[i]);
                foreach (var session in found[i])
                {
                    if ((onlyEdge is not null && session.EdgeId != onlyEdge) || progress.Done.Contains((page[i], session.EdgeId))) continue;
                    if (!byEdge.TryGetValue(session.EdgeId, out var users)) byEdge[session.EdgeId] = users = [];
                    // Several devices on one edge.
                    if (users.Count == 0 || users[^1] != page[i]) users.Add(page[i]);
                }
            }
        }

        fanout.Called(path, byEdge.Count);
        var calls = byEdge.Select(async one => (one.Key, one.Value, Confirmed: await CallAsync(one.Key, live, one.Value, cancellationToken))).ToArray();
        var failed = new Dictionary<string, List<UserId>>(StringComparer.Ordinal);
        foreach (var (edge, users, confirmed) in await Task.WhenAll(calls))
        {
            if (confirmed)
            {
                fanout.Delivered(path, users.Count);
                foreach (var user in users) progress.Done.Add((user, edge));
            }
            else
            {
                failed[edge] = users;
            }
        }

        return (failed, nowhere);
    }

    /// <summary>Whether an edge is not waited for at the moment, so that there is no use in trying.</summary>
    public bool Avoids(string edge) => _silent.TryGetValue(edge, out var since) && time.GetElapsedTime(since) < options.Value.Avoid;

    private async Task<bool> CallAsync(string edge, LiveEvent live, List<UserId> users, CancellationToken cancellationToken)
    {
        if (Avoids(edge))
        {
            metrics.Failed("avoided");
            return false;
        }

        _silent.TryRemove(edge, out _);
        // Its lease has ended since it was looked up.
        if (sessions.FindLease(edge) is not { } lease)
        {
            metrics.Failed("gone");
            return false;
        }

        var sending = links.SendConfirmedAsync(lease, (live with { Users = users }).ToDelivery());
        try
        {
            if (await sending.WaitAsync(options.Value.ConfirmTimeout, time, cancellationToken)) return true;
            metrics.Failed("refused");
            Avoid(edge);
        }
        catch (TimeoutException)
        {
            metrics.Failed("timeout");
            Avoid(edge);
            // An edge that was only frozen takes then what waits for it.
            _ = sending.ContinueWith(
                late =>
                {
                    if (late is { IsCompletedSuccessfully: true, Result: true }) _silent.TryRemove(edge, out long _);
                }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        }

        return false;
    }

    private void Avoid(string edge)
    {
        if (_silent.TryAdd(edge, time.GetTimestamp())) logger.EdgeSilent(edge);
        // Edges that are gone must not pile up: ids are never used again.
        if (_silent.Count <= 4096) return;
        foreach (var (known, since) in _silent)
            if (time.GetElapsedTime(since) > options.Value.Avoid) _silent.TryRemove(known, out _);
    }
}
