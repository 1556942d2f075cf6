using System.Reflection;
using WhatsAspire.Backplane.Queue;
using WhatsAspire.Conformance;

namespace WhatsAspire.Backplane.Tests.Queue;

/// <summary>The conformance suite finds queues that do what no queue may do.</summary>
public sealed class BrokenQueueTests
{
    [Fact]
    public Task A_queue_that_drops_events_fails_the_suite() =>
        FailsAsync<DropsEvents>(nameof(EventQueueConformance.What_was_acknowledged_is_there_after_the_publisher_was_killed));

    [Fact]
    public Task A_queue_that_reorders_events_fails_the_suite() =>
        FailsAsync<ReordersEvents>(nameof(EventQueueConformance.Events_of_one_key_come_in_the_order_of_the_publishes));

    [Fact]
    public Task A_queue_that_commits_before_the_work_is_done_fails_the_suite() =>
        FailsAsync<CommitsEarly>(nameof(EventQueueConformance.An_event_whose_consumer_was_killed_at_work_comes_again));

    [Fact]
    public Task A_queue_that_acknowledges_too_early_fails_the_suite() =>
        FailsAsync<AcknowledgesEarly>(nameof(EventQueueConformance.What_was_acknowledged_is_there_after_the_publisher_was_killed));

    [Fact]
    public Task A_queue_that_forgets_failures_fails_the_suite() => FailsAsync<ForgetsFailures>(
        nameof(EventQueueConformance.A_failed_attempt_is_repeated_before_later_events_of_its_key),
        nameof(EventQueueConformance.A_poison_event_goes_to_the_dead_letters_and_the_next_ones_go_on));

    [Fact]
    public Task A_queue_without_groups_fails_the_suite() => FailsAsync<KnowsNoGroups>(
        nameof(EventQueueConformance.What_is_done_does_not_come_again_after_an_orderly_end),
        nameof(EventQueueConformance.Two_consumers_of_a_group_share_the_partitions));

    /// <summary>Without this the others could fail for any reason.</summary>
    [Fact]
    public async Task A_queue_without_a_fault_passes_those_tests()
    {
        foreach (var test in new[]
        {
            nameof(EventQueueConformance.What_was_acknowledged_is_there_after_the_publisher_was_killed),
            nameof(EventQueueConformance.Events_of_one_key_come_in_the_order_of_the_publishes),
            nameof(EventQueueConformance.An_event_whose_consumer_was_killed_at_work_comes_again),
            nameof(EventQueueConformance.A_failed_attempt_is_repeated_before_later_events_of_its_key),
            nameof(EventQueueConformance.A_poison_event_goes_to_the_dead_letters_and_the_next_ones_go_on),
            nameof(EventQueueConformance.What_is_done_does_not_come_again_after_an_orderly_end),
            nameof(EventQueueConformance.Two_consumers_of_a_group_share_the_partitions),
        })
            Assert.Null(await RunAsync<SoundQueue>(test, TimeSpan.FromSeconds(60)));
    }

    private static async Task FailsAsync<T>(params string[] tests)
        where T : SoundQueue, new()
    {
        foreach (var test in tests)
            Assert.True(await RunAsync<T>(test, TimeSpan.FromSeconds(3)) is not null, $"{typeof(T).Name} passes {test}");
    }

    /// <summary>Runs a test of the suite on a queue of its own.</summary>
    /// <returns>Why it failed, or did not end in time; null when it passed.</returns>
    private static async Task<string?> RunAsync<T>(string test, TimeSpan patience)
        where T : SoundQueue, new()
    {
        using var file = new QueueFile();
        var suite = new Suite<T>(file);
        await suite.InitializeAsync();
        try
        {
            var method = typeof(EventQueueConformance).GetMethod(test, BindingFlags.Public | BindingFlags.Instance)!;
            await ((Task)method.Invoke(suite, null)!).WaitAsync(patience, TestContext.Current.CancellationToken);
            return null;
        }
        catch (Exception e) when (!TestContext.Current.CancellationToken.IsCancellationRequested)
        {
            return e.Message;
        }
        finally
        {
            await suite.DisposeAsync();
        }
    }

    private sealed class Suite<T>(QueueFile file) : EventQueueConformance
        where T : SoundQueue, new()
    {
        protected override Task<IEventQueue> OpenAsync(QueueOptions options) =>
            Task.FromResult<IEventQueue>(new T { Inner = file.Open(options) });

        protected override Task CrashAsync(IEventQueue queue) => ((SoundQueue)queue).CrashAsync();
    }
}
