using System.Data.Common;
using System.Diagnostics;
using WhatsAspire.Conformance;
using WhatsAspire.Contracts;
using WhatsAspire.MessageApi.Directory;
using WhatsAspire.MessageApi.Directory.Sqlite;
using Xunit;

namespace WhatsAspire.Users.Tests;

public sealed class SqliteDirectoryTests : DirectoryConformance, IDisposable
{
    private readonly TestFolder _folder = new();
    private readonly List<SqliteDirectory> _open = [];

    private string File => _folder.File("sub/directory.db");

    protected override async Task<IDirectory> OpenAsync() => await OpenSqliteAsync();

    private async Task<SqliteDirectory> OpenSqliteAsync()
    {
        var directory = new SqliteDirectory(File, TimeSpan.FromSeconds(20));
        _open.Add(directory);
        await directory.MigrateAsync(Now, Cancel);
        return directory;
    }

    public void Dispose()
    {
        foreach (var directory in _open) directory.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public async Task Everything_is_there_after_a_restart()
    {
        var account = NewAccount("ann");
        var device = NewDevice(account.Id);
        var first = await OpenSqliteAsync();
        await first.AddAccountAsync(account, Cancel);
        await first.PutDeviceAsync(device, Token(1, 1), Cancel);
        await first.AddBlockAsync(account.Id, account.Id, Now, Cancel);
        await first.AddSigningKeyIfDueAsync(Key("key", Now), Cancel);
        await first.PutPushAsync(NewPush(device, "token"), Cancel);
        first.Dispose();
        _open.Remove(first);

        var second = new SqliteDirectory(File, TimeSpan.FromSeconds(20));
        _open.Add(second);
        Assert.Empty(await second.MigrateAsync(Now, Cancel));
        Assert.Equal(account, await second.FindAccountAsync("ann", Cancel));
        Assert.Equal([device], await second.ListDevicesAsync(account.Id, Cancel));
        Assert.True(await second.IsBlockedAsync(account.Id, account.Id, Cancel));
        Assert.Equal(NewPush(device, "token"), Assert.Single(await second.ListPushTargetsAsync(account.Id, new(Guid.NewGuid()), Cancel)).Registration);
        Assert.Equal("key", Assert.Single(await second.ListSigningKeysAsync(Now, Cancel)).Id);
        Assert.Equal(RotationStatus.Rotated, (await second.RotateRefreshTokenAsync(Token(1, 1), Bytes(2), Now, TimeSpan.Zero, Cancel)).Status);
    }

    [Fact]
    public async Task Instances_that_start_together_on_one_file_migrate_it_once()
    {
        var directories = Enumerable.Range(0, 6).Select(_ => new SqliteDirectory(File, TimeSpan.FromSeconds(20))).ToArray();
        _open.AddRange(directories);
        var applied = await Task.WhenAll(directories.Select(d => Task.Run(() => d.MigrateAsync(Now, Cancel), Cancel)));
        Assert.Equal(["0001_accounts.sql", "0002_push.sql", "0003_groups.sql", "0004_group_leavers.sql"], applied.SelectMany(a => a));
    }

    [Fact]
    [Trait("Requirement", "R54")]
    public async Task A_file_of_the_version_before_pushes_is_brought_up_to_date_with_what_is_in_it()
    {
        var directory = await OpenSqliteAsync();
        var device = await DeviceAsync(directory, "ann");
        await RunAsync("DROP TABLE push_marks; DROP TABLE push_registrations; DELETE FROM schema_migrations WHERE name = '0002_push.sql'");
        Assert.Equal(["0002_push.sql"], await directory.MigrateAsync(Now, Cancel));
        Assert.True(await directory.PutPushAsync(NewPush(device, "token"), Cancel));
    }

    [Fact]
    public async Task Instances_on_one_file_see_and_exclude_one_another()
    {
        var (a, b) = (await OpenSqliteAsync(), await OpenSqliteAsync());
        var results = await Task.WhenAll(Enumerable.Range(0, 40).Select(i => Task.Run(
            async () => await (i % 2 == 0 ? a : b).AddAccountAsync(NewAccount($"user{i / 4}"), Cancel), Cancel)));
        Assert.Equal(10, results.Count(added => added));
        for (var i = 0; i < 10; i++)
            Assert.Equal(await a.FindAccountAsync($"user{i}", Cancel), await b.FindAccountAsync($"user{i}", Cancel));
    }

    [Fact]
    public async Task A_file_and_its_log_are_for_their_owner_alone()
    {
        if (OperatingSystem.IsWindows())
        {
            Assert.Skip("file modes are Unix'");
            return;
        }
        await AccountAsync(await OpenSqliteAsync(), "ann");
        foreach (var file in System.IO.Directory.GetFiles(Path.GetDirectoryName(File)!))
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, System.IO.File.GetUnixFileMode(file));
    }

    [Fact]
    public async Task Each_connection_syncs_at_commit_and_checks_foreign_keys()
    {
        var directory = await OpenSqliteAsync();
        Assert.Equal("wal 2 1", await directory.SettingsAsync(Cancel));
        await Assert.ThrowsAnyAsync<DbException>(() => directory.PutDeviceAsync(NewDevice(UserId.New()), Token(1, 1), Cancel));
    }

    [Fact]
    public async Task A_write_waits_for_its_turn_no_longer_than_it_may()
    {
        var directory = await OpenSqliteAsync();
        var impatient = new SqliteDirectory(File, TimeSpan.FromSeconds(1));
        _open.Add(impatient);
        await using var holder = await HoldAsync();
        var watch = Stopwatch.StartNew();
        await Assert.ThrowsAnyAsync<DbException>(() => impatient.AddAccountAsync(NewAccount("late"), Cancel));
        Assert.InRange(watch.Elapsed.TotalSeconds, 0.5, 10);
        // Readers go on.
        Assert.Null(await directory.FindAccountAsync("late", Cancel));
    }

    [Fact]
    public async Task A_script_that_was_changed_after_it_was_applied_is_refused()
    {
        await OpenSqliteAsync();
        await RunAsync("UPDATE schema_migrations SET sha256 = 'another'");
        var e = await Assert.ThrowsAsync<InvalidOperationException>(OpenSqliteAsync);
        Assert.Contains("0001_accounts.sql was changed", e.Message, StringComparison.Ordinal);
    }

    private async Task RunAsync(string sql)
    {
        await using var connection = new Microsoft.Data.Sqlite.SqliteConnection($"Data Source={File};Pooling=False");
        await connection.OpenAsync(Cancel);
        await using var command = connection.CreateCommand();
        command.CommandText = sql;
        await command.ExecuteNonQueryAsync(Cancel);
    }

    // Holds the file's write lock until it is disposed.
    private async Task<IAsyncDisposable> HoldAsync()
    {
        var connection = new Microsoft.Data.Sqlite.SqliteConnection($"Data Source={File};Pooling=False");
        await connection.OpenAsync(Cancel);
        await connection.BeginTransactionAsync(Cancel);
        return connection;
    }
}
