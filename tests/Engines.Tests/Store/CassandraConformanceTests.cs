using WhatsAspire.Conformance;
using WhatsAspire.MessageApi.Storage;

namespace WhatsAspire.Engines.Tests.Store;

/// <summary>The port's suite on a real node. All tests share a keyspace: each has users and conversations of its own.</summary>
public sealed class CassandraConformanceTests(StoreNode node) : MessageStoreConformance
{
    // Each step is several round trips, with a sync to disk each.
    protected override int RandomSteps => 250;

    protected override async Task<IMessageStore> OpenAsync() => await node.OpenAsync(Token);
}
