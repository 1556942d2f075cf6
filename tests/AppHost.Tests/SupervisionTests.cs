using System.Collections.Immutable;
using Aspire.Hosting.ApplicationModel;

namespace WhatsAspire.AppHost.Tests;

[Trait("Requirement", "R50")]
public sealed class SupervisionTests
{
    [Fact]
    public void An_end_that_nobody_asked_for_is_reported_once()
    {
        var life = new ReplicaLife(TimeProvider.System);

        Assert.Equal(ReplicaChange.None, life.Follow(State(KnownResourceStates.Running, 1)));
        Assert.Equal(ReplicaChange.EndedUnasked, life.Follow(State(KnownResourceStates.Finished, 1)));
        Assert.Equal(ReplicaChange.None, life.Follow(State(KnownResourceStates.Finished, 1)));
        Assert.Equal(1, life.Deaths);
    }

    [Theory]
    [InlineData("2026-11-25T10:15:30.1234567Z Unhandled exception. System.IO.IOException: no room", "System.IO.IOException: no room")]
    [InlineData("2026-11-25T10:15:30.1234567Z Storage:QueueLength must be 1 or more.", "Storage:QueueLength must be 1 or more.")]
    [InlineData("out of memory", "out of memory")]
    [InlineData("2026-11-25T10:15:30.1234567Z    at Some.Method()", null)]
    [InlineData("2026-11-25T10:15:30.1234567Z  ---> System.Exception: inner", null)]
    public void Of_what_a_process_said_last_the_message_counts(string line, string? words) =>
        Assert.Equal(words, LastWords.Text(line));

    [Fact]
    public void What_was_stopped_by_hand_stays_stopped()
    {
        var life = new ReplicaLife(TimeProvider.System);
        life.Follow(State(KnownResourceStates.Running, 1));

        Assert.Equal(ReplicaChange.None, life.Follow(State(KnownResourceStates.Stopping, 1)));
        Assert.Equal(ReplicaChange.None, life.Follow(State(KnownResourceStates.Finished, 1)));
        Assert.Equal(0, life.Deaths);
    }

    [Fact]
    public void After_a_start_by_hand_it_is_supervised_again()
    {
        var life = new ReplicaLife(TimeProvider.System);
        foreach (var state in new[] { KnownResourceStates.Running, KnownResourceStates.Stopping, KnownResourceStates.Finished, KnownResourceStates.Starting })
            life.Follow(State(state, 1));
        life.Follow(State(KnownResourceStates.Running, 2));

        Assert.Equal(ReplicaChange.EndedUnasked, life.Follow(State(KnownResourceStates.Exited, 2)));
    }

    [Fact]
    public void The_new_process_is_reported_when_its_id_is_known()
    {
        var life = new ReplicaLife(TimeProvider.System);
        life.Follow(State(KnownResourceStates.Running, 1));
        life.Follow(State(KnownResourceStates.Finished, 1));
        life.Follow(State(KnownResourceStates.Starting, 1));

        Assert.Equal(ReplicaChange.None, life.Follow(State(KnownResourceStates.Running, null)));
        Assert.Equal(ReplicaChange.RunsAgain, life.Follow(State(KnownResourceStates.Running, 2)));
        Assert.Equal(2, life.ProcessId);
    }

    [Fact]
    public void A_service_that_never_came_up_counts_its_deaths()
    {
        var life = new ReplicaLife(TimeProvider.System);
        for (var death = 1; death <= 3; death++)
        {
            life.Follow(State(KnownResourceStates.Starting, null));
            Assert.Equal(ReplicaChange.EndedUnasked, life.Follow(State(KnownResourceStates.FailedToStart, null)));
            Assert.Equal(death, life.Deaths);
        }
    }

    [Fact]
    public void A_good_run_starts_the_count_anew()
    {
        var time = new SteppedTime();
        var life = new ReplicaLife(time);
        foreach (var ran in new[] { TimeSpan.Zero, TimeSpan.Zero, Backoff.GoodRun })
        {
            life.Follow(State(KnownResourceStates.Starting, 1));
            life.Follow(State(KnownResourceStates.Running, 1));
            time.Now += ran;
            life.Follow(State(KnownResourceStates.Finished, 1));
        }

        Assert.Equal(1, life.Deaths);
    }

    [Theory]
    [InlineData(1, 0, 0)]
    [InlineData(2, 0.5, 0.25)]
    [InlineData(3, 1, 0.5)]
    [InlineData(7, 16, 8)]
    [InlineData(8, 30, 15)]
    [InlineData(1000, 30, 15)]
    public void Waits_double_up_to_a_bound_and_are_spread_over_a_half(int deaths, double longest, double shortest)
    {
        Assert.Equal(longest, Backoff.Delay(deaths, random: 0).TotalSeconds);
        Assert.Equal(shortest, Backoff.Delay(deaths, random: 1).TotalSeconds);
    }

    private static CustomResourceSnapshot State(string state, int? processId) => new()
    {
        ResourceType = "Project",
        State = state,
        Properties = processId is { } id ? [new("executable.pid", id)] : ImmutableArray<ResourcePropertySnapshot>.Empty,
    };

    private sealed class SteppedTime : TimeProvider
    {
        public TimeSpan Now { get; set; }

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Now.Ticks;
    }
}
