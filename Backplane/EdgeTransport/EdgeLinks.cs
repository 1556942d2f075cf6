using System.Collections.Concurrent;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using WhatsAspire.Backplane.Sessions;
using WhatsAspire.Contracts.Edge.V1;

namespace WhatsAspire.Backplane.EdgeTransport;

/// <summary>This process's streams to the edges, one each, opened when first needed and closed when the edge has
/// been silent or gone for a while.</summary>
public sealed class EdgeLinks(
    EdgeIdentity self, IOptions<BackplaneOptions> options, ILogger<EdgeLinks> logger,
    IHostApplicationLifetime lifetime) : IAsyncDisposable
{
    private readonly ConcurrentDictionary<string, EdgeLink> _links = new(StringComparer.Ordinal);
    private readonly Lock _opening = new();

    /// <summary>Sends a delivery, in order with the earlier ones to this edge, without waiting. When the edge's queue
    /// is full or the edge is gone, the delivery is dropped and counted.</summary>
    public void Send(EdgeLease edge, Delivery delivery)
    {
        ArgumentNullException.ThrowIfNull(edge);
        if (_links.TryGetValue(edge.EdgeId, out var link) && link.TrySend(delivery)) return;
        lock (_opening)
        {
            if (_links.TryGetValue(edge.EdgeId, out link))
            {
                if (link.TrySend(delivery)) return;
                if (!link.IsClosed)
                {
                    link.CountDropped();
                    return;
                }
            }

            link = new EdgeLink(edge, self.Id, options.Value.EdgeQueue, logger, lifetime.ApplicationStopping);
            _links[edge.EdgeId] = link;
            var opened = link;
            opened.Completion.ContinueWith(
                _ => _links.TryRemove(new KeyValuePair<string, EdgeLink>(edge.EdgeId, opened)), TaskScheduler.Default);
        }

        link.TrySend(delivery);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var link in _links.Values) await link.DisposeAsync();
    }
}
