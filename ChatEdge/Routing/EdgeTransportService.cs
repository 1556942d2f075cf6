using Grpc.Core;
using WhatsAspire.Backplane.EdgeTransport;
using WhatsAspire.Backplane.Push;
using WhatsAspire.ChatEdge.Connections;
using WhatsAspire.Contracts.Edge.V1;

namespace WhatsAspire.ChatEdge.Routing;

/// <summary>Takes what other processes deliver to this edge's connections.</summary>
internal sealed class EdgeTransportService(EdgeConnections connections, PushOutbox push) : EdgeTransport.EdgeTransportBase
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
                foreach (var user in live.Users)
                {
                    // The session had ended when this was already on its way.
                    if (!connections.Deliver(user, live) && live.Kind == DeliveryKind.Message)
                        push.AddMessage(user, live.Conversation, live.Seq, live.TraceParent);
                }
            }

            await responseStream.WriteAsync(new() { Id = batch.Id }, context.CancellationToken);
        }
    }
}
