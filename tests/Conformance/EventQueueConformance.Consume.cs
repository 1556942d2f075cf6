using System.Diagnostics.Metrics;
using WhatsAspire.Backplane.Queue;
using Xunit;

namespace WhatsAspire.Conformance;

public abstract partial class EventQueueConformance
{
    [Fact]
    public async Task An_event_whose_consumer_was_killed_at_work_comes_again()
    {
        var first = await QueueAsync();
        await PublishAsync(first, Topic, keys: 1, first: 0, count: 5);
        var atWork = NewSignal();
        await first.SubscribeAsync(Topic, "g", async (received, cancel) =>
        {
            if (NumberOf(received) < 2) return Handled.Done;
            atWork.TrySetResult();
            await Task.Delay(Timeout.InfiniteTimeSpan, cancel);
            return Handled.Done;
        }, Token);
        await WaitForAsync(atWork.Task, "the handler of the third event");
        await KillAsync(first);

        var second = await QueueAsync();
        var seen = new Recorder();
        await using var subscription = await second.SubscribeAsync(Topic, "g", seen.HandleAsync, Token);
        await seen.UntilAsync(s => s.Any(e => NumberOf(e) == 4), "the last event");
        var numbers = seen.Numbers("k0");
        Assert.InRange(numbers[0], 0, 2);
        Assert.Equal(Enumerable.Range(numbers[0], numbers.Length), numbers);
    }

    [Fact]
    public async Task What_is_done_does_not_come_again_after_an_orderly_end()
    {
        var first = await QueueAsync();
        var seen = new Recorder();
        var atWork = NewSignal();
        var goOn = NewSignal();
        await first.SubscribeAsync(Topic, "g", async (received, cancel) =>
        {
            if (NumberOf(received) == 19)
            {
                atWork.TrySetResult();
                await goOn.Task.WaitAsync(cancel);
            }

            seen.Note(received);
            return Handled.Done;
        }, Token);
        await PublishAsync(first, Topic, keys: 1, first: 0, count: 20);
        await WaitForAsync(atWork.Task, "the handler of the last event");
        var closing = CloseAsync(first);
        goOn.SetResult();
        await WaitForAsync(closing, "the end of the queue");
        Assert.Equal(Enumerable.Range(0, 20), seen.Numbers("k0"));

        var second = await QueueAsync();
        var again = new Recorder();
        await using var subscription = await second.SubscribeAsync(Topic, "g", again.HandleAsync, Token);
        await second.PublishAsync(Topic, Event("k0", 20), Token);
        await again.UntilAsync(s => s.Count > 0, "the event after the restart");
        Assert.Equal([20], again.Numbers("k0"));
    }

    [Fact]
    public async Task A_handler_under_way_is_cancelled_after_the_grace_and_its_event_is_not_done()
    {
        var first = await QueueAsync(o => o.StopGrace = TimeSpan.FromMilliseconds(50));
        var atWork = NewSignal();
        var cancelled = NewSignal();
        await first.SubscribeAsync(Topic, "g", async (_, cancel) =>
        {
            atWork.TrySetResult();
            try
            {
                await Task.Delay(Timeout.InfiniteTimeSpan, cancel);
                return Handled.Done;
            }
            catch (OperationCanceledException)
            {
                cancelled.TrySetResult();
                throw;
            }
        }, Token);
        await first.PublishAsync(Topic, Event("k", 0), Token);
        await WaitForAsync(atWork.Task, "the handler");
        await WaitForAsync(CloseAsync(first), "the end of the queue");
        Assert.True(cancelled.Task.IsCompleted, "the handler's token was not cancelled");

        var second = await QueueAsync();
        var seen = new Recorder();
        await using var subscription = await second.SubscribeAsync(Topic, "g", seen.HandleAsync, Token);
        await seen.UntilAsync(s => s.Count == 1, "the event");
        Assert.Empty((await second.DeadLetters.ListAsync(Topic, null, 10, Token)).Letters);
    }

    [Fact]
    public async Task Two_consumers_of_a_group_share_the_partitions()
    {
        var queues = new[] { await QueueAsync(), await QueueAsync() };
        var (all, seen) = (new Recorder(), new[] { new Recorder(), new Recorder() });
        var subscriptions = new List<IQueueSubscription>();
        foreach (var i in new[] { 0, 1 })
            subscriptions.Add(await queues[i].SubscribeAsync(Topic, "g", (received, _) =>
            {
                seen[i].Note(received);
                all.Note(received);
                return new(Handled.Done);
            }, Token));

        // Until both have work to do: then the group is whole.
        var number = 0;
        while (seen.Any(s => s.Seen.Count == 0) || subscriptions.Any(s => s.Partitions.Count != 2))
        {
            await PublishAsync(queues[0], Topic, keys: 16, first: number, count: 1);
            await all.AllAsync(16, ++number);
        }

        Assert.Equal([0, 1, 2, 3], subscriptions.SelectMany(s => s.Partitions).Order());
        var before = seen.Select(s => s.Seen.Count).ToArray();
        await PublishAsync(queues[1], Topic, keys: 16, first: number, count: 20);
        await all.AllAsync(16, number + 20);
        for (var i = 0; i < 2; i++)
            Assert.All(seen[i].Seen.Skip(before[i]), e => Assert.Contains(e.Position.Partition, subscriptions[i].Partitions));
        all.HasNoJumps();
    }

