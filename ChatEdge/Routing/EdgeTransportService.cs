using Grpc.Core;
using WhatsAspire.Backplane.EdgeTransport;
using WhatsAspire.ChatEdge.Connections;
using WhatsAspire.Contracts.Edge.V1;

namespace WhatsAspire.ChatEdge.Routing;

/// <summary>Takes what other processes deliver to this edge's connections.</summary>
internal sealed class EdgeTransportService(EdgeConnections connections) : EdgeTransport.EdgeTransportBase
{
    public override async Task Deliver(
        IAsyncStreamReader<DeliveryBatch> requestStream, IServerStreamWriter<DeliveryReport> responseStream, ServerCallContext context)
    {
        await context.WriteResponseHeadersAsync([]);
        while (await requestStream.MoveNext(context.CancellationToken))
        {
            var batch = requestStream.Current;
            foreach (var delivery in batch.Deliveries)
            {
                var live = LiveEvent.From(delivery);
                using var activity = live.TraceParent is null
                    ? null : EdgeTelemetry.Source.StartActivity("deliver", System.Diagnostics.ActivityKind.Consumer, live.TraceParent);
                foreach (var user in live.Users) connections.Deliver(user, live);
            }

            await responseStream.WriteAsync(new() { Id = batch.Id }, context.CancellationToken);
        }
    }
}
