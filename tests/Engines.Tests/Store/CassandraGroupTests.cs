using WhatsAspire.Contracts;
using WhatsAspire.Cql;
using WhatsAspire.MessageApi.Storage;
using WhatsAspire.MessageApi.Storage.Cassandra;
using Xunit;

namespace WhatsAspire.Engines.Tests.Store;

/// <summary>Groups with several processes, and with ones that die between any two steps.</summary>
public sealed class CassandraGroupTests(StoreNode node)
{
    private readonly UserId _alice = UserId.New();
    private readonly UserId _bob = UserId.New();
    private readonly UserId _carol = UserId.New();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [Trait("Requirement", "R3")]
    public async Task A_change_of_members_that_was_cut_anywhere_is_there_with_its_entry_or_not_at_all(bool afterwards, bool seesHistory)
    {
        var cuts = 0;
        for (var dieAt = 1; ; dieAt++)
        {
            var what = $"cut at {dieAt}, afterwards: {afterwards}";
            var group = ConversationShape.Group(ConversationId.NewGroup());
            using var before = await node.OpenAsync(Token);
            await before.AppendAsync(group, [Entries.Members(_alice, joins: [_alice, _bob], at: 1), Entries.Text(_alice, "2", 2)], Token);
            // Bob, the slowest, goes; Carol comes and writes.
            NewEntry[] call =
            [
                Entries.Members(_alice, at: 3) with { Members = [new(_carol, true, seesHistory), new(_bob, false)] },
                Entries.Text(_carol, "4", 4),
            ];

            var session = new CutSession(await node.SessionAsync(Token), dieAt, afterwards);
            using (var dying = node.Open(session, o => o.AppendTimeout = TimeSpan.FromMilliseconds(1)))
            {
                try
                {
                    await dying.AppendAsync(group, call, Token);
                }
                catch (StoreUnavailableException)
                {
                    // It is dead, and so told nobody.
                }
            }

            // Nobody repeats the call at first: the log alone says who is in.
            using var other = await node.OpenAsync(Token);
            var head = (await other.GetConversationAsync(group.Id, Token))!.HeadSeq;
            Assert.True(head is 2 or 4, $"{what}: the head is {head}");
            await (head == 4 ? CheckAsync(other, group, seesHistory, what) : CheckBeforeAsync(other, group, what));

            var outcomes = await other.AppendAsync(group, call, Token);
            Assert.All(outcomes, o => Assert.Equal(head == 4 ? AppendStatus.Duplicate : AppendStatus.Appended, o.Status));
            await CheckAsync(other, group, seesHistory, what);
            if (!session.IsDead) break;
            cuts++;
        }

        Assert.True(cuts >= 10, $"an append has only {cuts} requests");
        TestContext.Current.SendDiagnosticMessage($"A change of members was cut at {cuts} places.");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    [Trait("Requirement", "R11")]
    public async Task Rises_of_many_that_were_cut_anywhere_are_finished_and_told_by_their_repetition(bool afterwards)
    {
        for (var dieAt = 1; ; dieAt++)
        {
            var what = $"cut at {dieAt}, afterwards: {afterwards}";
            var group = ConversationShape.Group(ConversationId.NewGroup());
            using var before = await node.OpenAsync(Token);
            await before.AppendAsync(group, [Entries.Members(_alice, joins: [_alice, _bob, _carol], at: 1), Entries.Text(_alice, "2", 2)], Token);
            MemberPosition[] rises = [new(_bob, group.Id, 2, 2), new(_carol, group.Id, 2, 1)];

            var session = new CutSession(await node.SessionAsync(Token), dieAt, afterwards);
            IReadOnlyList<AdvanceOutcome>? told = null;
            using (var dying = node.Open(session))
            {
                try
                {
                    told = await dying.AdvanceAsync(rises, Entries.At(10), Token);
                }
                catch (StoreUnavailableException)
                {
                    // It is dead, and so told nobody.
                }
            }

            using var other = await node.OpenAsync(Token);
            var repeated = await other.AdvanceAsync(rises, Entries.At(20), Token);
            Assert.Equal([new MemberState(0, 2, 2, 0), new MemberState(0, 2, 1, 0)], repeated.Select(o => o.Member));
            var view = await other.GetViewAsync(group.Id, _alice, Token);
            Assert.Equal((2, 1), (view!.OthersDeliveredSeq, view.OthersReadSeq));
            Assert.True(view.ChangedAt >= Entries.At(10), what);
            foreach (var (_, isMember, times) in await other.GetReceiptsAsync(group.Id, 2, Token))
            {
                Assert.True(isMember, what);
                Assert.Contains(times.DeliveredAt, new DateTimeOffset?[] { Entries.At(10), Entries.At(20) });
            }

            // The answer of the last write may be lost with the process: what it told is stored then.
            var lowest = (told ?? []).Concat(repeated).Select(o => o.Lowest).OfType<LowestRise>().ToArray();
            Assert.True(lowest.Length > 0 || afterwards, $"{what}: nobody was told that the lowest rose");
            Assert.All(lowest, rise => Assert.Equal(new(0, 0, 2, 1), rise));
            if (!session.IsDead) break;
        }
    }

    [Fact]
    [Trait("Requirement", "R12")]
    public async Task Two_processes_that_raise_two_hundred_members_leave_the_lowest_right_and_tell_it()
    {
        UserId[] users = [.. Enumerable.Range(0, 200).Select(_ => UserId.New())];
        var group = ConversationShape.Group(ConversationId.NewGroup());
        using var one = await node.OpenAsync(Token);
        using var two = await node.OpenAsync(Token);
        await one.AppendAsync(group, [Entries.Members(users[0], joins: users), .. Enumerable.Range(2, 19).Select(i => Entries.Text(users[0], $"{i}"))], Token);

        var halves = users.Skip(1).Chunk(100).ToArray();
        var outcomes = await Task.WhenAll(RaiseAsync(one, halves[0]), RaiseAsync(two, halves[1]));

        using var other = await node.OpenAsync(Token);
        foreach (var store in (CassandraMessageStore[])[one, two, other])
        {
            var view = await store.GetViewAsync(group.Id, users[0], Token);
            Assert.Equal((20, 19), (view!.OthersDeliveredSeq, view.OthersReadSeq));
        }

        var rises = outcomes.SelectMany(o => o).Select(o => o.Lowest).OfType<LowestRise>().ToArray();
        Assert.Contains(rises, rise => rise.DeliveredSeq == 20);
        Assert.Contains(rises, rise => rise.ReadSeq == 19);
        // It is noted too: who writes next and was not the slowest asks nobody, and tells nothing.
        Assert.Null(Assert.Single(await other.AppendAsync(group, [Entries.Text(users[0], "21")], Token)).Lowest);

        async Task<List<AdvanceOutcome>> RaiseAsync(CassandraMessageStore store, UserId[] of)
        {
            var all = new List<AdvanceOutcome>();
            for (var to = 2; to <= 20; to += 6)
                all.AddRange(await store.AdvanceAsync([.. of.Select(user => new MemberPosition(user, group.Id, to, to - 1))], Entries.At(to), Token));
            return all;
        }
    }

    [Fact]
    [Trait("Requirement", "R4")]
    public async Task Two_processes_that_change_members_at_the_same_time_agree_on_who_is_in()
    {
        UserId[] users = [.. Enumerable.Range(0, 6).Select(_ => UserId.New())];
        var group = ConversationShape.Group(ConversationId.NewGroup());
        using var one = await node.OpenAsync(Token, o => o.AppendTimeout = TimeSpan.FromMinutes(1));
        using var two = await node.OpenAsync(Token, o => o.AppendTimeout = TimeSpan.FromMinutes(1));
        await one.AppendAsync(group, [Entries.Members(users[0], joins: [users[0]])], Token);
        CassandraMessageStore[] both = [one, two];

        var applied = await Task.WhenAll(Enumerable.Range(0, 8).Select(caller => Task.Run(async () =>
        {
            var random = new Random(caller);
            var changes = new List<(long Seq, MemberChange Change)>();
            for (var i = 0; i < 10; i++)
            {
                var change = new MemberChange(users[random.Next(1, users.Length)], random.Next(2) == 0);
                var entry = Entries.Members(users[0]) with { Members = [change] };
                var outcome = Assert.Single(await both[caller % 2].AppendAsync(group, [entry], Token));
                changes.Add((outcome.Entry.Seq, change));
                await both[random.Next(2)].AppendAsync(group, [Entries.Text(change.User, "here")], Token);
            }

            return changes;
        }, Token)));

        var expected = new Dictionary<UserId, (long Join, long Left)>();
        foreach (var (seq, (user, isMember, _)) in applied.SelectMany(a => a).OrderBy(a => a.Seq))
        {
            var isIn = expected.TryGetValue(user, out var was) && was.Left == 0;
            if (isMember && !isIn) expected[user] = (seq - 1, 0);
            if (!isMember && isIn) expected[user] = (was.Join, seq);
        }

        using var other = await node.OpenAsync(Token);
        foreach (var user in users.Skip(1))
        {
            var member = await other.GetMemberAsync(group.Id, user, Token);
            Assert.Equal(expected.TryGetValue(user, out var e) ? e : null, member is null ? ((long, long)?)null : (member.JoinSeq, member.LeftSeq));
            if (member is not null) Assert.True(member.LeftSeq == 0 || member.ReadSeq <= member.LeftSeq, $"{member}");
        }
    }

    [Fact]
    [Trait("Requirement", "R22")]
    public async Task A_member_whose_row_is_from_before_anybody_saw_history_sees_from_his_coming_on()
    {
        var group = ConversationShape.Group(ConversationId.NewGroup());
        using var store = await node.OpenAsync(Token);
        await store.AppendAsync(group, [Entries.Members(_alice, joins: [_alice], at: 1), Entries.Text(_alice, "2", 2)], Token);
        await store.AppendAsync(group, [Entries.Members(_alice, at: 3) with { Members = [new(_bob, true, SeesHistory: true)] }], Token);
        Assert.Equal(new MemberState(2, 2, 2, 0) { SeesAfter = 0 }, await store.GetMemberAsync(group.Id, _bob, Token));

        // A row without the column is as one that a program wrote which had none.
        var remove = new CqlStatement($"DELETE sees_after FROM {new CassandraStoreOptions().Keyspace}.members WHERE conversation_id = ? AND user_id = ?");
        await (await node.SessionAsync(Token)).ExecuteAsync(remove.Bind(group.Id.Value, _bob.Value), Token);
        Assert.Equal(new MemberState(2, 2, 2, 0), await store.GetMemberAsync(group.Id, _bob, Token));
        Assert.Null((await store.GetViewAsync(group.Id, _bob, Token))!.Preview);
    }

    [Fact]
    [Trait("Requirement", "R12")]
    public async Task Times_of_long_and_short_rises_and_of_own_entries_are_told_apart()
    {
        const int Count = 400;
        var group = ConversationShape.Group(ConversationId.NewGroup());
        var dave = UserId.New();
        using var store = await node.OpenAsync(Token);
        await store.AppendAsync(group, [Entries.Members(_alice, joins: [_alice, _bob, _carol, dave])], Token);
        for (var from = 2; from <= Count; from += 100)
            await store.AppendAsync(group, [.. Enumerable.Range(from, Math.Min(100, Count - from + 1)).Select(i => Entries.Text(_alice, $"{i}", 1))], Token);
        // Bob comes back after long, twice; Carol all the time; Dave by writing.
        await store.AdvanceAsync(_bob, [new(group.Id, 300, 10)], Entries.At(1_000), Token);
        for (var to = 7; to <= Count; to += 7) await store.AdvanceAsync(_carol, [new(group.Id, to, to)], Entries.At(2_000 + to), Token);
        await store.AdvanceAsync(_bob, [new(group.Id, 310, 305)], Entries.At(3_000), Token);
        await store.AppendAsync(group, [Entries.Text(dave, "401", 4_000)], Token);
        await store.AdvanceAsync(dave, [new(group.Id, 401, 401)], Entries.At(4_500), Token);
        await store.AppendAsync(group, [Entries.Text(_alice, "402", 5_000)], Token);
        await store.AdvanceAsync([new(_bob, group.Id, 402, 402), new(dave, group.Id, 402, 402)], Entries.At(6_000), Token);

        foreach (var seq in (int[])[2, 7, 8, 10, 11, 63, 64, 65, 128, 129, 299, 300, 301, 305, 306, 310, 311, 399, 400, 402])
        {
            var carol = seq <= Count / 7 * 7 ? Entries.At(2_000 + ((seq + 6) / 7 * 7)) : default(DateTimeOffset?);
            var daves = Entries.At(seq <= 401 ? 4_000 : 6_000);
            MemberReceipt[] expected =
            [
                new(_bob, true, new(
                    Entries.At(seq <= 300 ? 1_000 : seq <= 310 ? 3_000 : 6_000), Entries.At(seq <= 10 ? 1_000 : seq <= 305 ? 3_000 : 6_000))),
                new(_carol, true, new(carol, carol)),
                new(dave, true, new(daves, daves)),
            ];
            Assert.Equal(expected.OrderBy(e => e.User), await store.GetReceiptsAsync(group.Id, seq, Token));
            foreach (var (user, _, times) in expected) Assert.Equal(times, await store.GetReceiptTimesAsync(group.Id, user, seq, Token));
        }
    }

    [Fact]
    public async Task More_writers_in_one_call_than_stand_beside_the_head_all_have_read_what_they_wrote()
    {
        UserId[] users = [.. Enumerable.Range(0, 40).Select(_ => UserId.New())];
        var group = ConversationShape.Group(ConversationId.NewGroup());
        using var store = await node.OpenAsync(Token);
        NewEntry[] call = [Entries.Members(users[0], joins: users), .. users.Select(user => Entries.Text(user, "here"))];
        var outcomes = await store.AppendAsync(group, call, Token);
        Assert.Equal(Enumerable.Range(1, 41).Select(i => (long)i), outcomes.Select(o => o.Entry.Seq));
        using var other = await node.OpenAsync(Token);
        for (var i = 0; i < users.Length; i++)
            Assert.Equal(new MemberState(0, i + 2, i + 2, 0), await other.GetMemberAsync(group.Id, users[i], Token));
    }

    /// <summary>As if the call had never been.</summary>
    private async Task CheckBeforeAsync(CassandraMessageStore store, ConversationShape group, string what)
    {
        Assert.Null(await store.GetMemberAsync(group.Id, _carol, Token));
        Assert.DoesNotContain(await store.ListConversationsAsync(_carol, DateTimeOffset.MinValue, Token), v => v.Shape.Id == group.Id);
        Assert.Equal(new MemberState(0, 0, 0, 0), await store.GetMemberAsync(group.Id, _bob, Token));
        Assert.True((await store.GetViewAsync(group.Id, _bob, Token))!.HeadSeq == 2, what);
    }

    /// <summary>Bob has left at 3, Carol has come and written.</summary>
    private async Task CheckAsync(CassandraMessageStore store, ConversationShape group, bool seesHistory, string what)
    {
        var state = new MemberState(2, 4, 4, 0) { SeesAfter = seesHistory ? 0 : 2 };
        var carol = Assert.Single(await store.ListConversationsAsync(_carol, Entries.At(4), Token), v => v.Shape.Id == group.Id);
        Assert.True((4, 0, "4", state) == (carol.HeadSeq, carol.UnreadCount, carol.Preview, carol.Member), $"{what}: {carol}");
        var bob = Assert.Single(await store.ListConversationsAsync(_bob, Entries.At(3), Token), v => v.Shape.Id == group.Id);
        Assert.True((3, 1, null, new MemberState(0, 0, 0, 0, 3)) == (bob.HeadSeq, bob.UnreadCount, bob.Preview, bob.Member), $"{what}: {bob}");
        var alice = await store.GetViewAsync(group.Id, _alice, Token);
        Assert.True((4, 1, 3, 3) == (alice!.HeadSeq, alice.UnreadCount, alice.OthersDeliveredSeq, alice.OthersReadSeq), $"{what}: {alice}");
        // By writing she has read what stands before it.
        Assert.Equal([new MemberReceipt(_carol, true, new(Entries.At(4), Entries.At(4)))], await store.GetReceiptsAsync(group.Id, 3, Token));
        Assert.Equal([new MemberReceipt(_alice, true, new(null, null))], await store.GetReceiptsAsync(group.Id, 4, Token));
    }
}
