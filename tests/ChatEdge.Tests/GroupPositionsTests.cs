using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.ServiceDiscovery;
using Microsoft.Extensions.Time.Testing;
using WhatsAspire.Backplane;
using WhatsAspire.Backplane.EdgeTransport;
using WhatsAspire.Backplane.Push;
using WhatsAspire.Backplane.Redelivery;
using WhatsAspire.ChatEdge.Routing;
using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Messaging.V1;

namespace WhatsAspire.ChatEdge.Tests;

/// <summary>What many members of a group ack and read becomes few operations.</summary>
[Trait("Requirement", "R12")]
public sealed class GroupPositionsTests : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Window = TimeSpan.FromMilliseconds(250);
    private readonly ConversationId _group = ConversationId.NewGroup();
    private readonly WatchedTime _time = new();
    private Replica _replica = null!;
    private ServiceProvider _provider = null!;
    private MessageApiLink _link = null!;
    private GroupPositions _positions = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private IReadOnlyList<AdvanceMembers> Rounds => [.. _replica.Log.Select(operation => operation.AdvanceMembers)];

    public async ValueTask InitializeAsync()
    {
        _replica = await Replica.StartAsync(0);
        _replica.Answer = Held;
        var services = new ServiceCollection().AddLogging().AddMetrics().AddServiceDiscovery();
        services.AddSingleton<IConfiguration>(new ConfigurationBuilder().AddInMemoryCollection(
            [new("services:message-api:grpc:0", $"http://127.0.0.1:{_replica.Port}")]).Build());
        services.AddSingleton<IHostApplicationLifetime, Lifetime>();
        _provider = services.BuildServiceProvider();
        var (edge, backplane) = (Options.Create(new EdgeOptions { GroupPositionWindow = Window }), Options.Create(new BackplaneOptions()));
        var meters = _provider.GetRequiredService<IMeterFactory>();
        _link = new(new(_provider.GetRequiredService<ServiceEndpointResolver>()), edge, TimeProvider.System, NullLogger<MessageApiLink>.Instance);
        _ = _link.StartAsync(Cancel);
        // Nothing is routed here: no answer says that a position moved.
        var live = new LiveEvents(
            backplane,
            new RedeliveryOutbox(new(meters), backplane, TimeProvider.System, NullLogger<RedeliveryOutbox>.Instance),
            new PushOutbox(new(meters), null!, backplane, TimeProvider.System, NullLogger<PushOutbox>.Instance));
        _positions = Make(_time);

        GroupPositions Make(TimeProvider time) =>
            new(_link, live, new(meters), edge, time, _provider.GetRequiredService<IHostApplicationLifetime>());
    }

    public async ValueTask DisposeAsync()
    {
        await _link.StopAsync(CancellationToken.None);
        _link.Dispose();
        await _provider.DisposeAsync();
        await _replica.DisposeAsync();
    }

    [Fact]
    public async Task Five_hundred_members_who_read_along_cost_few_operations()
    {
        Source[] members = [.. Enumerable.Range(0, 500).Select(_ => new Source())];
        for (var seq = 1; seq <= 16; seq++)
            foreach (var member in members) Assert.True(_positions.TryAdd(member, member.User, _group, seq, seq / 2, null));
        await UntilAsync(() =>
        {
            // Whatever window is waited for is over.
            _time.Advance(Window);
            return Newest() == 500;
        }, "the newest position of everybody");

        // The first goes at once; while it is under way and in the window after the next the others collect.
        Assert.InRange(Rounds.Count, 2, 8);
        Assert.All(Rounds, round => Assert.Equal(round.Positions.Count, round.Positions.DistinctBy(p => p.UserId).Count()));
        // Those that went before there were many wait for no window; everybody else goes twice at most.
        var many = Rounds.Where(round => round.Positions.Count >= 8).Sum(round => round.Positions.Count);
        Assert.True(many <= 2 * 500, $"{many} positions");

        int Newest() => Rounds.SelectMany(r => r.Positions).Where(p => p is { DeliveredSeq: 16, ReadSeq: 8 }).DistinctBy(p => p.UserId).Count();
    }

    [Fact]
    public async Task After_a_round_of_many_the_next_waits_for_the_window_and_after_one_of_few_it_does_not()
    {
        var one = new Source();
        for (var seq = 1; seq <= 3; seq++)
        {
            _positions.TryAdd(one, one.User, _group, seq, 0, null);
            await UntilAsync(() => Rounds.Count == seq, "a round of one");
        }

        // Held up until all are there, so that they are one round.
        using var gate = new ManualResetEventSlim();
        _replica.Answer = operation =>
        {
            gate.Wait(Patience, Cancel);
            return Held(operation);
        };
        _positions.TryAdd(one, one.User, _group, 4, 0, null);
        await UntilAsync(() => Rounds.Count == 4, "the round that is not answered");
        Source[] members = [.. Enumerable.Range(0, 20).Select(_ => new Source())];
        foreach (var member in members) _positions.TryAdd(member, member.User, _group, 5, 0, null);
        gate.Set();
        await UntilAsync(() => Rounds.Count == 5, "the round of many");
        Assert.Equal(20, Rounds[4].Positions.Count);

        _positions.TryAdd(one, one.User, _group, 6, 0, null);
        await _time.Waits.Task.WaitAsync(Patience, Cancel);
        Assert.Equal(5, Rounds.Count);
        _time.Advance(Window);
        await UntilAsync(() => Rounds.Count == 6, "the round after the window");
    }

    [Fact]
    public async Task Who_asked_is_answered_who_is_refused_alone_and_two_connections_of_a_user_stay_apart()
    {
        var bad = new Source();
        var user = UserId.New();
        _replica.Answer = operation => Held(operation, p => p.ReadSeq == 99);
        var (phone, laptop) = (new Source(user), new Source(user));
        var (wrong, right) = (new Answer(), new Answer());
        _positions.TryAdd(bad, bad.User, _group, 50, 0, null);
        _positions.TryAdd(phone, user, _group, 0, 99, wrong);
        _positions.TryAdd(laptop, user, _group, 0, 7, right);
        Assert.Equal("not_found", (await wrong.Error.Task.WaitAsync(Patience, Cancel)).Code.Word());
        Assert.Equal(7, (await right.Advanced.Task.WaitAsync(Patience, Cancel)).ReadSeq);
        Assert.All(Rounds, round => Assert.True(round.Positions.Count(p => p.UserId == user.ToBytes()) <= 1));
        Assert.All(Rounds.SelectMany(r => r.Positions), p => Assert.Equal(p.ReadSeq > 0, p.AnswerHeld));
        Assert.Empty(phone.Told);
    }

    private static Result Held(Operation operation) => Held(operation, _ => false);

    private static Result Held(Operation operation, Predicate<MemberPosition> isRefused)
    {
        var result = new Result { Id = operation.Id, AdvancedMembers = new() };
        foreach (var position in operation.AdvanceMembers.Positions)
            result.AdvancedMembers.Advanced.Add(new Advanced
            {
                ConversationId = operation.AdvanceMembers.ConversationId,
                DeliveredSeq = position.DeliveredSeq,
                ReadSeq = position.ReadSeq,
                Fault = isRefused(position) ? Error.NotFound("conversation").ToFault() : null,
            });
        return result;
    }

    private static async Task UntilAsync(Func<bool> condition, string what)
    {
        var began = System.Diagnostics.Stopwatch.GetTimestamp();
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(5));
        while (!condition())
        {
            Assert.True(System.Diagnostics.Stopwatch.GetElapsedTime(began) < Patience, $"waited {Patience.TotalSeconds} s for {what}");
            await timer.WaitForNextTickAsync(Cancel);
        }
    }

    /// <summary>Says when somebody begins to wait.</summary>
    private sealed class WatchedTime : FakeTimeProvider
    {
        public TaskCompletionSource Waits { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            var timer = base.CreateTimer(callback, state, dueTime, period);
            Waits.TrySetResult();
            return timer;
        }
    }

    private sealed class Source(UserId? user = null) : IPositionSource
    {
        public ConnectionId Id { get; } = ConnectionId.New(TimeProvider.System);

        public UserId User { get; } = user ?? UserId.New();

        public ConcurrentQueue<byte[]> Told { get; } = new();

        public void Tell(ReadOnlyMemory<byte> frame) => Told.Enqueue(frame.ToArray());
    }

    private sealed class Answer : IPositionAnswer
    {
        public TaskCompletionSource<Advanced> Advanced { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public TaskCompletionSource<Error> Error { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public void Complete(Advanced advanced) => Advanced.SetResult(advanced);

        public void Fail(Error error) => Error.SetResult(error);
    }

    private sealed class Lifetime : IHostApplicationLifetime
    {
        public CancellationToken ApplicationStarted => CancellationToken.None;

        public CancellationToken ApplicationStopping => CancellationToken.None;

        public CancellationToken ApplicationStopped => CancellationToken.None;

        public void StopApplication()
        {
        }
    }
}
