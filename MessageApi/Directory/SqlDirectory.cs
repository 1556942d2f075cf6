using System.Data.Common;
using System.Security.Cryptography;
using WhatsAspire.Contracts;

namespace WhatsAspire.MessageApi.Directory;

/// <summary>The directory in SQL that PostgreSQL and SQLite understand alike; an adapter adds what differs: how its
/// connections are opened, how writers are kept apart, and its migrations.</summary>
public abstract partial class SqlDirectory(DbDataSource source) : IDirectory
{
    private const string AccountColumns = "user_id, username, display_name, about, password_hash, created_ms";
    private const string DeviceColumns = "device_id, user_id, name, platform, created_ms, last_token_ms";
    private const string KeyColumns = "key_id, private_key, signs_from_ms, signs_until_ms, expires_ms";

    /// <summary>Brings the schema up to date; several processes may do so at once.</summary>
    /// <returns>The migrations that were applied.</returns>
    public abstract Task<IReadOnlyList<string>> MigrateAsync(DateTimeOffset now, CancellationToken cancellationToken);

    /// <summary>What ends a SELECT whose rows are changed later in the transaction: empty where transactions that write
    /// run one after another anyway.</summary>
    protected abstract string ForUpdate { get; }

    /// <summary>A statement that lets one transaction at a time past, for 'add unless there is one'; null where
    /// transactions that write run one after another anyway.</summary>
    protected abstract string? SigningKeysLock { get; }

    /// <summary>A statement that lets one transaction at a time past for each value of its parameter <c>lock</c>, 32 bits; null
    /// where transactions that write run one after another anyway.</summary>
    protected abstract string? PushTokenLock { get; }

    /// <summary>Answers when the database does.</summary>
    public virtual async Task PingAsync(CancellationToken cancellationToken)
    {
        await using var connection = await source.OpenConnectionAsync(cancellationToken);
        await connection.AllAsync("SELECT name FROM schema_migrations LIMIT 1", [], r => r.GetString(0), cancellationToken);
    }

    /// <summary>Whether an exception says that the database can't be reached now, rather than that something is wrong with
    /// what it was asked.</summary>
    public virtual bool IsAway(Exception exception) => false;

    /// <summary>Why the database does not answer, for whoever operates it; null when the exception says nothing of that.</summary>
    public virtual string? Problem(Exception exception) => exception is DbException ? exception.Message : null;

    public Task<bool> AddAccountAsync(Account account, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(account);
        return WriteAsync(async (connection, cancel) =>
        {
            var added = await connection.ExecuteAsync(
                $"INSERT INTO accounts ({AccountColumns}, username_key) VALUES (@id, @username, @display, @about, @password, @created, @key) ON CONFLICT DO NOTHING",
                [
                    ("id", account.Id.Value), ("username", account.Username), ("display", account.DisplayName), ("about", account.About),
                    ("password", account.PasswordHash), ("created", Ms(account.CreatedAt)), ("key", Key(account.Username)),
                ],
                cancel);
            if (added == 1) return true;
            var holder = await connection.FirstAsync(
                $"SELECT {AccountColumns} FROM accounts WHERE username_key = @key", [("key", Key(account.Username))], ReadAccount, cancel);
            return holder?.Id == account.Id;
        }, cancellationToken);
    }

    public Task<Account?> FindAccountAsync(UserId user, CancellationToken cancellationToken) =>
        FirstAsync($"SELECT {AccountColumns} FROM accounts WHERE user_id = @user", [("user", user.Value)], ReadAccount, cancellationToken);

    public Task<Account?> FindAccountAsync(string username, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(username);
        return FirstAsync(
            $"SELECT {AccountColumns} FROM accounts WHERE username_key = @key", [("key", Key(username))], ReadAccount, cancellationToken);
    }

    public Task<bool> PutDeviceAsync(Device device, RefreshTokenHash refreshToken, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentNullException.ThrowIfNull(refreshToken);
        return WriteAsync(async (connection, cancel) => await connection.ExecuteAsync(
            $"""
            INSERT INTO devices ({DeviceColumns}, family_hash, token_hash)
            VALUES (@device, @user, @name, @platform, @created, @last, @family, @token)
            ON CONFLICT (device_id) DO UPDATE SET
                name = excluded.name, platform = excluded.platform, last_token_ms = excluded.last_token_ms,
                family_hash = excluded.family_hash, token_hash = excluded.token_hash,
                previous_hash = NULL, exchanged_ms = NULL, regranted = 0
            WHERE devices.user_id = excluded.user_id
            """,
            [
                ("device", device.Id.Value), ("user", device.User.Value), ("name", device.Name), ("platform", device.Platform),
                ("created", Ms(device.CreatedAt)), ("last", Ms(device.LastTokenAt)),
                ("family", refreshToken.Family), ("token", refreshToken.Secret),
            ],
            cancel) == 1, cancellationToken);
    }

    public Task<IReadOnlyList<Device>> ListDevicesAsync(UserId user, CancellationToken cancellationToken) =>
        AllAsync(
            $"SELECT {DeviceColumns} FROM devices WHERE user_id = @user ORDER BY created_ms, device_id",
            [("user", user.Value)], ReadDevice, cancellationToken);

