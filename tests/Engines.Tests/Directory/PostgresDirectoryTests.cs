using System.Collections.Concurrent;
using Npgsql;
using WhatsAspire.Conformance;
using WhatsAspire.Contracts;
using WhatsAspire.MessageApi.Directory;
using WhatsAspire.MessageApi.Directory.Postgres;
using Xunit;

namespace WhatsAspire.Engines.Tests.Directory;

[Trait("Requirement", "R51")]
public sealed class PostgresDirectoryTests(PostgresServer server) : DirectoryConformance
{
    protected override async Task<IDirectory> OpenAsync() => await OpenAsync(await server.NewDatabaseAsync());

    private async Task<PostgresDirectory> OpenAsync(string database)
    {
        var directory = server.Open(database);
        await directory.MigrateAsync(Now, Cancel);
        return directory;
    }

    [Fact]
    public async Task Replicas_that_start_together_on_one_database_migrate_it_once()
    {
        var database = await server.NewDatabaseAsync();
        var replicas = Enumerable.Range(0, 6).Select(_ => server.Open(database)).ToArray();
        var applied = await Task.WhenAll(replicas.Select(d => Task.Run(() => d.MigrateAsync(Now, Cancel), Cancel)));
        Assert.Equal(["0001_accounts.sql", "0002_push.sql", "0003_groups.sql", "0004_group_leavers.sql"], applied.SelectMany(a => a));
    }

    [Fact]
    public async Task A_script_that_was_changed_after_it_was_applied_is_refused()
    {
        var database = await server.NewDatabaseAsync();
        await OpenAsync(database);
        await RunAsync(database, "UPDATE schema_migrations SET sha256 = 'another'");
        var e = await Assert.ThrowsAsync<InvalidOperationException>(() => OpenAsync(database));
        Assert.Contains("0001_accounts.sql was changed", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_migration_that_fails_leaves_the_schema_as_it_was()
    {
        var database = await server.NewDatabaseAsync();
        // In the way of the script's second table.
        await RunAsync(database, "CREATE TABLE devices (x INT)");
        await Assert.ThrowsAsync<PostgresException>(() => OpenAsync(database));
        await RunAsync(database, "DROP TABLE devices");
        await AccountAsync(await OpenAsync(database), "ann");
    }

    [Fact]
    [Trait("Requirement", "R54")]
    public async Task A_database_of_the_version_before_pushes_is_brought_up_to_date_with_what_is_in_it()
    {
        var database = await server.NewDatabaseAsync();
        var directory = await OpenAsync(database);
        var device = await DeviceAsync(directory, "ann");
        await RunAsync(database, "DROP TABLE push_marks; DROP TABLE push_registrations; DELETE FROM schema_migrations WHERE name = '0002_push.sql'");
        Assert.Equal(["0002_push.sql"], await directory.MigrateAsync(Now, Cancel));
        Assert.True(await directory.PutPushAsync(NewPush(device, "token"), Cancel));
    }

    [Fact]
    public async Task Replicas_that_register_one_token_at_once_agree_on_whose_it_is()
    {
        var database = await server.NewDatabaseAsync();
        var replicas = new[] { await OpenAsync(database), await OpenAsync(database), await OpenAsync(database) };
        var users = new ConcurrentBag<UserId>();
        var put = await Task.WhenAll(Enumerable.Range(0, 12).Select(i => Task.Run(async () =>
        {
            var device = await DeviceAsync(replicas[i % 3], $"user{i}", i);
            users.Add(device.User);
            return await replicas[i % 3].PutPushAsync(NewPush(device, "one"), Cancel);
        }, Cancel)));
        Assert.All(put, Assert.True);
        var owners = 0;
        foreach (var user in users) owners += (await replicas[0].ListPushTargetsAsync(user, new(Guid.NewGuid()), Cancel)).Count;
        Assert.Equal(1, owners);
    }

    [Fact]
    public async Task Replicas_on_one_database_see_and_exclude_one_another()
    {
        var database = await server.NewDatabaseAsync();
        var (a, b) = (await OpenAsync(database), await OpenAsync(database));
        var results = await Task.WhenAll(Enumerable.Range(0, 40).Select(i => Task.Run(
            async () => await (i % 2 == 0 ? a : b).AddAccountAsync(NewAccount($"user{i / 4}"), Cancel), Cancel)));
        Assert.Equal(10, results.Count(added => added));
        for (var i = 0; i < 10; i++)
            Assert.Equal(await a.FindAccountAsync($"user{i}", Cancel), await b.FindAccountAsync($"user{i}", Cancel));
    }

    [Fact]
    public async Task Replicas_that_add_a_signing_key_together_agree_on_one()
    {
        var database = await server.NewDatabaseAsync();
        var replicas = new[] { await OpenAsync(database), await OpenAsync(database), await OpenAsync(database) };
        var keys = await Task.WhenAll(replicas.Select((replica, i) => Task.Run(() => replica.AddSigningKeyIfDueAsync(
            new($"key{i}", Bytes(i), Now, Now.AddDays(1), Now.AddDays(2)), Cancel), Cancel)));
        Assert.Single(keys.Select(k => Assert.Single(k).Id).Distinct());
    }

    [Fact]
    public async Task A_write_that_waits_too_long_for_another_fails_in_time_and_says_so()
    {
        var database = await server.NewDatabaseAsync();
        var user = await AccountAsync(await OpenAsync(database), "ann");
        await using var holder = await NpgsqlDataSource.Create(database).OpenConnectionAsync(Cancel);
        await using var transaction = await holder.BeginTransactionAsync(Cancel);
        await using (var command = new NpgsqlCommand("SELECT * FROM accounts FOR UPDATE", holder)) await command.ExecuteNonQueryAsync(Cancel);

        var impatient = server.Open(database, new() { StatementTimeout = TimeSpan.FromSeconds(1), CallTimeout = TimeSpan.FromSeconds(2) });
        var watch = System.Diagnostics.Stopwatch.StartNew();
        var late = await Assert.ThrowsAsync<TimeoutException>(() => impatient.PutDeviceAsync(NewDevice(user), Token(1, 1), Cancel));

        Assert.InRange(watch.Elapsed.TotalSeconds, 1.9, 10);
        Assert.Contains("did not answer within 2 s", late.Message, StringComparison.Ordinal);
        // Who only reads does not wait.
        Assert.NotNull(await impatient.FindAccountAsync("ann", Cancel));
    }

    [Fact]
    public async Task Names_sort_and_compare_by_bytes_whatever_the_servers_locale()
    {
        var database = await server.NewDatabaseAsync();
        await OpenAsync(database);
        await using var source = NpgsqlDataSource.Create(database);
        await using var command = source.CreateCommand(
            "SELECT string_agg(table_name || '.' || column_name, ' ' ORDER BY table_name, column_name) FROM information_schema.columns WHERE collation_name = 'C' AND table_schema = 'public'");
        Assert.Equal("accounts.username_key chat_groups.client_group_id signing_keys.key_id", await command.ExecuteScalarAsync(Cancel));
    }

    private static async Task RunAsync(string database, string sql)
    {
        await using var source = NpgsqlDataSource.Create(database);
        await using var command = source.CreateCommand(sql);
        await command.ExecuteNonQueryAsync(Cancel);
    }
}
