using System.Text;
using WhatsAspire.Backplane.Queue;
using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Events;
using WhatsAspire.Contracts.Frames;

namespace WhatsAspire.FanoutWorker.Tests;

/// <summary>What the worker makes of what is on the queue.</summary>
[Trait("Requirement", "R21")]
public sealed class WorkerTests : IAsyncLifetime
{
    private FanoutSystem _system = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _system = await FanoutSystem.StartAsync();

    public ValueTask DisposeAsync() => _system.DisposeAsync();

    [Fact]
    public async Task Each_edge_gets_one_call_with_all_of_its_members()
    {
        var members = _system.Group.Add(300);
        var one = await _system.AddEdgeAsync(members[..100]);
        var other = await _system.AddEdgeAsync(members[90..200]);
        // The second device of a member on the same edge is the same call, and the same member in it.
        await one.ConnectAsync(members[..10]);
        await _system.StartWorkerAsync();

        var seq = _system.Group.AppendText(members[0], "to all of you");
        var except = ConnectionId.New(TimeProvider.System);
        await _system.PublishAsync(seq, members[0], except);

        await Wait.UntilAsync(() => one.Got.Length > 0 && other.Got.Length > 0 && _system.Pushes.Count == 100, "all have it or are to be pushed to");
        foreach (var (edge, expected) in new[] { (one, members[..100]), (other, members[90..200]) })
        {
            var delivery = Assert.Single(edge.Got);
            Assert.Equal(expected.Order(), delivery.UserIds.Select(user => user.ToUserId()).Order());
            Assert.Equal((seq, _system.Group.Id, except), (delivery.Seq, delivery.ConversationId.ToConversationId(), delivery.ExceptConnectionId.ToConnectionId()));
            Assert.True(delivery.Uncounted);
            Assert.Contains("\"text\":\"to all of you\"", Encoding.UTF8.GetString(delivery.Frame.Span), StringComparison.Ordinal);
        }

        Assert.Equal(members[200..].Order(), _system.Pushes.Select(push => push.UserId).Order());
        Assert.All(_system.Pushes, push => Assert.Equal((seq, _system.Group.Id, false), (push.Seq, push.ConversationId, push.IsRead)));
    }

    [Fact]
    public async Task Pages_of_members_are_still_one_call_for_each_edge()
    {
        var members = _system.Group.Add(250);
        var edge = await _system.AddEdgeAsync(members);
        await _system.StartWorkerAsync(("FanoutWorker:PageSize", "40"));

        await _system.SendAsync(members[0]);

        await Wait.UntilAsync(() => edge.Got.Length > 0, "the edge has it");
        Assert.Equal(250, Assert.Single(edge.Got).UserIds.Count);
        Assert.Equal(7, _system.Group.Pages);
    }

    [Fact]
    public async Task Entries_of_a_group_come_in_their_order()
    {
        var members = _system.Group.Add(500);
        var one = await _system.AddEdgeAsync(members[..250]);
        var other = await _system.AddEdgeAsync(members[250..]);
        var started = TimeProvider.System.GetTimestamp();
        const int Entries = 200;
        // They wait already when the workers come, of which only one can have the group.
        for (var i = 0; i < Entries; i++) await _system.SendAsync(members[i]);
        await _system.StartWorkerAsync();
        await _system.StartWorkerAsync();

        await Wait.UntilAsync(() => one.Got.Length >= Entries && other.Got.Length >= Entries, "both edges have all");
        TestContext.Current.SendDiagnosticMessage($"{Entries} entries to 500 members in {TimeProvider.System.GetElapsedTime(started).TotalSeconds:F2} s, the sending included.");
        // What was handled and not committed when the second took over may come again; nothing comes for the first time out of order.
        foreach (var edge in new[] { one, other })
            Assert.Equal(Enumerable.Range(1, Entries).Select(seq => (long)seq), edge.Seqs.Distinct());
    }