    [Fact]
    public async Task Partitions_move_under_load_without_loss_and_without_reordering()
    {
        var publisher = await QueueAsync();
        var all = new Recorder();
        using var enough = new CancellationTokenSource();
        var published = 0;
        var load = Task.Run(async () =>
        {
            while (!enough.IsCancellationRequested)
            {
                await PublishAsync(publisher, Topic, keys: 20, first: published, count: 1);
                Interlocked.Increment(ref published);
            }
        }, Token);

        var queues = new Queue<IEventQueue>();
        for (var round = 0; round < 6; round++)
        {
            var queue = await QueueAsync();
            var mine = new Recorder();
            await queue.SubscribeAsync(Topic, "g", async (received, _) =>
            {
                await Task.Yield();
                all.Note(received);
                mine.Note(received);
                return Handled.Done;
            }, Token);
            queues.Enqueue(queue);
            // It has joined when it gets something; the one before the last leaves under load then.
            await mine.UntilAsync(s => s.Count > 0, $"the first event of consumer {round}");
            if (queues.Count > 2) await CloseAsync(queues.Dequeue());
        }

        await enough.CancelAsync();
        await load;
        await all.AllAsync(20, published);
        all.HasNoJumps();
        var total = all.Seen.Count;
        TestContext.Current.SendDiagnosticMessage("{0} events, {1} of them twice", published * 20, total - (published * 20));
    }

    [Fact]
    public async Task A_killed_consumers_partitions_go_to_the_others()
    {
        var publisher = await QueueAsync();
        var victim = await QueueAsync();
        var all = new Recorder();
        var theirs = new Recorder();
        await victim.SubscribeAsync(Topic, "g", (received, _) =>
        {
            theirs.Note(received);
            all.Note(received);
            return new(Handled.Done);
        }, Token);
        await publisher.SubscribeAsync(Topic, "g", all.HandleAsync, Token);
        var number = 0;
        while (theirs.Seen.Count == 0)
        {
            await PublishAsync(publisher, Topic, keys: 16, first: number, count: 1);
            await all.AllAsync(16, ++number);
        }

        await KillAsync(victim);
        await PublishAsync(publisher, Topic, keys: 16, first: number, count: 20);
        await all.AllAsync(16, number + 20);
        all.HasNoJumps();
    }

    [Fact]
    public async Task Two_groups_each_get_everything()
    {
        var queue = await QueueAsync();
        var (one, two) = (new Recorder(), new Recorder());
        await using var first = await queue.SubscribeAsync(Topic, "one", one.HandleAsync, Token);
        await using var second = await queue.SubscribeAsync(Topic, "two", two.HandleAsync, Token);
        await PublishAsync(queue, Topic, keys: 8, first: 0, count: 20);
        await one.AllAsync(8, 20);
        await two.AllAsync(8, 20);
        Assert.Equal(one.Seen.Count, two.Seen.Count);
    }

    [Fact]
    public async Task No_more_handlers_are_under_way_than_allowed_and_one_per_partition()
    {
        var queue = await QueueAsync(o => (o.Concurrency, o.Partitions) = (2, 8));
        var seen = new Recorder();
        var (now, most) = (0, 0);
        var partitions = new int[8];
        var together = NewSignal();
        await using var subscription = await queue.SubscribeAsync(Topic, "g", async (received, cancel) =>
        {
            Assert.Equal(1, Interlocked.Increment(ref partitions[received.Position.Partition]));
            var under = Interlocked.Increment(ref now);
            if (under > most) most = under;
            if (under == 2) together.TrySetResult();
            await together.Task.WaitAsync(cancel);
            Interlocked.Decrement(ref now);
            Interlocked.Decrement(ref partitions[received.Position.Partition]);
            seen.Note(received);
            return Handled.Done;
        }, Token);
        await PublishAsync(queue, Topic, keys: 32, first: 0, count: 10);
        await seen.AllAsync(32, 10);
        Assert.Equal(2, most);
        Assert.Empty((await queue.DeadLetters.ListAsync(Topic, null, 10, Token)).Letters);
    }

    [Fact]
    public async Task More_events_than_fit_into_the_window_all_come()
    {
        var queue = await QueueAsync(o => (o.Window, o.Partitions) = (4, 2));
        var seen = new Recorder();
        await PublishAsync(queue, Topic, keys: 4, first: 0, count: 100);
        await using var subscription = await queue.SubscribeAsync(Topic, "g", seen.HandleAsync, Token);
        await seen.AllAsync(4, 100);
        seen.HasNoJumps();
        Assert.Equal(400, seen.Seen.Count);
    }

    [Fact]
    public async Task The_lag_is_what_is_stored_and_not_done()
    {
        using var lags = new MeterListener();
        var lag = 0L;
        lags.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Name == "whatsaspire.queue.lag") listener.EnableMeasurementEvents(instrument);
        };
        lags.SetMeasurementEventCallback<long>((_, value, tags, _) =>
        {
            foreach (var tag in tags)
                if (tag.Key == "messaging.destination.name" && (string?)tag.Value == Topic) lag += value;
        });
        lags.Start();
        var queue = await QueueAsync();
        var goOn = NewSignal();
        await using var subscription = await queue.SubscribeAsync(Topic, "g", async (_, cancel) =>
        {
            await goOn.Task.WaitAsync(cancel);
            return Handled.Done;
        }, Token);
        await PublishAsync(queue, Topic, keys: 8, first: 0, count: 5);
        await LagIsAsync(40);
        goOn.SetResult();
        await LagIsAsync(0);

        async Task LagIsAsync(long expected)
        {
            using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
            var started = TimeProvider.System.GetTimestamp();
            while (true)
            {
                lag = 0;
                lags.RecordObservableInstruments();
                if (lag == expected) return;
                Assert.True(TimeProvider.System.GetElapsedTime(started) < Patience, $"the lag is {lag}, not {expected}");
                await timer.WaitForNextTickAsync(Token);
            }
        }
    }
}
