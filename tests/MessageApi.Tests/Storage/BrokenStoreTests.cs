using System.Reflection;
using WhatsAspire.Conformance;
using WhatsAspire.MessageApi.Storage;
using Xunit;

namespace WhatsAspire.MessageApi.Tests.Storage;

/// <summary>The conformance suite finds stores that do what no store may do.</summary>
public sealed class BrokenStoreTests
{
    [Fact]
    [Trait("Requirement", "R3")]
    public Task A_store_that_drops_an_append_fails_the_suite() =>
        FailsAsync<DropsAppends>(nameof(MessageStoreConformance.Entries_have_the_seqs_1_2_3_in_the_order_of_the_appends));

    [Fact]
    [Trait("Requirement", "R2")]
    public Task A_store_that_repeats_an_append_fails_the_suite() =>
        FailsAsync<RepeatsAppends>(nameof(MessageStoreConformance.Entries_have_the_seqs_1_2_3_in_the_order_of_the_appends));

    [Fact]
    [Trait("Requirement", "R4")]
    public Task A_store_that_reorders_appends_fails_the_suite() =>
        FailsAsync<ReordersAppends>(nameof(MessageStoreConformance.Appends_to_one_conversation_take_effect_in_the_order_of_the_calls));

    [Fact]
    [Trait("Requirement", "R2")]
    public Task A_store_that_forgets_client_message_ids_fails_the_suite() =>
        FailsAsync<ForgetsClientMessageIds>(
            nameof(MessageStoreConformance.The_same_client_message_id_with_the_same_content_gives_the_entry_that_was_stored_first),
            nameof(MessageStoreConformance.The_same_call_made_many_times_at_once_takes_effect_once));

    [Fact]
    [Trait("Requirement", "R11")]
    public Task A_store_that_lets_a_position_fall_fails_the_suite() =>
        FailsAsync<LetsPositionsFall>(nameof(MessageStoreConformance.Positions_rise_and_never_fall));

    [Fact]
    [Trait("Requirement", "R22")]
    public Task A_store_that_lets_nobody_leave_a_group_fails_the_suite() =>
        FailsAsync<LetsNobodyLeave>(nameof(MessageStoreConformance.Who_joins_sees_from_then_on_and_who_leaves_nothing_after));

    [Fact]
    [Trait("Requirement", "R22")]
    public Task A_store_that_shows_nobody_what_came_before_him_fails_the_suite() =>
        FailsAsync<ShowsNoHistory>(
            nameof(MessageStoreConformance.Who_joins_with_history_sees_what_came_before_and_nothing_of_it_is_unread_or_delivered_to_him),
            nameof(MessageStoreConformance.Who_comes_back_with_history_sees_what_he_missed_and_without_it_begins_anew),
            nameof(MessageStoreConformance.What_who_joins_may_see_is_decided_once));

    [Fact]
    [Trait("Requirement", "R22")]
    public Task A_store_that_takes_who_sees_an_entry_for_who_got_it_fails_the_suite() =>
        FailsAsync<TakesHistoryForPresence>(
            nameof(MessageStoreConformance.Who_joins_with_history_sees_what_came_before_and_nothing_of_it_is_unread_or_delivered_to_him));

    [Fact]
    [Trait("Requirement", "R12")]
    public Task A_store_that_does_not_tell_when_the_slowest_member_rises_fails_the_suite() =>
        FailsAsync<TellsNoRise>(
            nameof(MessageStoreConformance.A_groups_ticks_are_the_lowest_of_all_and_told_once_when_they_rise),
            nameof(MessageStoreConformance.Five_hundred_members_rise_together_and_each_has_its_time),
            nameof(MessageStoreConformance.Racing_rises_leave_the_lowest_where_the_slowest_is));

    [Fact]
    [Trait("Requirement", "R3")]
    public Task A_store_that_acknowledges_too_early_fails_the_suite() =>
        FailsAsync<AcknowledgesTooEarly>(
            nameof(MessageStoreConformance.What_was_acknowledged_last_is_there_after_a_restart),
            nameof(MessageStoreConformance.Everything_is_there_after_a_restart));

    /// <summary>Without this the others could fail for any reason.</summary>
    [Fact]
    public async Task A_store_without_a_fault_passes_the_suite() => Assert.Empty(await RunAsync<SoundStore>());

    private static async Task FailsAsync<T>(params string[] tests)
        where T : SoundStore, new()
    {
        var failed = await RunAsync<T>();
        foreach (var test in tests)
            Assert.True(failed.ContainsKey(test), $"{typeof(T).Name} fails {string.Join(", ", failed.Keys)} and not {test}");
    }

    /// <summary>Runs every test of the suite on a store of its own.</summary>
    /// <returns>Those that failed, and why.</returns>
    private static async Task<SortedDictionary<string, string>> RunAsync<T>()
        where T : SoundStore, new()
    {
        var failed = new SortedDictionary<string, string>();
        foreach (var method in typeof(MessageStoreConformance).GetMethods())
        {
            if (method.GetCustomAttribute<FactAttribute>() is null) continue;
            object?[][] cases = method.GetParameters().Length == 0
                ? [[]]
                : [.. method.GetCustomAttributes<InlineDataAttribute>().Select(d => d.Data)];
            foreach (var arguments in cases)
            {
                var suite = new Suite(new T());
                await suite.InitializeAsync();
                try
                {
                    await (Task)method.Invoke(suite, arguments)!;
                }
                catch (Exception e) when (!TestContext.Current.CancellationToken.IsCancellationRequested)
                {
                    failed[method.Name] = e.Message;
                }

                await suite.DisposeAsync();
            }
        }

        return failed;
    }

    private sealed class Suite(SoundStore store) : MessageStoreConformance
    {
        protected override Task<IMessageStore> OpenAsync() => Task.FromResult<IMessageStore>(store);

        protected override Task CloseAsync(IMessageStore closing)
        {
            store.Restart();
            return Task.CompletedTask;
        }
    }
}
