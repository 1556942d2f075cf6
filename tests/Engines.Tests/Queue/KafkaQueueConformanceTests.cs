using WhatsAspire.Backplane.Queue;
using WhatsAspire.Backplane.Queue.Kafka;
using WhatsAspire.Conformance;
using Xunit;

namespace WhatsAspire.Engines.Tests.Queue;

/// <summary>The queue on a real Kafka does what every queue must do.</summary>
[Trait("Requirement", "R51")]
public sealed class KafkaQueueConformanceTests(KafkaServer server) : EventQueueConformance, IClassFixture<KafkaServer>
{
    public override ValueTask InitializeAsync()
    {
        server.Need();
        return base.InitializeAsync();
    }

    protected override Task<IEventQueue> OpenAsync(QueueOptions options) => Task.FromResult<IEventQueue>(server.Open(options));

    protected override Task CrashAsync(IEventQueue queue) => ((KafkaEventQueue)queue).CrashAsync();
}
