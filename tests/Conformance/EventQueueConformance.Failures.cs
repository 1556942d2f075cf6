using WhatsAspire.Backplane.Queue;
using Xunit;

namespace WhatsAspire.Conformance;

public abstract partial class EventQueueConformance
{
    [Fact]
    public async Task A_poison_event_goes_to_the_dead_letters_and_the_next_ones_go_on()
    {
        var queue = await QueueAsync();
        var seen = new Recorder();
        var attempts = new List<int>();
        await using var subscription = await queue.SubscribeAsync(Topic, "g", (received, _) =>
        {
            if (NumberOf(received) == 1)
            {
                attempts.Add(received.Attempt);
                throw new InvalidOperationException("can't be done");
            }

            seen.Note(received);
            return new(Handled.Done);
        }, Token);
        var before = DateTimeOffset.UtcNow.AddSeconds(-1);
        await queue.PublishAsync(Topic, Event("k", 0), Token);
        var position = await queue.PublishAsync(Topic, Event("k", 1, new Dictionary<string, string> { ["a"] = "b" }), Token);
        await queue.PublishAsync(Topic, Event("k", 2), Token);

        await seen.UntilAsync(s => s.Count == 2, "the other two events");
        Assert.Equal([0, 2], seen.Numbers("k"));
        Assert.Equal([1, 2, 3], attempts);
        var letter = Assert.Single((await queue.DeadLetters.ListAsync(Topic, null, 10, Token)).Letters);
        Assert.Equal(("k", Type, "g", 3, position), (letter.Key, letter.Type, letter.Group, letter.Attempts, letter.Original));
        Assert.Equal("1"u8.ToArray(), letter.Payload.ToArray());
        Assert.Equal("b", Assert.Single(letter.Headers, h => h.Key == "a").Value);
        Assert.DoesNotContain(letter.Headers, h => h.Key.StartsWith("queue-", StringComparison.Ordinal));
        Assert.Equal("System.InvalidOperationException: can't be done", letter.Reason);
        Assert.InRange(letter.PublishedAt, before, letter.DiedAt.AddMilliseconds(1));
    }

    [Fact]
    public async Task An_event_that_its_handler_gives_up_dies_at_once()
    {
        var queue = await QueueAsync();
        var seen = new Recorder();
        await using var subscription = await queue.SubscribeAsync(Topic, "g", (received, _) =>
        {
            seen.Note(received);
            return new(NumberOf(received) == 0 ? Handled.Dead("of no use") : Handled.Done);
        }, Token);
        await PublishAsync(queue, Topic, keys: 1, first: 0, count: 2);
        await seen.AllAsync(1, 2);
        Assert.Equal([0, 1], seen.Numbers("k0"));
        var letter = Assert.Single((await queue.DeadLetters.ListAsync(Topic, null, 10, Token)).Letters);
        Assert.Equal(("of no use", 1), (letter.Reason, letter.Attempts));
    }

    [Fact]
    public async Task A_replayed_dead_letter_is_handled_by_its_group_alone()
    {
        var queue = await QueueAsync();
        var broken = true;
        var (one, two) = (new Recorder(), new Recorder());
        await using var first = await queue.SubscribeAsync(Topic, "one", (received, _) =>
        {
            if (broken && received.Key == "bad") return new(Handled.Dead("broken"));
            one.Note(received);
            return new(Handled.Done);
        }, Token);
        await using var second = await queue.SubscribeAsync(Topic, "two", two.HandleAsync, Token);
        await queue.PublishAsync(Topic, Event("bad", 0), Token);
        await queue.PublishAsync(Topic, Event("bad", 1), Token);
        await queue.PublishAsync(Topic, Event("bad", 2), Token);
        await queue.PublishAsync(Topic, Event("bad", 3), Token);
        await two.UntilAsync(s => s.Count == 4, "the events in the sound group");
        var letters = new List<DeadLetter>();
        using (var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(20)))
        {
            var started = TimeProvider.System.GetTimestamp();
            while ((letters = await ListAllAsync(queue, limit: 1)).Count < 4)
            {
                Assert.True(TimeProvider.System.GetElapsedTime(started) < Patience, $"there are {letters.Count} dead letters, not 4");
                await timer.WaitForNextTickAsync(Token);
            }
        }

        Assert.Equal(["0", "1", "2", "3"], letters.Select(l => System.Text.Encoding.UTF8.GetString(l.Payload.Span)));
        broken = false;
        await queue.DeadLetters.ReplayAsync(Topic, letters[1], Token);
        await queue.DeadLetters.DiscardAsync(Topic, letters[2], Token);
        await one.UntilAsync(s => s.Count == 1, "the replayed event");
        Assert.Equal([1], one.Numbers("bad"));
        Assert.Equal([letters[0].Position, letters[3].Position], (await ListAllAsync(queue, limit: 10)).Select(l => l.Position));
        Assert.Equal([letters[0].Position, letters[3].Position], (await ListAllAsync(queue, limit: 1)).Select(l => l.Position));

