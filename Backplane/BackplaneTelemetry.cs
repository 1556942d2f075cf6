using System.Diagnostics;

namespace WhatsAspire.Backplane;

/// <summary>The names under which the backplane is seen in traces and metrics. Those that begin with <c>messaging.</c> are
/// OpenTelemetry's semantic conventions for messaging.</summary>
internal static class BackplaneTelemetry
{
    public const string Name = "WhatsAspire.Backplane";

    public const string OperationDuration = "messaging.client.operation.duration";
    public const string SentMessages = "messaging.client.sent.messages";
    public const string ConsumedMessages = "messaging.client.consumed.messages";
    public const string ProcessDuration = "messaging.process.duration";
    public const string Lag = "whatsaspire.queue.lag";
    public const string Retries = "whatsaspire.queue.retries";
    public const string DeadLetters = "whatsaspire.queue.dead_letters";
    public const string KafkaQueued = "whatsaspire.queue.kafka.queued";
    public const string KafkaRoundTrip = "whatsaspire.queue.kafka.round_trip";
    public const string RedeliveryFailures = "whatsaspire.redelivery.failures";
    public const string RedeliveryPublished = "whatsaspire.redelivery.published";
    public const string RedeliveryDropped = "whatsaspire.redelivery.dropped";
    public const string FanoutLatency = "whatsaspire.fanout.latency";
    public const string FanoutDeliveries = "whatsaspire.fanout.deliveries";
    public const string FanoutEdgeCalls = "whatsaspire.fanout.edge_calls";
    public const string PushPublished = "whatsaspire.push.published";
    public const string PushDropped = "whatsaspire.push.dropped";

    public const string FanoutPath = "path";
    public const string GroupSize = "group_size";
    public const string System = "messaging.system";
    public const string OperationName = "messaging.operation.name";
    public const string OperationType = "messaging.operation.type";
    public const string Destination = "messaging.destination.name";
    public const string Partition = "messaging.destination.partition.id";
    public const string ConsumerGroup = "messaging.consumer.group.name";
    public const string Offset = "messaging.kafka.offset";
    public const string BodySize = "messaging.message.body.size";
    public const string ErrorType = "error.type";
    public const string ServerAddress = "server.address";

    public static readonly ActivitySource Source = new(Name);
}
