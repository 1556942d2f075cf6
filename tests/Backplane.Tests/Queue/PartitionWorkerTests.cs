using WhatsAspire.Backplane.Queue;

namespace WhatsAspire.Backplane.Tests.Queue;

/// <summary>What a worker does when its partition is not its own any more.</summary>
public sealed class PartitionWorkerTests : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private readonly QueueFile _file = new();
    private EventQueue _queue = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync()
    {
        _queue = _file.Open(new() { StopGrace = TimeSpan.FromMilliseconds(50) });
        return default;
    }

    public async ValueTask DisposeAsync()
    {
        await _queue.DisposeAsync();
        _file.Dispose();
    }

    [Fact]
    public async Task An_owner_whose_lease_has_run_out_ends_the_call_under_way_and_begins_no_other()
    {
        var (atWork, goOn, second) = (NewSignal(), NewSignal(), NewSignal());
        var isOwner = true;
        var committed = 0L;
        await using var worker = new PartitionWorker(new(_queue, "t", "g", async (received, _) =>
        {
            if (received.Position.Offset == 1) second.TrySetResult();
            atWork.TrySetResult();
            await goOn.Task;
            return Handled.Done;
        }), 0, offset => committed = offset, () => Volatile.Read(ref isOwner));
        worker.Add(Event(0));
        worker.Add(Event(1));
        await atWork.Task.WaitAsync(Patience, Token);
        Volatile.Write(ref isOwner, false);
        goOn.SetResult();
        Assert.Same(worker.Ended, await Task.WhenAny(worker.Ended, second.Task).WaitAsync(Patience, Token));
        // What it did is for the commit to accept or to refuse.
        Assert.Equal(1, committed);
    }

    [Fact]
    public async Task Once_abandoned_it_reports_nothing_that_ends_later()
    {
        var (atWork, goOn) = (NewSignal(), NewSignal());
        var committed = 0L;
        await using var worker = new PartitionWorker(new(_queue, "t", "g", async (_, _) =>
        {
            atWork.TrySetResult();
            // Obeys no token.
            await goOn.Task;
            return Handled.Done;
        }), 0, offset => committed = offset, () => true);
        worker.Add(Event(0));
        await atWork.Task.WaitAsync(Patience, Token);
        await worker.StopAsync().WaitAsync(Patience, Token);
        goOn.SetResult();
        await worker.Ended.WaitAsync(Patience, Token);
        Assert.Equal(0, committed);
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private static ReceivedEvent Event(long offset) => new()
    {
        Topic = "t",
        Position = new(0, offset),
        Key = $"k{offset}",
        Type = "t",
        Payload = default,
        Headers = EventHeaders.None,
        PublishedAt = DateTimeOffset.UnixEpoch,
    };
}
