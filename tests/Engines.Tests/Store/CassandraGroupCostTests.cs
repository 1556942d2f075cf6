using WhatsAspire.Contracts;
using WhatsAspire.MessageApi.Storage;
using WhatsAspire.MessageApi.Storage.Cassandra;
using Xunit;

namespace WhatsAspire.Engines.Tests.Store;

/// <summary>What calls on a group of 500 ask of Cassandra: <c>docs/storage.md</c> has these figures.</summary>
public sealed class CassandraGroupCostTests(StoreNode node)
{
    private readonly UserId[] _members = [.. Enumerable.Range(0, 500).Select(_ => UserId.New())];
    private readonly ConversationShape _group = ConversationShape.Group(ConversationId.NewGroup());

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private UserId Alice => _members[0];

    [Fact]
    [Trait("Requirement", "R21")]
    public async Task An_append_to_a_large_group_writes_nothing_for_each_member()
    {
        var (session, store) = await OpenAsync();
        using var _ = store;
        await store.AdvanceAsync([.. _members.Skip(1).Select(m => new MemberPosition(m, _group.Id, 1, 0))], Entries.At(2), Token);
        await store.AppendAsync(_group, [Entries.Text(Alice, "Alice is no longer among the slowest", 3)], Token);
        session.Take();

        await store.AppendAsync(_group, [Entries.Text(Alice, "for 499", 4)], Token);

        Assert.Equal(["batch log", "read members", "read sends", "write messages", "write sends"], session.Take());
    }

    [Fact]
    [Trait("Requirement", "R12")]
    public async Task Five_hundred_positions_rise_in_some_requests()
    {
        var (session, store) = await OpenAsync();
        using var _ = store;
        await store.AppendAsync(_group, [Entries.Text(Alice, "2", 2), Entries.Text(Alice, "3", 3)], Token);
        session.Take();

        var outcomes = await store.AdvanceAsync([.. _members.Skip(1).Select(m => new MemberPosition(m, _group.Id, 3, 3))], Entries.At(4), Token);

        Assert.Equal(new(0, 0, 3, 3), outcomes[^1].Lowest);
        Assert.Equal(
            ["batch group_rises", "batch members", "batch members", "read log", "read log", "read members", "read members"], session.Take());

        var receipts = await store.GetReceiptsAsync(_group.Id, 2, Token);
        Assert.All(receipts, r => Assert.Equal(new(Entries.At(4), Entries.At(4)), r.Times));
        Assert.Equal(499, receipts.Count);
        Assert.Equal(["read group_rises", "read group_rises", "read log", "read log", "read members"], session.Take());
    }

    [Fact]
    [Trait("Requirement", "R6")]
    public async Task A_list_asks_of_a_group_that_did_not_change_two_rows()
    {
        var (session, store) = await OpenAsync();
        using var _ = store;
        await store.AppendAsync(_group, [Entries.Text(Alice, "2", 2)], Token);
        session.Take();

        Assert.Empty(await store.ListConversationsAsync(_members[1], Entries.At(3), Token));
        Assert.Equal(["read inbox", "read log", "read members"], session.Take());
        var view = Assert.Single(await store.ListConversationsAsync(_members[1], Entries.At(2), Token));
        Assert.Equal((2, 1, "2"), (view.HeadSeq, view.UnreadCount, view.Preview));
        Assert.Equal(
            ["read hidden", "read hidden", "read inbox", "read log", "read log", "read log", "read members", "read members"], session.Take());
    }

    /// <summary>The group with all of them, of one entry.</summary>
    private async Task<(CountingSession Session, CassandraMessageStore Store)> OpenAsync()
    {
        var session = new CountingSession(await node.SessionAsync(Token));
        var store = node.Open(session);
        await store.AppendAsync(_group, [Entries.Members(Alice, joins: _members, at: 1)], Token);
        return (session, store);
    }
}
