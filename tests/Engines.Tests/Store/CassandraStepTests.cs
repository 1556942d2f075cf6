using WhatsAspire.Contracts;
using WhatsAspire.MessageApi.Storage;
using WhatsAspire.MessageApi.Storage.Cassandra;
using Xunit;

namespace WhatsAspire.Engines.Tests.Store;

/// <summary>A process dies between any two steps of a call; another one gets the same call again.</summary>
public sealed class CassandraStepTests(StoreNode node)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    [Trait("Requirement", "R3")]
    public async Task An_append_that_was_cut_anywhere_is_whole_or_not_there_and_is_finished_by_its_repetition(bool afterwards)
    {
        var cuts = 0;
        for (var dieAt = 1; ; dieAt++)
        {
            var chat = ConversationShape.Direct(UserId.New(), UserId.New());
            var (alice, bob) = (chat.Members[0], chat.Members[1]);
            var first = Entries.Text(alice, "first", 1);
            var second = Entries.Text(alice, "second", 2);
            using var before = await node.OpenAsync(Token);
            await before.AppendAsync(chat, [first, second], Token);
            NewEntry[] call = [Entries.Text(bob, "third", 3), Entries.Delete(bob, second, 2, 4)];

            var session = new CutSession(await node.SessionAsync(Token), dieAt, afterwards);
            using (var dying = node.Open(session, o => o.AppendTimeout = TimeSpan.FromMilliseconds(1)))
            {
                try
                {
                    await dying.AppendAsync(chat, call, Token);
                }
                catch (StoreUnavailableException)
                {
                    // It is dead, and so told nobody.
                }
            }

            using var other = await node.OpenAsync(Token);
            var head = (await other.GetConversationAsync(chat.Id, Token))!.HeadSeq;
            Assert.True(head is 2 or 4, $"cut at {dieAt}: the head is {head}");
            var third = await other.FindAsync(call[0].Id, Token);
            Assert.Equal(head == 4, third is not null);

            var outcomes = await other.AppendAsync(chat, call, Token);
            Assert.All(outcomes, o => Assert.Equal(head == 4 ? AppendStatus.Duplicate : AppendStatus.Appended, o.Status));
            await CheckAsync(other, chat, [first, second, call[0], call[1]], $"cut at {dieAt}, afterwards: {afterwards}");
            if (!session.IsDead) break;
            cuts++;
        }

        Assert.True(cuts >= 8, $"an append has only {cuts} requests");
        TestContext.Current.SendDiagnosticMessage($"An append was cut at {cuts} places.");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    [Trait("Requirement", "R11")]
    public async Task An_advance_that_was_cut_anywhere_is_finished_by_its_repetition(bool afterwards)
    {
        for (var dieAt = 1; ; dieAt++)
        {
            var chat = ConversationShape.Direct(UserId.New(), UserId.New());
            var (alice, bob) = (chat.Members[0], chat.Members[1]);
            using var before = await node.OpenAsync(Token);
            await before.AppendAsync(chat, [Entries.Text(alice, "1", 1), Entries.Text(alice, "2", 2), Entries.Text(alice, "3", 3)], Token);

            var session = new CutSession(await node.SessionAsync(Token), dieAt, afterwards);
            using (var dying = node.Open(session))
            {
                try
                {
                    await dying.AdvanceAsync(bob, [new(chat.Id, 3, 2)], Entries.At(10), Token);
                }
                catch (StoreUnavailableException)
                {
                    // It is dead, and so told nobody.
                }
            }

            using var other = await node.OpenAsync(Token);
            var outcome = Assert.Single(await other.AdvanceAsync(bob, [new(chat.Id, 3, 2)], Entries.At(20), Token));
            Assert.Equal(new MemberState(0, 3, 2, 0), outcome.Member);
            var view = await other.GetViewAsync(chat.Id, bob, Token);
            Assert.Equal((1, 3, 2), (view!.UnreadCount, view.Member.DeliveredSeq, view.Member.ReadSeq));
            Assert.True(view.ChangedAt >= Entries.At(10));
            var times = await other.GetReceiptTimesAsync(chat.Id, bob, 2, Token);
            Assert.Contains(times.DeliveredAt, new DateTimeOffset?[] { Entries.At(10), Entries.At(20) });
            Assert.Contains(times.ReadAt, new DateTimeOffset?[] { Entries.At(10), Entries.At(20) });
            if (!session.IsDead) break;
        }
    }

    /// <summary>Everything that both members can see of a log of four entries, the second deleted by the last.</summary>
    private static async Task CheckAsync(CassandraMessageStore store, ConversationShape chat, NewEntry[] sent, string what)
    {
        var log = await store.ReadAsync(chat.Id, 0, long.MaxValue, 100, newestFirst: false, Token);
        Assert.True(log.Select(e => e.Id).SequenceEqual(sent.Select(e => e.Id)), what);
        Assert.Equal([1L, 2L, 3L, 4L], log.Select(e => e.Seq));
        Assert.Equal([false, true, false, false], log.Select(e => e.Deleted));
        Assert.True(log[1].Text.IsEmpty, what);
        foreach (var entry in sent) Assert.Equal(entry.Id, (await store.FindAsync(entry.Id, Token))!.Id);

        var (alice, bob) = (chat.Members[0], chat.Members[1]);
        Assert.Equal(new MemberState(0, 4, 4, 0), await store.GetMemberAsync(chat.Id, bob, Token));
        Assert.Equal(new MemberState(0, 2, 2, 0), await store.GetMemberAsync(chat.Id, alice, Token));
        // Bob read what was before his message by writing it.
        Assert.Equal(Entries.At(3), (await store.GetReceiptTimesAsync(chat.Id, bob, 1, Token)).ReadAt);
        Assert.Equal(Entries.At(3), (await store.GetReceiptTimesAsync(chat.Id, bob, 2, Token)).DeliveredAt);
        foreach (var (user, unread) in new[] { (alice, 1), (bob, 0) })
        {
            var view = Assert.Single(await store.ListConversationsAsync(user, Entries.At(4), Token));
            Assert.True((4, unread, "third") == (view.HeadSeq, view.UnreadCount, view.Preview), $"{what}: {view}");
        }
    }
}