        await queue.PublishAsync(Topic, Event("bad", 4), Token);
        await two.UntilAsync(s => s.Count == 5, "the event after the replay");
        Assert.Equal([0, 1, 2, 3, 4], two.Numbers("bad"));
    }

    [Fact]
    public async Task There_are_no_dead_letters_of_a_topic_that_does_not_exist()
    {
        var page = await (await QueueAsync()).DeadLetters.ListAsync(Topic, null, 10, Token);
        Assert.Empty(page.Letters);
        Assert.Null(page.Next);
    }

    [Fact]
    public async Task While_an_event_waits_for_its_retry_its_key_waits_and_others_go_on()
    {
        var queue = await QueueAsync(o => o.Partitions = 1);
        var seen = new Recorder();
        var othersDone = NewSignal();
        await using var subscription = await queue.SubscribeAsync(Topic, "g", (received, _) =>
        {
            // Asks more often than an event may fail: asking is no failure.
            if (received.Key == "k0" && NumberOf(received) == 0 && !othersDone.Task.IsCompleted)
            {
                received.State = (int?)received.State + 1 ?? 1;
                Assert.Equal(received.Attempt, received.State);
                return new(Handled.RetryLater(TimeSpan.FromMilliseconds(5)));
            }

            seen.Note(received);
            return new(Handled.Done);
        }, Token);
        await PublishAsync(queue, Topic, keys: 3, first: 0, count: 10);
        await seen.UntilAsync(s => s.Count == 20, "the events of the other keys");
        Assert.Empty(seen.Numbers("k0"));
        othersDone.SetResult();

        await seen.AllAsync(3, 10);
        Assert.Equal(Enumerable.Range(0, 10), seen.Numbers("k0"));
        Assert.Empty((await queue.DeadLetters.ListAsync(Topic, null, 10, Token)).Letters);
    }

    [Fact]
    public async Task What_others_did_while_an_event_waited_is_repeated_after_a_kill_and_the_event_is_not_lost()
    {
        var first = await QueueAsync(o => o.Partitions = 1);
        var seen = new Recorder();
        await first.SubscribeAsync(Topic, "g", (received, _) =>
        {
            seen.Note(received);
            return new(received.Key == "k0" ? Handled.RetryLater(TimeSpan.FromMinutes(1)) : Handled.Done);
        }, Token);
        await PublishAsync(first, Topic, keys: 2, first: 0, count: 5);
        await seen.UntilAsync(s => s.Count(e => e.Key == "k1") == 5 && s.Any(e => e.Key == "k0"), "the events of the other key");
        await CloseAsync(first);

        var second = await QueueAsync(o => o.Partitions = 1);
        var again = new Recorder();
        await using var subscription = await second.SubscribeAsync(Topic, "g", again.HandleAsync, Token);
        await again.UntilAsync(s => s.Count(e => e.Key == "k0") == 5, "the events of the key that waited");
        Assert.Equal(Enumerable.Range(0, 5), again.Numbers("k0"));
    }

    [Fact]
    public async Task A_failed_attempt_is_repeated_before_later_events_of_its_key()
    {
        var queue = await QueueAsync();
        var seen = new Recorder();
        await using var subscription = await queue.SubscribeAsync(Topic, "g", (received, _) =>
        {
            if (received.Attempt < 3 && NumberOf(received) % 3 == 0) throw new TimeoutException("not yet");
            seen.Note(received);
            return new(Handled.Done);
        }, Token);
        await PublishAsync(queue, Topic, keys: 6, first: 0, count: 9);
        await seen.AllAsync(6, 9);
        seen.HasNoJumps();
        Assert.Equal(54, seen.Seen.Count);
    }

    [Fact]
    public async Task A_handler_that_takes_too_long_is_cancelled_and_counts_as_failed()
    {
        var queue = await QueueAsync(o => o.HandlerTimeout = TimeSpan.FromMilliseconds(50));
        var seen = new Recorder();
        await using var subscription = await queue.SubscribeAsync(Topic, "g", async (received, cancel) =>
        {
            if (NumberOf(received) == 0 && received.Attempt == 1) await Task.Delay(Timeout.InfiniteTimeSpan, cancel);
            seen.Note(received);
            return Handled.Done;
        }, Token);
        await PublishAsync(queue, Topic, keys: 1, first: 0, count: 2);
        await seen.AllAsync(1, 2);
        Assert.Equal([0, 1], seen.Numbers("k0"));
        Assert.Equal(2, seen.Seen[0].Attempt);
    }

    private async Task<List<DeadLetter>> ListAllAsync(IEventQueue queue, int limit)
    {
        var letters = new List<DeadLetter>();
        EventPosition? after = null;
        do
        {
            var page = await queue.DeadLetters.ListAsync(Topic, after, limit, Token);
            letters.AddRange(page.Letters);
            after = page.Next;
        }
        while (after is not null);
        return letters;
    }
}
