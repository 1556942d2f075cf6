using System.Diagnostics;
using Microsoft.Data.Sqlite;

namespace WhatsAspire.AppHost.Tests.Wire;

/// <summary>A system whose activity check comes so late that only redelivery can have delivered.</summary>
public sealed class LateCheckSystem : IAsyncLifetime
{
    internal WireSystem System { get; } = new(new Dictionary<string, string> { ["Edge__ActivityCheck"] = "00:10:00" });

    public ValueTask InitializeAsync() => System.InitializeAsync();

    public ValueTask DisposeAsync() => System.DisposeAsync();
}

/// <summary>Live deliveries that fail arrive all the same, and soon.</summary>
[Trait("Requirement", "R3")]
public sealed class RedeliveryWireTests(LateCheckSystem fixture) : IClassFixture<LateCheckSystem>, IAsyncDisposable
{
    private const int Count = 20;

    // Once what was broken is whole again. The activity check alone would need 30 s and more.
    private static readonly TimeSpan Promised = TimeSpan.FromSeconds(12);
    private readonly List<WireSocket> _sockets = [];

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private WireSystem System => fixture.System;

    [Fact]
    public async Task What_is_sent_while_redis_is_frozen_is_acknowledged_and_arrives_when_it_answers_again()
    {
        var (ann, bob, socket, other) = await PairAsync();
        var redis = Assert.Single(System.Processes.Services("redis"));
        LinuxProcesses.Signal(redis.ProcessId, LinuxProcesses.SigStop);
        try
        {
            await SendAsync(ann, socket, bob);
            // What is looked up after the thaw goes live, and overtakes: it must all have failed.
            await QueueAsync(before => before.HasLast, "the last message on the queue");
        }
        finally
        {
            LinuxProcesses.Signal(redis.ProcessId, LinuxProcesses.SigContinue);
        }

        var started = Stopwatch.GetTimestamp();
        for (var seq = 2; seq <= Count + 1; seq++) Assert.Equal(seq, (long?)(await other.ReceiveAsync("message", Cancellation))["seq"]);
        var took = Stopwatch.GetElapsedTime(started);
        Assert.True(took < Promised, $"it took {took.TotalSeconds:F1} s");
        TestContext.Current.SendDiagnosticMessage("{0} messages arrived {1:F2} s after Redis had thawed", Count, took.TotalSeconds);
        await QueueAsync(after => after.Undone == 0, "the end of all redeliveries");
    }

    [Fact]
    public async Task What_is_sent_while_redis_is_dead_is_acknowledged_and_arrives_when_it_is_back()
    {
        var (ann, bob, socket, other) = await PairAsync();
        await System.Processes.KillAsync("redis", Cancellation);
        await SendAsync(ann, socket, bob);

        var took = await ArrivesAsync(other);
        TestContext.Current.SendDiagnosticMessage("{0} messages arrived {1:F2} s after they were sent with Redis killed", Count, took.TotalSeconds);
    }

    [Fact]
    public async Task What_is_sent_to_an_edge_that_is_frozen_for_longer_than_its_lease_arrives_when_it_wakes()
    {
        var (ann, bob, socket, other) = await PairAsync();
        var edge = System.Edge(1);
        LinuxProcesses.Signal(edge.ProcessId, LinuxProcesses.SigStop);
        try
        {
            await SendAsync(ann, socket, bob);
            // Until the others have given it up: nothing shows it but the time.
            using var timer = new PeriodicTimer(TimeSpan.FromSeconds(20));
            await timer.WaitForNextTickAsync(Cancellation);
        }
        finally
        {
            LinuxProcesses.Signal(edge.ProcessId, LinuxProcesses.SigContinue);
        }

        var took = await ArrivesAsync(other);
        TestContext.Current.SendDiagnosticMessage("{0} messages arrived {1:F2} s after their edge had thawed", Count, took.TotalSeconds);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var socket in _sockets) await socket.DisposeAsync();
    }

    /// <summary>Two who are connected to different edges, which have talked already.</summary>
    private async Task<(WireUser Ann, WireUser Bob, WireSocket AnnSocket, WireSocket BobSocket)> PairAsync()
    {
        var (ann, bob) = (await WireUser.CreateAsync(System, Cancellation), await WireUser.CreateAsync(System, Cancellation));
        var (socket, other) = (await ConnectAsync(ann, System.FirstEdge), await ConnectAsync(bob, System.OtherEdge));
        await socket.SendMessageAsync(bob, "before", Cancellation);
        await socket.ReceiveAsync("sent", Cancellation);
        await other.ReceiveAsync("message", Cancellation);
        return (ann, bob, socket, other);
    }

    private static async Task SendAsync(WireUser from, WireSocket socket, WireUser to)
    {
        for (var i = 0; i < Count; i++) await socket.SendMessageAsync(to, $"from {from.Id} {i}", Cancellation);
        for (var i = 0; i < Count; i++) await socket.ReceiveAsync("sent", Cancellation);
    }

    /// <summary>Waits for the last message. One that comes over the queue may be overtaken, and is passed over then: the
    /// client sees the jump, and pulls.</summary>
    private static async Task<TimeSpan> ArrivesAsync(WireSocket socket)
    {
        var started = Stopwatch.GetTimestamp();
        var last = await socket.ReceiveAsync("message", m => (long?)m["seq"] == Count + 1, Cancellation);
        var took = Stopwatch.GetElapsedTime(started);
        Assert.True(took < Promised, $"it took {took.TotalSeconds:F1} s");
        await socket.SendAsync(
            new { type = "pull", @ref = "p", ranges = new[] { new { conversation_id = (string)last["conversation_id"]!, after = 1 } } }, Cancellation);
        var page = await socket.ReceiveAsync("page", Cancellation);
        Assert.Equal(Enumerable.Range(2, Count), page["messages"]!.AsArray().Select(m => (int)m!["seq"]!));
        return took;
    }

    private async Task<WireSocket> ConnectAsync(WireUser user, Uri edge)
    {
        var socket = await WireSocket.ConnectAsync(edge, user.Token, Cancellation);
        _sockets.Add(socket);
        await socket.HelloAsync(null, Cancellation);
        return socket;
    }

    private async Task QueueAsync(Func<(bool HasLast, long Undone), bool> holds, string what)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
        var started = Stopwatch.GetTimestamp();
        for (var queue = ReadQueue(); !holds(queue); queue = ReadQueue())
        {
            Assert.True(Stopwatch.GetElapsedTime(started) < WireSocket.Patience, $"waited for {what}, and there is {queue}");
            await timer.WaitForNextTickAsync(Cancellation);
        }
    }

    private (bool HasLast, long Undone) ReadQueue()
    {
        using var connection = new SqliteConnection(
            $"Data Source={Path.Combine(System.Processes.DataPath, "queue", "queue.db")};Mode=ReadOnly;Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText =
            $"""
            SELECT (SELECT COUNT(*) FROM events WHERE CAST(payload AS TEXT) LIKE '%"seq":{Count + 1},%'), SUM(next_offset - committed) FROM partitions JOIN topics USING (topic_id)
            JOIN groups USING (topic_id) JOIN cursors USING (group_id, partition) WHERE topics.name = 'redelivery'
            """;
        using var reader = command.ExecuteReader();
        Assert.True(reader.Read());
        return (reader.GetInt64(0) > 0, reader.GetInt64(1));
    }
}
