using System.Diagnostics;
using System.Globalization;
using WhatsAspire.Backplane.Queue;
using Xunit;

namespace WhatsAspire.Conformance;

public abstract partial class EventQueueConformance
{
    [Fact]
    public async Task Events_of_one_key_come_in_the_order_of_the_publishes()
    {
        var queue = await QueueAsync();
        var seen = new Recorder();
        await using var subscription = await queue.SubscribeAsync(Topic, "g", seen.HandleAsync, Token);
        await PublishAsync(queue, Topic, keys: 20, first: 0, count: 50);

        await seen.AllAsync(20, 50);
        for (var key = 0; key < 20; key++) Assert.Equal(Enumerable.Range(0, 50), seen.Numbers($"k{key}"));
        foreach (var one in seen.Seen.GroupBy(e => e.Key))
            Assert.Single(one.Select(e => e.Position.Partition).Distinct());
        Assert.True(seen.Seen.Select(e => e.Position.Partition).Distinct().Count() > 1, "all keys are in one partition");
    }

    [Fact]
    public async Task An_event_comes_as_it_was_published()
    {
        var queue = await QueueAsync();
        var seen = new Recorder();
        await using var subscription = await queue.SubscribeAsync(Topic, "g", seen.HandleAsync, Token);
        var before = DateTimeOffset.UtcNow.AddSeconds(-1);
        var sent = Event("grüß 🙂", 7, new Dictionary<string, string> { ["a-1"] = "ä" });
        var position = await queue.PublishAsync(Topic, sent, Token);

        await seen.UntilAsync(s => s.Count == 1, "the event");
        var received = seen.Seen[0];
        Assert.Equal((Topic, position, "grüß 🙂", Type, 1), (received.Topic, received.Position, received.Key, received.Type, received.Attempt));
        Assert.Equal(sent.Payload.ToArray(), received.Payload.ToArray());
        Assert.Equal("ä", received.Headers["a-1"]);
        Assert.InRange(received.PublishedAt, before, DateTimeOffset.UtcNow.AddSeconds(1));
    }

    [Fact]
    public async Task What_was_acknowledged_is_there_after_the_publisher_was_killed()
    {
        var first = await QueueAsync();
        await PublishAsync(first, Topic, keys: 5, first: 0, count: 20);
        await first.PublishAsync(Topic, Event("k0", 20), Token);
        await KillAsync(first);

        var second = await QueueAsync();
        var seen = new Recorder();
        await using var subscription = await second.SubscribeAsync(Topic, "g", seen.HandleAsync, Token);
        await seen.UntilAsync(s => s.Count == 101, "101 events");
        Assert.Equal(Enumerable.Range(0, 21), seen.Numbers("k0"));
    }

    [Fact]
    public async Task Many_publishers_at_once_lose_nothing_and_each_keeps_its_order()
    {
        var queues = new[] { await QueueAsync(), await QueueAsync() };
        var seen = new Recorder();
        await using var subscription = await queues[0].SubscribeAsync(Topic, "g", (received, _) =>
        {
            seen.Note(received);
            return new(Handled.Done);
        }, Token);
        const int publishers = 32;
        await Task.WhenAll(Enumerable.Range(0, publishers).Select(p => Task.Run(async () =>
        {
            // All into one key: in the header is who it was.
            var headers = new Dictionary<string, string> { ["from"] = p.ToString(CultureInfo.InvariantCulture) };
            await Task.WhenAll(Enumerable.Range(0, 40).Select(n => queues[p % 2].PublishAsync(Topic, Event("one", n, headers), Token)));
        }, Token)));

        await seen.UntilAsync(s => s.Count >= publishers * 40, "all events");
        foreach (var one in seen.Seen.GroupBy(e => e.Headers["from"])) Assert.Equal(Enumerable.Range(0, 40), one.Select(NumberOf));
    }

    [Fact]
    public async Task The_trace_of_the_publisher_goes_on_in_the_handler()
    {
        using var source = new ActivitySource("conformance");
        using var listener = new ActivityListener
        {
            ShouldListenTo = s => s == source,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
        };
        ActivitySource.AddActivityListener(listener);
        var queue = await QueueAsync();
        var seen = new Recorder();
        await using var subscription = await queue.SubscribeAsync(Topic, "g", seen.HandleAsync, Token);
        ActivityTraceId trace;
        using (var activity = source.StartActivity("caller")!)
        {
            activity.TraceStateString = "vendor=1";
            trace = activity.TraceId;
            await queue.PublishAsync(Topic, Event("k", 0), Token);
        }

        await seen.UntilAsync(s => s.Count == 1, "the event");
        var headers = seen.Seen[0].Headers;
        Assert.True(ActivityContext.TryParse(headers[EventHeaders.TraceParent], headers[EventHeaders.TraceState], out var context));
        Assert.Equal((trace, "vendor=1"), (context.TraceId, context.TraceState));
    }

