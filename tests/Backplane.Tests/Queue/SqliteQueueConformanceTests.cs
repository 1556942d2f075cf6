using WhatsAspire.Backplane.Queue;
using WhatsAspire.Backplane.Queue.Sqlite;
using WhatsAspire.Conformance;

namespace WhatsAspire.Backplane.Tests.Queue;

/// <summary>The embedded queue does what every queue must do.</summary>
[Trait("Requirement", "R51")]
public sealed class SqliteQueueConformanceTests : EventQueueConformance
{
    private readonly QueueFile _file = new();

    protected override Task<IEventQueue> OpenAsync(QueueOptions options) => Task.FromResult<IEventQueue>(_file.Open(options));

    protected override Task CrashAsync(IEventQueue queue) => ((SqliteEventQueue)queue).CrashAsync();

    protected override async ValueTask DisposeCoreAsync()
    {
        await base.DisposeCoreAsync();
        _file.Dispose();
    }
}
