using WhatsAspire.Contracts;

namespace WhatsAspire.FanoutWorker.Tests;

/// <summary>Edges that break, hang and die, and workers that go in the midst of an entry.</summary>
[Trait("Requirement", "R21")]
public sealed class FailureTests : IAsyncLifetime
{
    private FanoutSystem _system = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _system = await FanoutSystem.StartAsync();

    public ValueTask DisposeAsync() => _system.DisposeAsync();

    [Fact]
    public async Task An_edge_that_fails_is_tried_again_and_the_others_are_neither_repeated_nor_held_up()
    {
        var members = _system.Group.Add(100);
        var sound = await _system.AddEdgeAsync(members[..50]);
        var broken = await _system.AddEdgeAsync(members[50..]);
        broken.Breaks = true;
        await _system.StartWorkerAsync(("FanoutWorker:Avoid", "00:00:00.200"));

        await _system.SendAsync(members[0]);
        await _system.SendAsync(members[1]);
        await Wait.UntilAsync(() => sound.Got.Length == 2, "the sound edge has both");
        Assert.Empty(broken.Got);
        broken.Breaks = false;

        await Wait.UntilAsync(() => broken.Seqs.Distinct().Count() == 2, "the other has both too");
        Assert.All(broken.Got, delivery => Assert.Equal(members[50..].Order(), delivery.UserIds.Select(user => user.ToUserId()).Order()));
        Assert.Equal([1, 2], sound.Seqs);
    }

    [Fact]
    public async Task An_edge_that_hangs_holds_up_nobody_else_and_gets_it_when_it_wakes()
    {
        var members = _system.Group.Add(10);
        var sound = await _system.AddEdgeAsync(members[..5]);
        var frozen = await _system.AddEdgeAsync(members[5..]);
        var wakes = frozen.Hold();
        await _system.StartWorkerAsync(("FanoutWorker:ConfirmTimeout", "00:00:00.300"), ("FanoutWorker:Avoid", "00:01:00"));

        for (var i = 0; i < 20; i++) await _system.SendAsync(members[0]);
        await Wait.UntilAsync(() => sound.Got.Length == 20, "the sound edge has all");
        Assert.Equal([1L], frozen.Seqs.Distinct());

        // Its late confirmation ends the wait of a minute.
        wakes.SetResult();
        await Wait.UntilAsync(() => frozen.Seqs.Distinct().Count() == 20, "the other has all too");
        Assert.Equal(20, sound.Got.Length);
    }

    [Fact]
    public async Task Members_of_an_edge_that_died_are_pushed_to()
    {
        var members = _system.Group.Add(4);
        var sound = await _system.AddEdgeAsync(members[..2]);
        var dead = await _system.AddEdgeAsync(members[2..]);
        dead.Breaks = true;
        await _system.StartWorkerAsync(("FanoutWorker:Avoid", "00:00:00.200"));
        var seq = await _system.SendAsync(members[0]);
        await Wait.UntilAsync(() => sound.Got.Length == 1, "the sound edge has it");
        Assert.Empty(_system.Pushes);

        await dead.EndLeaseAsync();

        await Wait.UntilAsync(() => _system.Pushes.Count >= 2, "its members are to be pushed to");
        Assert.Equal(members[2..].Order(), _system.Pushes.Select(push => push.UserId).Order());
        Assert.All(_system.Pushes, push => Assert.Equal(seq, push.Seq));
    }

    [Fact]
    public async Task What_an_edge_never_takes_is_left_to_its_activity_check()
    {
        var members = _system.Group.Add(2);
        var sound = await _system.AddEdgeAsync(members[0]);
        var broken = await _system.AddEdgeAsync(members[1]);
        broken.Breaks = true;
        await _system.StartWorkerAsync(("FanoutWorker:Avoid", "00:00:00.100"), ("FanoutWorker:Patience", "00:00:01"));

        await _system.SendAsync(members[0]);

        await Wait.UntilAsync(async () => (await _system.Marks.ReadAsync([members[1]]))[0] == 1, "a mark is raised that the edge finds");
        Assert.Equal(0L, (await _system.Marks.ReadAsync([members[0]]))[0]);
        Assert.Equal([1L], sound.Seqs);
        Assert.Empty(_system.Pushes);
    }

    [Fact]
    public async Task A_worker_that_stops_in_the_midst_of_an_entry_leaves_the_rest_of_it_to_another()
    {
        var members = _system.Group.Add(6);
        var (confirmed, held, wakes) = await BeginAsync(members);
        var first = await _system.StartWorkerAsync(("FanoutWorker:ConfirmTimeout", "00:00:10"));
        await _system.SendAsync(members[0]);
        await Wait.UntilAsync(() => confirmed.Got.Length == 1 && held.Got.Length == 1, "the first is in the midst of it");

        await first.StopAsync(Cancel);
        wakes.SetResult();
        await _system.StartWorkerAsync();

        await Wait.UntilAsync(() => held.Got.Length >= 2, "the second has done the rest");
        await Wait.UntilAsync(() => _system.Pushes.Count >= 2, "who is nowhere is to be pushed to");
        Assert.Equal(members[4..].Order(), _system.Pushes.Select(push => push.UserId).Distinct().Order());
    }

    [Fact]
    public async Task A_worker_that_is_killed_in_the_midst_of_an_entry_is_followed_by_another_that_does_all_of_it()
    {
        var members = _system.Group.Add(6);
        var (confirmed, held, wakes) = await BeginAsync(members);
        using (var first = _system.StartWorkerProcess(("FanoutWorker:ConfirmTimeout", "00:00:10")))
        {
            await _system.SendAsync(members[0]);
            await Wait.UntilAsync(() => confirmed.Got.Length == 1 && held.Got.Length == 1, "the first is in the midst of it");
            first.Kill();
            await first.WaitForExitAsync(Cancel);
        }

        Assert.Empty(_system.Pushes);
        wakes.SetResult();
        await _system.StartWorkerAsync();

        await Wait.UntilAsync(() => confirmed.Got.Length >= 2 && held.Got.Length >= 2 && _system.Pushes.Count >= 2, "the second has done it all");
        // Who had it gets it once more, and his connections pass over it.
        Assert.Equal([1, 1], confirmed.Seqs);
        Assert.Equal(members[4..].Order(), _system.Pushes.Select(push => push.UserId).Order());
    }

    private async Task<(TestEdge Confirmed, TestEdge Held, TaskCompletionSource Wakes)> BeginAsync(UserId[] members)
    {
        var confirmed = await _system.AddEdgeAsync(members[..2]);
        var held = await _system.AddEdgeAsync(members[2..4]);
        return (confirmed, held, held.Hold());
    }
}
