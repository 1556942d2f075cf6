namespace WhatsAspire.Backplane.Tests;

/// <summary>Dashboards and alerts are built on these names.</summary>
public sealed class BackplaneTelemetryTests
{
    [Fact]
    public void Names_are_what_they_always_were() => Assert.Equal(
        new Dictionary<string, string>
        {
            ["Name"] = "WhatsAspire.Backplane",
            ["OperationDuration"] = "messaging.client.operation.duration",
            ["SentMessages"] = "messaging.client.sent.messages",
            ["ConsumedMessages"] = "messaging.client.consumed.messages",
            ["ProcessDuration"] = "messaging.process.duration",
            ["Lag"] = "whatsaspire.queue.lag",
            ["Retries"] = "whatsaspire.queue.retries",
            ["DeadLetters"] = "whatsaspire.queue.dead_letters",
            ["KafkaQueued"] = "whatsaspire.queue.kafka.queued",
            ["KafkaRoundTrip"] = "whatsaspire.queue.kafka.round_trip",
            ["RedeliveryFailures"] = "whatsaspire.redelivery.failures",
            ["RedeliveryPublished"] = "whatsaspire.redelivery.published",
            ["RedeliveryDropped"] = "whatsaspire.redelivery.dropped",
            ["FanoutLatency"] = "whatsaspire.fanout.latency",
            ["FanoutDeliveries"] = "whatsaspire.fanout.deliveries",
            ["FanoutEdgeCalls"] = "whatsaspire.fanout.edge_calls",
            ["PushPublished"] = "whatsaspire.push.published",
            ["PushDropped"] = "whatsaspire.push.dropped",
            ["FanoutPath"] = "path",
            ["GroupSize"] = "group_size",
            ["System"] = "messaging.system",
            ["OperationName"] = "messaging.operation.name",
            ["OperationType"] = "messaging.operation.type",
            ["Destination"] = "messaging.destination.name",
            ["Partition"] = "messaging.destination.partition.id",
            ["ConsumerGroup"] = "messaging.consumer.group.name",
            ["Offset"] = "messaging.kafka.offset",
            ["BodySize"] = "messaging.message.body.size",
            ["ErrorType"] = "error.type",
            ["ServerAddress"] = "server.address",
        },
        typeof(BackplaneTelemetry).GetFields().Where(f => f.IsLiteral).ToDictionary(f => f.Name, f => (string)f.GetRawConstantValue()!));
}
