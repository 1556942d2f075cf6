using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using StackExchange.Redis;
using WhatsAspire.Backplane;
using WhatsAspire.Backplane.Activity;
using WhatsAspire.Backplane.Sessions;
using WhatsAspire.Contracts;
using Xunit;

namespace WhatsAspire.Conformance;

/// <summary>What sessions, leases and activity marks need of a server that speaks Redis' protocol. A server's test class
/// derives from it and says how to get one.</summary>
public abstract class RedisConformance : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private readonly List<IHost> _hosts = [];

    protected static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>Where the server is, which is empty when the test begins; started if need be.</summary>
    protected abstract Task<string> StartAsync();

    /// <summary>Ends the server without notice.</summary>
    protected abstract Task KillAsync();

    /// <summary>Starts it again, at the same address, with what it had.</summary>
    protected abstract Task StartAgainAsync();

    public async ValueTask DisposeAsync()
    {
        foreach (var host in _hosts)
        {
            await host.StopAsync(CancellationToken.None);
            host.Dispose();
        }

        await EndAsync();
        GC.SuppressFinalize(this);
    }

    /// <summary>Ends the server, if it is this test's own.</summary>
    protected virtual ValueTask EndAsync() => default;

    private async Task<Process> OpenAsync(TimeSpan? leaseTime = null)
    {
        var lease = leaseTime ?? TimeSpan.FromSeconds(15);
        var builder = Host.CreateEmptyApplicationBuilder(new());
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["ConnectionStrings:redis"] = await StartAsync(),
            ["Backplane:LeaseTime"] = lease.ToString(),
            ["Backplane:LeaseRenewal"] = (lease / 3).ToString(),
            ["Backplane:LeaseCache"] = "00:00:00",
        });
        builder.AddBackplane();
        var host = builder.Build();
        _hosts.Add(host);
        await host.StartAsync(Cancel);
        return new(host.Services);
    }

    /// <summary>One process of the system, as far as it talks to Redis.</summary>
    private sealed class Process(IServiceProvider services)
    {
        public SessionRegistry Sessions { get; } = services.GetRequiredService<SessionRegistry>();
        public ActivityMarks Marks { get; } = services.GetRequiredService<ActivityMarks>();
        public EdgeLease Lease { get; } = new(services.GetRequiredService<EdgeIdentity>().Id, new("http://127.0.0.1:1234/"));
        public IConnectionMultiplexer Redis { get; } = services.GetRequiredService<IConnectionMultiplexer>();

        public Session NewSession(DeviceId? device = null) => new(ConnectionId.New(TimeProvider.System), device ?? DeviceId.New(), Lease.EdgeId);

        public async Task<IReadOnlyList<Session>> FindAsync(UserId user) => (await Sessions.FindAsync([user]))[0];
    }

    [Fact]
    public async Task A_session_is_found_by_other_processes_while_its_edge_has_a_lease()
    {
        var (edge, other) = (await OpenAsync(), await OpenAsync());
        var user = UserId.New();
        var session = edge.NewSession();
        await edge.Sessions.RenewLeaseAsync(edge.Lease);
        Assert.Equal([session], await edge.Sessions.AddAsync(user, session));

        Assert.Equal([session], await other.FindAsync(user));
        Assert.Equal(edge.Lease, other.Sessions.FindLease(edge.Lease.EdgeId));
        await edge.Sessions.EndLeaseAsync(edge.Lease.EdgeId);
        Assert.Empty(await other.FindAsync(user));
        Assert.Null(other.Sessions.FindLease(edge.Lease.EdgeId));
    }

    [Fact]
    public async Task Adding_a_session_tells_of_the_others_of_the_user()
    {
        var (a, b) = (await OpenAsync(), await OpenAsync());
        var user = UserId.New();
        var (first, second) = (a.NewSession(), b.NewSession());
        await a.Sessions.AddAsync(user, first);
        Assert.Equivalent(new[] { first, second }, await b.Sessions.AddAsync(user, second), strict: true);
    }

    [Fact]
    public async Task A_session_that_ended_is_gone_and_takes_no_other_with_it()
    {
        var edge = await OpenAsync();
        var user = UserId.New();
        var device = DeviceId.New();
        var (old, newer) = (edge.NewSession(device), edge.NewSession(device));
        await edge.Sessions.RenewLeaseAsync(edge.Lease);
        await edge.Sessions.AddAsync(user, old);
        await edge.Sessions.AddAsync(user, newer);
        for (var i = 0; i < 2; i++) await edge.Sessions.RemoveAsync(user, old.Connection);
        Assert.Equal([newer], await edge.FindAsync(user));
    }

    [Fact]
    public async Task Many_users_are_looked_up_at_once_in_their_order()
    {
        var edge = await OpenAsync();
        await edge.Sessions.RenewLeaseAsync(edge.Lease);
        var users = Enumerable.Range(0, 2_000).Select(_ => UserId.New()).ToArray();
        var sessions = users.Select(_ => edge.NewSession()).ToArray();
        await Task.WhenAll(users.Select((user, i) => i % 2 == 0 ? edge.Sessions.AddAsync(user, sessions[i]) : Task.CompletedTask));
        var found = await edge.Sessions.FindAsync(users);
        for (var i = 0; i < users.Length; i++)
            Assert.Equal(i % 2 == 0 ? [sessions[i]] : [], found[i]);
    }

    [Fact]
    [Trait("Requirement", "R42")]
    public async Task The_sessions_of_an_edge_that_died_end_with_its_lease_and_are_cleared_away()
    {
        var (edge, other) = (await OpenAsync(TimeSpan.FromSeconds(1)), await OpenAsync());
        var user = UserId.New();
        await edge.Sessions.RenewLeaseAsync(edge.Lease);
        await edge.Sessions.AddAsync(user, edge.NewSession());
        await UntilAsync(async () => (await other.FindAsync(user)).Count == 0, "the end of the lease");
        await UntilAsync(async () => !await other.Redis.GetDatabase().KeyExistsAsync($"sessions:{user}"), "the end of what the edge left");
    }

    [Fact]
    public async Task An_edge_whose_lease_was_forgotten_is_told_to_register_its_sessions_twice()
    {
        var edge = await OpenAsync();
        await UntilAsync(() => edge.Sessions.RenewLeaseAsync(edge.Lease), "a lease that stands");
        await edge.Redis.GetDatabase().KeyDeleteAsync($"edge:{edge.Lease.EdgeId}");
        Assert.False(await edge.Sessions.RenewLeaseAsync(edge.Lease));
        Assert.False(await edge.Sessions.RenewLeaseAsync(edge.Lease));
        Assert.True(await edge.Sessions.RenewLeaseAsync(edge.Lease));
    }

    [Fact]
    public async Task What_was_registered_is_there_after_the_server_was_killed_and_the_edge_is_in_doubt_of_it()
    {
        var edge = await OpenAsync(TimeSpan.FromMinutes(1));
        var user = UserId.New();
        var session = edge.NewSession();
        await edge.Sessions.AddAsync(user, session);
        await UntilAsync(() => edge.Sessions.RenewLeaseAsync(edge.Lease), "a lease that stands");
        await WrittenAsync();

        await KillAsync();
        await Assert.ThrowsAnyAsync<Exception>(() => edge.FindAsync(user));
        await StartAgainAsync();

        await UntilAsync(async () => await AnswersAsync(edge), "the connection to come back");
        Assert.Equal([session], await edge.FindAsync(user));
        Assert.False(await edge.Sessions.RenewLeaseAsync(edge.Lease));
    }

    [Fact]
    public async Task Without_the_server_nobody_waits_long()
    {
        var edge = await OpenAsync();
        await edge.Sessions.RenewLeaseAsync(edge.Lease);
        await KillAsync();
        try
        {
            for (var i = 0; i < 3; i++)
            {
                var began = System.Diagnostics.Stopwatch.GetTimestamp();
                var e = await Assert.ThrowsAnyAsync<Exception>(() => edge.FindAsync(UserId.New()));
                Assert.True(e is RedisException or TimeoutException, e.ToString());
                Assert.InRange(System.Diagnostics.Stopwatch.GetElapsedTime(began).TotalSeconds, 0, 5);
            }
        }
        finally
        {
            await StartAgainAsync();
        }
    }

    [Fact]
    public async Task Marks_count_what_every_process_adds()
    {
        var (a, b) = (await OpenAsync(), await OpenAsync());
        var (ann, bob) = (UserId.New(), UserId.New());
        for (var i = 0; i < 100; i++)
        {
            (i % 2 == 0 ? a : b).Marks.Add(ann);
            if (i < 7) a.Marks.Add(bob);
        }

        await UntilAsync(async () => await a.Marks.ReadAsync([ann, bob, UserId.New()]) is [100, 7, 0], "the counts");
        var left = await a.Redis.GetDatabase().KeyTimeToLiveAsync($"activity:{ann}");
        Assert.InRange(left!.Value.TotalMinutes, 50, 60);
    }

    [Fact]
    public async Task What_is_counted_while_the_server_is_away_is_there_when_it_is_back()
    {
        var edge = await OpenAsync();
        var user = UserId.New();
        edge.Marks.Add(user);
        await UntilAsync(async () => await edge.Marks.ReadAsync([user]) is [1], "the first count");
        await WrittenAsync();
        await KillAsync();
        for (var i = 0; i < 5; i++) edge.Marks.Add(user);
        await StartAgainAsync();
        // Some may be counted twice: that costs a look.
        await UntilAsync(async () => await AnswersAsync(edge) && (await edge.Marks.ReadAsync([user]))[0] >= 6, "the counts of the time without");
    }

    /// <summary>Waits until what was acknowledged survives a kill.</summary>
    protected virtual Task WrittenAsync() => Task.CompletedTask;

    private static async Task<bool> AnswersAsync(Process process)
    {
        try
        {
            await process.Redis.GetDatabase().PingAsync();
            return true;
        }
        catch (Exception e) when (e is RedisException or TimeoutException)
        {
            return false;
        }
    }

    /// <summary>The server gives no signal for what it does by itself, so it is asked.</summary>
    private static async Task UntilAsync(Func<Task<bool>> condition, string what)
    {
        var began = System.Diagnostics.Stopwatch.GetTimestamp();
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        while (!await condition())
        {
            Assert.True(System.Diagnostics.Stopwatch.GetElapsedTime(began) < Patience, $"waited {Patience.TotalSeconds} s for {what}");
            await timer.WaitForNextTickAsync(Cancel);
        }
    }
}
