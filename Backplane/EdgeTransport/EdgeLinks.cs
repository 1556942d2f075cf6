using System.Collections.Concurrent;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using WhatsAspire.Backplane.Redelivery;
using WhatsAspire.Backplane.Sessions;
using WhatsAspire.Contracts.Edge.V1;

namespace WhatsAspire.Backplane.EdgeTransport;

/// <summary>This process's streams to the edges, one each, opened when first needed and closed when the edge has
/// been silent or gone for a while.</summary>
public sealed class EdgeLinks(
    EdgeIdentity self, IOptions<BackplaneOptions> options, RedeliveryOutbox redelivery, ILocalDelivery local,
    ILogger<EdgeLinks> logger, IHostApplicationLifetime lifetime) : IAsyncDisposable
{
    private readonly ConcurrentDictionary<string, EdgeLink> _links = new(StringComparer.Ordinal);
    private readonly Lock _opening = new();

    /// <summary>Sends a delivery, in order with the earlier ones to this edge, without waiting. When the edge's queue
    /// is full or the edge is gone, it is redelivered over the queue.</summary>
    public void Send(EdgeLease edge, Delivery delivery) => Send(edge, delivery, null);

    /// <summary>The same, for somebody who wants to know.</summary>
    /// <param name="edge">Which.</param>
    /// <param name="delivery">What.</param>
    /// <param name="confirmation">Is told what became of it, if it is not null.</param>
    internal void Send(EdgeLease edge, Delivery delivery, IConfirmation? confirmation)
    {
        if (TrySend(edge, new(delivery, confirmation))) return;
        redelivery.Failed(delivery, "link_full", local.EdgeId);
        confirmation?.Set(false, delivery.UserIds.Count);
    }

    /// <summary>Sends a delivery as <see cref="Send(EdgeLease, Delivery)"/> does, and waits until the edge says that it has it.</summary>
    /// <returns>False when it could not be sent, or the edge did not confirm it: it may have it all the same.</returns>
    public Task<bool> SendConfirmedAsync(EdgeLease edge, Delivery delivery)
    {
        var confirmed = new Awaited();
        return TrySend(edge, new(delivery, confirmed)) ? confirmed.Task : Task.FromResult(false);
    }

    private bool TrySend(EdgeLease edge, EdgeLink.Item item)
    {
        ArgumentNullException.ThrowIfNull(edge);
        if (_links.TryGetValue(edge.EdgeId, out var link) && link.TrySend(item)) return true;
        lock (_opening)
        {
            if (_links.TryGetValue(edge.EdgeId, out link))
            {
                if (link.TrySend(item)) return true;
                if (!link.IsClosed) return false;
            }

            link = new EdgeLink(
                edge, self.Id, options.Value.EdgeQueue, failed => redelivery.Failed(failed, "link_lost", local.EdgeId), logger,
                lifetime.ApplicationStopping);
            _links[edge.EdgeId] = link;
            var opened = link;
            opened.Completion.ContinueWith(
                _ => _links.TryRemove(new KeyValuePair<string, EdgeLink>(edge.EdgeId, opened)), TaskScheduler.Default);
        }

        return link.TrySend(item);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var link in _links.Values) await link.DisposeAsync();
    }
}