    public Task<Device?> FindDeviceAsync(UserId user, DeviceId device, CancellationToken cancellationToken) =>
        FirstAsync(
            $"SELECT {DeviceColumns} FROM devices WHERE device_id = @device AND user_id = @user",
            [("device", device.Value), ("user", user.Value)], ReadDevice, cancellationToken);

    public Task<bool> RemoveDeviceAsync(UserId user, DeviceId device, CancellationToken cancellationToken) =>
        WriteAsync(async (connection, cancel) => await connection.ExecuteAsync(
            "DELETE FROM devices WHERE device_id = @device AND user_id = @user",
            [("device", device.Value), ("user", user.Value)], cancel) == 1, cancellationToken, isRepeatable: false);

    public Task<RotationOutcome> RotateRefreshTokenAsync(
        RefreshTokenHash presented, byte[] nextHash, DateTimeOffset now, TimeSpan grace, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(presented);
        ArgumentNullException.ThrowIfNull(nextHash);
        return WriteAsync(
            (connection, cancel) => RotateAsync(connection, presented, nextHash, Ms(now), (long)grace.TotalMilliseconds, cancel),
            cancellationToken);
    }

    private async Task<RotationOutcome> RotateAsync(
        DbConnection connection, RefreshTokenHash presented, byte[] nextHash, long now, long grace, CancellationToken cancellationToken)
    {
        var state = await connection.FirstAsync(
            $"SELECT {DeviceColumns}, token_hash, previous_hash, exchanged_ms, regranted FROM devices WHERE family_hash = @family{ForUpdate}",
            [("family", presented.Family)],
            r => new TokenState(
                ReadDevice(r), r.GetFieldValue<byte[]>(6), r.IsDBNull(7) ? null : r.GetFieldValue<byte[]>(7),
                r.IsDBNull(8) ? 0 : r.GetInt64(8), r.GetInt64(9) != 0),
            cancellationToken);
        if (state is null) return new(RotationStatus.Unknown, null);

        var device = state.Device;
        var rotated = new RotationOutcome(RotationStatus.Rotated, device with { LastTokenAt = Time(now) });
        if (Same(presented.Secret, state.Current))
        {
            await connection.ExecuteAsync(
                "UPDATE devices SET token_hash = @next, previous_hash = @presented, exchanged_ms = @now, regranted = 0, last_token_ms = @now WHERE device_id = @device",
                [("next", nextHash), ("presented", presented.Secret), ("now", now), ("device", device.Id.Value)], cancellationToken);
            return rotated;
        }
        if (state.Previous is not null && Same(presented.Secret, state.Previous) && now - state.ExchangedMs <= grace)
        {
            // The directory's caller repeats after a lost connection: done already.
            if (Same(nextHash, state.Current)) return new(RotationStatus.Rotated, device);
            if (!state.Regranted)
            {
                await connection.ExecuteAsync(
                    "UPDATE devices SET token_hash = @next, regranted = 1, last_token_ms = @now WHERE device_id = @device",
                    [("next", nextHash), ("now", now), ("device", device.Id.Value)], cancellationToken);
                return rotated;
            }
        }
        await connection.ExecuteAsync("DELETE FROM devices WHERE device_id = @device", [("device", device.Id.Value)], cancellationToken);
        return new(RotationStatus.Reused, device);
    }

    public Task AddBlockAsync(UserId blocker, UserId blocked, DateTimeOffset now, CancellationToken cancellationToken) =>
        WriteAsync((connection, cancel) => connection.ExecuteAsync(
            "INSERT INTO blocks (blocker_id, blocked_id, created_ms) VALUES (@blocker, @blocked, @now) ON CONFLICT DO NOTHING",
            [("blocker", blocker.Value), ("blocked", blocked.Value), ("now", Ms(now))], cancel), cancellationToken);

    public Task RemoveBlockAsync(UserId blocker, UserId blocked, CancellationToken cancellationToken) =>
        WriteAsync((connection, cancel) => connection.ExecuteAsync(
            "DELETE FROM blocks WHERE blocker_id = @blocker AND blocked_id = @blocked",
            [("blocker", blocker.Value), ("blocked", blocked.Value)], cancel), cancellationToken);

    public Task<IReadOnlyList<UserId>> ListBlocksAsync(UserId blocker, CancellationToken cancellationToken) =>
        AllAsync(
            "SELECT blocked_id FROM blocks WHERE blocker_id = @blocker ORDER BY created_ms, blocked_id",
            [("blocker", blocker.Value)], r => new UserId(r.GetGuid(0)), cancellationToken);

    public async Task<bool> IsBlockedAsync(UserId blocker, UserId blocked, CancellationToken cancellationToken) =>
        await FirstAsync(
            "SELECT blocked_id FROM blocks WHERE blocker_id = @blocker AND blocked_id = @blocked",
            [("blocker", blocker.Value), ("blocked", blocked.Value)], r => (object)r.GetGuid(0), cancellationToken) is not null;

