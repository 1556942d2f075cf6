using WhatsAspire.Backplane.Queue;
using Xunit;

namespace WhatsAspire.Conformance;

public abstract partial class EventQueueConformance
{
    [Fact]
    public async Task A_slow_handler_keeps_its_partition_while_others_move()
    {
        // Its end is waited for when it has to give partitions up, for longer than any lease of these tests.
        var first = await QueueAsync(o => (o.StopGrace, o.Concurrency) = (TimeSpan.FromSeconds(30), 8));
        var (all, theirs) = (new Recorder(), new Recorder());
        var goOn = NewSignal();
        var atWork = NewSignal();
        var blocked = 0;
        await first.SubscribeAsync(Topic, "g", async (received, cancel) =>
        {
            // One call on every partition.
            if (NumberOf(received) == 0 && Interlocked.Increment(ref blocked) <= 4)
            {
                if (blocked == 4) atWork.TrySetResult();
                await goOn.Task.WaitAsync(cancel);
            }

            all.Note(received);
            return Handled.Done;
        }, Token);
        await PublishAsync(first, Topic, keys: 16, first: 0, count: 3);
        await WaitForAsync(atWork.Task, "a handler on each of the four partitions");
        var second = await QueueAsync();
        await second.SubscribeAsync(Topic, "g", (received, _) =>
        {
            theirs.Note(received);
            all.Note(received);
            return new(Handled.Done);
        }, Token);
        // Longer than leases and sessions of these tests: nothing shows it but the time.
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(4));
        await timer.WaitForNextTickAsync(Token);
        Assert.Empty(theirs.Seen);
        goOn.SetResult();
        await all.AllAsync(16, 3);
        all.HasNoJumps();
        Assert.All(theirs.Seen, e => Assert.Equal(1, e.Attempt));
        // Nothing was taken from the first one at work: no call was made twice.
        Assert.Equal(48, all.Seen.Count);
    }
}