    [Fact]
    public async Task Spans_of_publish_and_process_are_parts_of_one_trace()
    {
        var spans = new List<Activity>();
        var processed = NewSignal();
        using var listener = new ActivityListener
        {
            ShouldListenTo = s => s.Name == "WhatsAspire.Backplane",
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = activity =>
            {
                if ((string?)activity.GetTagItem("messaging.destination.name") != Topic) return;
                lock (spans) spans.Add(activity);
                if (activity.Kind == ActivityKind.Consumer) processed.TrySetResult();
            },
        };
        ActivitySource.AddActivityListener(listener);
        var queue = await QueueAsync();
        var seen = new Recorder();
        await using var subscription = await queue.SubscribeAsync(Topic, "g", seen.HandleAsync, Token);
        await queue.PublishAsync(Topic, Event("k", 0), Token);

        await WaitForAsync(processed.Task, "the handler's span");
        var publish = Assert.Single(spans, s => s.Kind == ActivityKind.Producer);
        var process = Assert.Single(spans, s => s.Kind == ActivityKind.Consumer);
        Assert.Equal($"publish {Topic}", publish.DisplayName);
        Assert.Equal($"process {Topic}", process.DisplayName);
        Assert.Equal((publish.TraceId, publish.SpanId), (process.TraceId, process.ParentSpanId));
        Assert.Equal("g", process.GetTagItem("messaging.consumer.group.name"));
    }

    [Fact]
    public async Task What_exceeds_the_limits_is_refused_and_what_just_fits_is_not()
    {
        var queue = await QueueAsync(o => o.MaxPayloadBytes = 100_000);
        var seen = new Recorder();
        await using var subscription = await queue.SubscribeAsync(
            Topic, "g", (e, _) => new(e.Payload.Length == 100_000 ? Handled.Done : throw new InvalidOperationException("something else came")), Token);
        var large = Event("k", 0) with { Payload = new byte[100_001] };
        var refusal = await Assert.ThrowsAsync<ArgumentException>(() => queue.PublishAsync(Topic, large, Token));
        Assert.Contains("100001", refusal.Message, StringComparison.Ordinal);
        Assert.Contains("100000", refusal.Message, StringComparison.Ordinal);
        await queue.PublishAsync(Topic, large with { Payload = new byte[100_000] }, Token);

        var header = new Dictionary<string, string> { [EventHeaders.TraceParent] = "mine" };
        await Assert.ThrowsAsync<ArgumentException>(() => queue.PublishAsync(Topic, Event("k", 0, header), Token));
        await Assert.ThrowsAsync<ArgumentException>(() => queue.PublishAsync(Topic, Event("", 0), Token));
        await Assert.ThrowsAsync<ArgumentException>(() => queue.PublishAsync(Topic, Event(new('k', 257), 0), Token));
        await Assert.ThrowsAsync<ArgumentException>(() => queue.PublishAsync(Topic, Event("k", 0) with { Type = "" }, Token));
        await Assert.ThrowsAsync<ArgumentException>(() => queue.PublishAsync("no spaces", Event("k", 0), Token));
        await Assert.ThrowsAsync<ArgumentException>(() => queue.PublishAsync(Topic + ".dead", Event("k", 0), Token));
        await Assert.ThrowsAsync<ArgumentException>(() => queue.SubscribeAsync(Topic, "no spaces", seen.HandleAsync, Token));
    }

    [Fact]
    public async Task A_topic_may_be_prepared_as_often_as_one_likes_and_is_empty_then()
    {
        var queue = await QueueAsync();
        for (var i = 0; i < 2; i++) await queue.PrepareAsync(Topic, Token);
        var seen = new Recorder();
        await using var subscription = await queue.SubscribeAsync(Topic, "g", seen.HandleAsync, Token);
        await queue.PublishAsync(Topic, Event("k", 0), Token);
        await seen.UntilAsync(events => events.Count > 0, "the event");
        Assert.Equal([0], seen.Seen.Select(NumberOf));
        await Assert.ThrowsAsync<ArgumentException>(() => queue.PrepareAsync("no spaces", Token));
    }

    [Fact]
    public async Task After_closing_everything_says_so()
    {
        var queue = await QueueAsync();
        await queue.PublishAsync(Topic, Event("k", 0), Token);
        await CloseAsync(queue);
        await Assert.ThrowsAsync<ObjectDisposedException>(() => queue.PublishAsync(Topic, Event("k", 1), Token));
        await Assert.ThrowsAsync<ObjectDisposedException>(() => queue.PrepareAsync(Topic, Token));
        await Assert.ThrowsAsync<ObjectDisposedException>(() => queue.SubscribeAsync(Topic, "g", (_, _) => new(Handled.Done), Token));
        await Assert.ThrowsAsync<ObjectDisposedException>(() => queue.DeadLetters.ListAsync(Topic, null, 10, Token));
        await ((IAsyncDisposable)queue).DisposeAsync();
    }
}