    public Task<IReadOnlyList<SigningKey>> AddSigningKeyIfDueAsync(SigningKey key, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(key);
        return WriteAsync(async (connection, cancel) =>
        {
            if (SigningKeysLock is { } statement) await connection.ExecuteAsync(statement, [], cancel);
            await connection.ExecuteAsync(
                $"""
                INSERT INTO signing_keys ({KeyColumns})
                SELECT @id, @private, @from, @until, @expires
                WHERE NOT EXISTS (SELECT 1 FROM signing_keys WHERE signs_from_ms <= @from AND signs_until_ms > @from)
                ON CONFLICT DO NOTHING
                """,
                [
                    ("id", key.Id), ("private", key.Private), ("from", Ms(key.SignsFrom)), ("until", Ms(key.SignsUntil)),
                    ("expires", Ms(key.ExpiresAt)),
                ],
                cancel);
            return await KeysAsync(connection, key.SignsFrom, cancel);
        }, cancellationToken);
    }

    public Task<IReadOnlyList<SigningKey>> ListSigningKeysAsync(DateTimeOffset now, CancellationToken cancellationToken) =>
        ReadAsync((connection, cancel) => KeysAsync(connection, now, cancel), cancellationToken);

    private static Task<IReadOnlyList<SigningKey>> KeysAsync(DbConnection connection, DateTimeOffset at, CancellationToken cancellationToken) =>
        connection.AllAsync(
            $"SELECT {KeyColumns} FROM signing_keys WHERE expires_ms > @at ORDER BY signs_from_ms DESC, key_id",
            [("at", Ms(at))],
            r => new SigningKey(r.GetString(0), r.GetFieldValue<byte[]>(1), Time(r.GetInt64(2)), Time(r.GetInt64(3)), Time(r.GetInt64(4))),
            cancellationToken);

    /// <summary>Runs <paramref name="work"/>, which only reads, on a connection.</summary>
    protected virtual async Task<T> ReadAsync<T>(
        Func<DbConnection, CancellationToken, Task<T>> work, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(work);
        await using var connection = await source.OpenConnectionAsync(cancellationToken);
        return await work(connection, cancellationToken);
    }

    /// <summary>Runs <paramref name="work"/> in one transaction and commits it.</summary>
    /// <param name="work">May be run again, on a new connection, after a run that did not take effect.</param>
    /// <param name="cancellationToken">Ends it, before the commit or with an unknown outcome.</param>
    /// <param name="isRepeatable">Whether it gives the same result again when it did take effect, so that it may be run
    /// again also when that is not known.</param>
    protected virtual Task<T> WriteAsync<T>(
        Func<DbConnection, CancellationToken, Task<T>> work, CancellationToken cancellationToken, bool isRepeatable = true) =>
        TransactAsync(work, static () => { }, cancellationToken);

    /// <summary>One run of a write.</summary>
    /// <param name="work">What to do.</param>
    /// <param name="onCommit">Called when the commit is about to be asked for: up to then nothing can have taken effect.</param>
    /// <param name="cancellationToken">Ends it before its next statement. Once the commit was asked for nothing ends it.</param>
    protected async Task<T> TransactAsync<T>(
        Func<DbConnection, CancellationToken, Task<T>> work, Action onCommit, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(work);
        ArgumentNullException.ThrowIfNull(onCommit);
        await using var connection = await source.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(CancellationToken.None);
        var result = await work(connection, cancellationToken);
        cancellationToken.ThrowIfCancellationRequested();
        onCommit();
        await transaction.CommitAsync(CancellationToken.None);
        return result;
    }

    private Task<T?> FirstAsync<T>(
        string sql, (string, object?)[] arguments, Func<DbDataReader, T> read, CancellationToken cancellationToken) where T : class =>
        ReadAsync((connection, cancel) => connection.FirstAsync(sql, arguments, read, cancel), cancellationToken);

    private Task<IReadOnlyList<T>> AllAsync<T>(
        string sql, (string, object?)[] arguments, Func<DbDataReader, T> read, CancellationToken cancellationToken) =>
        ReadAsync((connection, cancel) => connection.AllAsync(sql, arguments, read, cancel), cancellationToken);

    private static Account ReadAccount(DbDataReader r) => new(
        new(r.GetGuid(0)), r.GetString(1), r.GetString(2), r.IsDBNull(3) ? null : r.GetString(3), r.GetString(4), Time(r.GetInt64(5)));

    private static Device ReadDevice(DbDataReader r) => new(
        new(r.GetGuid(0)), new(r.GetGuid(1)), r.GetString(2), r.GetString(3), Time(r.GetInt64(4)), Time(r.GetInt64(5)));

    private static string Key(string username) => username.ToLowerInvariant();
    private static bool Same(byte[] a, byte[] b) => CryptographicOperations.FixedTimeEquals(a, b);
    private static long Ms(DateTimeOffset time) => time.ToUnixTimeMilliseconds();
    private static DateTimeOffset Time(long ms) => DateTimeOffset.FromUnixTimeMilliseconds(ms);

    private sealed record TokenState(Device Device, byte[] Current, byte[]? Previous, long ExchangedMs, bool Regranted);
}