    [Fact]
    public async Task Only_a_text_is_pushed_and_not_to_who_wrote_it()
    {
        var members = _system.Group.Add(3);
        await _system.StartWorkerAsync();
        await _system.PublishAsync(_system.Group.AppendChange(members[0], new() { Type = GroupChangeTypes.Changed, Name = "Us" }), members[0]);
        var deleted = _system.Group.AppendText(members[0]);
        _system.Group.Delete(deleted);
        await _system.PublishAsync(deleted, members[0]);
        var seq = await _system.SendAsync(members[0]);

        await Wait.UntilAsync(() => _system.Pushes.Count >= 2, "the others are to be pushed to");
        Assert.Equal([(members[1], seq), (members[2], seq)], _system.Pushes.Select(push => (push.UserId, push.Seq)).OrderBy(push => Array.IndexOf(members, push.UserId)));
    }

    [Fact]
    [Trait("Requirement", "R22")]
    public async Task Who_joined_later_does_not_get_it_and_who_was_removed_gets_the_last()
    {
        var early = _system.Group.Add(2);
        var before = _system.Group.AppendText(early[0]);
        var late = _system.Group.Add(1, joinSeq: 1)[0];
        var joined = _system.Group.AppendChange(early[0], new() { Type = GroupChangeTypes.Added, UserIds = [late] });
        _system.Group.Remove(early[1]);
        var removed = _system.Group.AppendChange(early[0], new() { Type = GroupChangeTypes.Removed, UserIds = [early[1]] });
        var after = _system.Group.AppendText(early[0]);
        var edge = await _system.AddEdgeAsync([early[0], early[1], late]);
        await _system.StartWorkerAsync();

        foreach (var seq in new[] { before, joined, removed, after }) await _system.PublishAsync(seq, early[0]);

        await Wait.UntilAsync(() => edge.Got.Length == 4, "all four are there");
        Assert.Equal([joined, removed, after], SeenBy(late));
        Assert.Equal([removed], SeenBy(early[1]));
        Assert.Equal([before, joined, removed, after], SeenBy(early[0]));

        IEnumerable<long> SeenBy(UserId user) => edge.Got.Where(delivery => delivery.UserIds.Contains(user.ToBytes())).Select(delivery => delivery.Seq);
    }

    [Fact]
    [Trait("Requirement", "R22")]
    public async Task Who_has_just_joined_gets_what_follows_even_from_a_replica_that_has_not_seen_it()
    {
        var members = _system.Group.Add(2);
        var joins = UserId.New();
        var edge = await _system.AddEdgeAsync([.. members, joins]);
        await _system.StartWorkerAsync();
        await _system.PublishAsync(_system.Group.AppendChange(members[0], new() { Type = GroupChangeTypes.Joined, UserIds = [joins] }), joins);
        var next = await _system.SendAsync(members[0]);

        await Wait.UntilAsync(() => edge.Seqs.Contains(next), "the message is there");
        Assert.All(edge.Got, delivery => Assert.Contains(joins.ToBytes(), delivery.UserIds));
    }

    [Fact]
    public async Task A_MessageApi_that_does_not_answer_only_delays_it()
    {
        var members = _system.Group.Add(2);
        var edge = await _system.AddEdgeAsync(members);
        _system.Group.Failures = 3;
        await _system.StartWorkerAsync();

        await _system.SendAsync(members[0]);

        await Wait.UntilAsync(() => edge.Got.Length > 0, "the edge has it");
    }

    [Fact]
    public async Task An_event_that_can_t_be_read_is_a_dead_letter()
    {
        await _system.StartWorkerAsync();
        await _system.Queue.PublishAsync(FanoutEvent.Topic, new() { Key = "k", Type = FanoutEvent.Type, Payload = "{"u8.ToArray() }, Cancel);

        IReadOnlyList<DeadLetter> letters = [];
        await Wait.UntilAsync(
            async () => (letters = (await _system.Queue.DeadLetters.ListAsync(FanoutEvent.Topic, null, 1, Cancel)).Letters).Count > 0,
            "there is a dead letter");
        Assert.Contains("can read", letters[0].Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Names_of_metrics_are_what_they_always_were() => Assert.Equal(
        new Dictionary<string, string>
        {
            ["Name"] = "WhatsAspire.FanoutWorker",
            ["Events"] = "whatsaspire.fanout.events",
            ["Failures"] = "whatsaspire.fanout.failures",
            ["Outcome"] = "outcome",
            ["Reason"] = "reason",
        },
        typeof(FanoutTelemetry).GetFields().Where(f => f.IsLiteral).ToDictionary(f => f.Name, f => (string)f.GetRawConstantValue()!));
}
