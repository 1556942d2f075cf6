using System.Net;
using Microsoft.Extensions.ServiceDiscovery;

namespace WhatsAspire.ChatEdge.Routing;

/// <summary>Where the replicas of MessageApi listen, as service discovery knows it: one address for each replica, or one
/// for all of them where a platform balances by itself.</summary>
internal sealed class MessageApiAddresses(ServiceEndpointResolver resolver)
{
    private const string Service = "http://_grpc.message-api";

    /// <summary>Distinct, in an order that every edge agrees on.</summary>
    public async ValueTask<IReadOnlyList<Uri>> ResolveAsync(CancellationToken cancellationToken)
    {
        var found = await resolver.GetEndpointsAsync(Service, cancellationToken);
        return [.. found.Endpoints.Select(endpoint => ToAddress(endpoint.EndPoint)).OfType<Uri>().Distinct().OrderBy(uri => uri.AbsoluteUri, StringComparer.Ordinal)];
    }

    private static Uri? ToAddress(EndPoint endpoint) => endpoint switch
    {
        UriEndPoint named => named.Uri,
        DnsEndPoint named => new UriBuilder(Uri.UriSchemeHttp, named.Host, named.Port == 0 ? 80 : named.Port).Uri,
        IPEndPoint address => new UriBuilder(Uri.UriSchemeHttp, address.Address.ToString(), address.Port).Uri,
        _ => null,
    };
}
