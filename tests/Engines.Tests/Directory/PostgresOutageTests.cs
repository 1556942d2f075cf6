using System.Collections.Concurrent;
using System.Data.Common;
using System.Diagnostics;
using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Npgsql;
using WhatsAspire.Contracts;
using WhatsAspire.MessageApi.Directory;
using WhatsAspire.MessageApi.Directory.Postgres;
using WhatsAspire.Users.Tests;
using Xunit;

namespace WhatsAspire.Engines.Tests.Directory;

/// <summary>PostgreSQL dies, freezes, or is cut off while it is worked with.</summary>
[Trait("Requirement", "R3")]
[Trait("Requirement", "R51")]
public sealed class PostgresOutageTests(PostgresServer server)
{
    private static readonly DateTimeOffset Start = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);
    private static readonly TimeSpan Grace = TimeSpan.FromHours(1);

    // With the end of the text: the statement that begins a transaction names READ COMMITTED.
    private static ReadOnlySpan<byte> Commit => "COMMIT\0"u8;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_write_whose_commit_got_no_answer_is_repeated_where_that_gives_the_same_result()
    {
        await using var line = await CutLineAsync();
        var directory = await OpenAsync(line);
        var account = NewAccount("ann");

        line.CutAnswerTo(Commit);
        Assert.True(await directory.AddAccountAsync(account, Cancel));
        line.CutAnswerTo(Commit);
        var device = NewDevice(account.Id);
        Assert.True(await directory.PutDeviceAsync(device, new(Bytes(1), Bytes(10)), Cancel));
        line.CutAnswerTo(Commit);
        Assert.Equal(RotationStatus.Rotated, (await directory.RotateRefreshTokenAsync(new(Bytes(1), Bytes(10)), Bytes(11), Start, Grace, Cancel)).Status);
        line.CutAnswerTo(Commit);
        Assert.True(await directory.PutPushAsync(
            new() { Device = device.Id, User = account.Id, Provider = "fcm", Token = "token", RegisteredAt = Start }, Cancel));
        var chat = new ConversationId(Guid.NewGuid());
        line.CutAnswerTo(Commit);
        await directory.ReportPushAsync(account.Id, chat, [new(device.Id, "token", 7, 0, null)], Cancel);

        Assert.Equal(5, line.Cuts);
        Assert.Equal(7, Assert.Single(await directory.ListPushTargetsAsync(account.Id, chat, Cancel)).PushedSeq);
        Assert.Equal(RotationStatus.Rotated, (await directory.RotateRefreshTokenAsync(new(Bytes(1), Bytes(11)), Bytes(12), Start, Grace, Cancel)).Status);
    }

    [Fact]
    public async Task A_log_out_whose_commit_got_no_answer_fails_and_one_that_was_not_committed_is_repeated()
    {
        await using var line = await CutLineAsync();
        var directory = await OpenAsync(line);
        var account = NewAccount("ann");
        var (first, second) = (NewDevice(account.Id), NewDevice(account.Id));
        await directory.AddAccountAsync(account, Cancel);
        await directory.PutDeviceAsync(first, new(Bytes(1), Bytes(10)), Cancel);
        await directory.PutDeviceAsync(second, new(Bytes(2), Bytes(20)), Cancel);

        line.CutAnswerTo(Commit);
        // 'False' would say that there was no such device.
        await Assert.ThrowsAnyAsync<DbException>(() => directory.RemoveDeviceAsync(account.Id, first.Id, Cancel));
        Assert.Equal(1, line.Cuts);
        Assert.Equal([second], await directory.ListDevicesAsync(account.Id, Cancel));

        line.CutAnswerTo("BEGIN"u8);
        Assert.True(await directory.RemoveDeviceAsync(account.Id, second.Id, Cancel));
        Assert.Equal(2, line.Cuts);
    }

    [Fact]
    public async Task A_read_that_is_cut_off_is_repeated()
    {
        await using var line = await CutLineAsync();
        var directory = await OpenAsync(line);
        var account = NewAccount("ann");
        await directory.AddAccountAsync(account, Cancel);
        // What the prepared statement is told.
        line.CutAnswerTo("ann"u8);
        Assert.Equal(account, await directory.FindAccountAsync("ann", Cancel));
        Assert.Equal(1, line.Cuts);
    }

    [Fact]
    public async Task Nothing_acknowledged_is_lost_when_the_server_is_killed_under_load()
    {
        await server.StartAsync();
        await using var load = await Load.StartAsync(server);
        for (var kills = 0; kills < 4; kills++)
        {
            await load.MoreAsync(60);
            await server.Running.KillAsync(Cancel);
            await server.StartAgainAsync();
        }

        await load.MoreAsync(60);
        var failed = await load.CheckAsync();
        TestContext.Current.SendDiagnosticMessage($"4 kills, {load.Acknowledged} writes acknowledged, {failed} calls failed for their callers");
    }

    [Fact]
    public async Task Nothing_acknowledged_is_lost_when_the_server_is_frozen_for_20_s_under_load()
    {
        await server.StartAsync();
        await using var load = await Load.StartAsync(server);
        await load.MoreAsync(60);
        await FreezeAsync(TimeSpan.FromSeconds(20));
        await load.MoreAsync(60);
        var failed = await load.CheckAsync();
        Assert.InRange(load.Longest.TotalSeconds, 7, 12);
        TestContext.Current.SendDiagnosticMessage(
            $"frozen for 20 s, {load.Acknowledged} writes acknowledged, {failed} calls failed for their callers, the longest after {load.Longest.TotalSeconds:F1} s");
    }

    [Fact]
    [Trait("Requirement", "R52")]
    public async Task While_it_is_away_requests_are_refused_as_unavailable_and_the_health_check_says_why()
    {
        var database = await server.NewDatabaseAsync();
        await using var api = await TestApi.StartAsync(new()
        {
            ["ConnectionStrings:postgres"] = database,
            ["Directory:KeyEncryptionSecret"] = Convert.ToBase64String(new byte[32]),
            ["Directory:Postgres:CallTimeout"] = "00:00:02",
        });
        Assert.IsType<PostgresDirectory>(api.Services.GetRequiredService<IDirectory>());
        var ann = await api.SignUpAsync("ann");
        var health = api.Services.GetRequiredService<HealthCheckService>();
        Assert.Equal(HealthStatus.Healthy, (await health.CheckHealthAsync(Cancel)).Status);

        await server.Running.KillAsync(Cancel);
        try
        {
            // The clock that the directory goes by is the test's.
            var asked = api.GetAsync("/blocks", ann.AccessToken);
            using var turns = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
            while (!asked.IsCompleted && await turns.WaitForNextTickAsync(Cancel)) api.Time.Advance(TimeSpan.FromMilliseconds(200));
            var refused = await asked;
            refused.IsProblem(HttpStatusCode.ServiceUnavailable, "unavailable", "does not answer now");
            Assert.DoesNotContain("Npgsql", refused.Text, StringComparison.Ordinal);
            var entry = (await health.CheckHealthAsync(Cancel)).Entries["directory"];
            Assert.Equal(HealthStatus.Unhealthy, entry.Status);
            Assert.Contains($"127.0.0.1:{server.Engine.Port}", entry.Description, StringComparison.Ordinal);
            Assert.Contains("refused", entry.Description, StringComparison.Ordinal);
        }
        finally
        {
            await server.StartAgainAsync();
        }

        Assert.Equal(HttpStatusCode.OK, (await api.GetAsync("/blocks", ann.AccessToken)).Status);
        Assert.Equal(HealthStatus.Healthy, (await health.CheckHealthAsync(Cancel)).Status);
    }

    private static Account NewAccount(string name) => new(UserId.New(), name, name, null, "hash", Start);

    private static Device NewDevice(UserId user) => new(DeviceId.New(), user, "phone", "ios", Start, Start);

    private static byte[] Bytes(int seed) => System.Security.Cryptography.SHA256.HashData(BitConverter.GetBytes(seed));

    private async Task<CutLine> CutLineAsync()
    {
        await server.StartAsync();
        return new(server.Engine.Port);
    }

    private async Task<PostgresDirectory> OpenAsync(CutLine line)
    {
        var directory = server.Open(new NpgsqlConnectionStringBuilder(await server.NewDatabaseAsync()) { Port = line.Port }.ConnectionString);
        await directory.MigrateAsync(Start, Cancel);
        return directory;
    }

    private async Task FreezeAsync(TimeSpan time)
    {
        // The server's main process alone would leave its children running, which serve the open connections.
        var all = PostgresProcesses(server.Running.ProcessId);
        foreach (var process in all) LocalEngines.ProcessSignals.Send(process, LocalEngines.ProcessSignals.Stop);
        try
        {
            using var timer = new PeriodicTimer(time);
            await timer.WaitForNextTickAsync(Cancel);
        }
        finally
        {
            foreach (var process in all)
            {
                LocalEngines.ProcessSignals.Send(process, LocalEngines.ProcessSignals.Continue);
                process.Dispose();
            }
        }
    }

    private static List<Process> PostgresProcesses(int server) =>
    [
        Process.GetProcessById(server),
        .. File.ReadAllText($"/proc/{server}/task/{server}/children").Split(' ', StringSplitOptions.RemoveEmptyEntries)
            .Select(id => Process.GetProcessById(int.Parse(id, System.Globalization.CultureInfo.InvariantCulture))),
    ];

    /// <summary>Callers who sign up, sign in and exchange tokens, and repeat what failed, until it is checked.</summary>
    private sealed class Load : IAsyncDisposable
    {
        private const int Callers = 6;
        private readonly CancellationTokenSource _ended = new();
        private readonly ConcurrentQueue<(Account Account, Device Device, int Family, int Token)> _done = new();
        private readonly SemaphoreSlim _progress = new(0);
        private readonly PostgresDirectory _directory;
        private readonly Task[] _callers;
        private int _acknowledged;
        private int _failed;
        private long _longest;

        private Load(PostgresDirectory directory)
        {
            _directory = directory;
            _callers = [.. Enumerable.Range(0, Callers).Select(caller => Task.Run(() => RunAsync(caller)))];
        }

        public int Acknowledged => _acknowledged;

        /// <summary>Of the calls that failed.</summary>
        public TimeSpan Longest => TimeSpan.FromTicks(_longest);

        public static async Task<Load> StartAsync(PostgresServer server)
        {
            var directory = server.Open(await server.NewDatabaseAsync());
            await directory.MigrateAsync(Start, Cancel);
            return new(directory);
        }

        /// <summary>Waits for so many more acknowledged writes.</summary>
        public async Task MoreAsync(int writes)
        {
            for (var i = 0; i < writes; i++)
                Assert.True(await _progress.WaitAsync(TimeSpan.FromSeconds(60), Cancel), "no write was acknowledged for 60 s");
        }

        /// <summary>Ends the load and looks for everything that was acknowledged.</summary>
        /// <returns>How many calls had failed.</returns>
        public async Task<int> CheckAsync()
        {
            await _ended.CancelAsync();
            await Task.WhenAll(_callers);
            Assert.NotEmpty(_done);
            foreach (var (account, device, family, token) in _done)
            {
                Assert.Equal(account, await _directory.FindAccountAsync(account.Id, Cancel));
                Assert.Equal(device.Id, Assert.Single(await _directory.ListDevicesAsync(account.Id, Cancel)).Id);
                // The last token that was given out works.
                var outcome = await _directory.RotateRefreshTokenAsync(new(Bytes(family), Bytes(token)), Bytes(token + 1), Start, Grace, Cancel);
                Assert.Equal(RotationStatus.Rotated, outcome.Status);
            }

            return _failed;
        }

        public async ValueTask DisposeAsync()
        {
            await _ended.CancelAsync();
            await Task.WhenAll(_callers);
            _ended.Dispose();
            _progress.Dispose();
        }

        private async Task RunAsync(int caller)
        {
            for (var i = 0; !_ended.IsCancellationRequested; i++)
            {
                var account = NewAccount($"user-{caller}-{i}");
                var device = NewDevice(account.Id);
                var family = (caller * 1_000_000) + (i * 100);
                await DoAsync(async () => Assert.True(await _directory.AddAccountAsync(account, CancellationToken.None)));
                await DoAsync(async () => Assert.True(await _directory.PutDeviceAsync(device, new(Bytes(family), Bytes(family)), CancellationToken.None)));
                for (var token = family; token < family + 3; token++)
                    await DoAsync(async () => Assert.Equal(RotationStatus.Rotated, (await _directory.RotateRefreshTokenAsync(
                        new(Bytes(family), Bytes(token)), Bytes(token + 1), Start, Grace, CancellationToken.None)).Status));
                _done.Enqueue((account, device, family, family + 3));
            }
        }

        private async Task DoAsync(Func<Task> write)
        {
            while (true)
            {
                var began = Stopwatch.GetTimestamp();
                try
                {
                    await write();
                    Interlocked.Increment(ref _acknowledged);
                    _progress.Release();
                    return;
                }
                catch (Exception e) when (e is DbException or TimeoutException)
                {
                    Interlocked.Increment(ref _failed);
                    var took = Stopwatch.GetElapsedTime(began).Ticks;
                    for (var longest = _longest; took > longest; longest = _longest)
                        if (Interlocked.CompareExchange(ref _longest, took, longest) == longest) break;
                }
            }
        }
    }
}
