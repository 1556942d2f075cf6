using System.Data.Common;
using System.Net.Sockets;
using Npgsql;

namespace WhatsAspire.MessageApi.Directory.Postgres;

/// <summary>The directory in PostgreSQL, which all replicas share.
///
/// <para>What fails because the server went away, or is no longer the primary, is run again with growing pauses until
/// it works or <see cref="PostgresDirectoryOptions.CallTimeout"/> is over. A read always; a write when the commit had not been
/// asked for, when the server says that it rolled back, or when it gives the same result a second time. One write does
/// not, <see cref="SqlDirectory.RemoveDeviceAsync"/>, and so fails where its commit got no answer.</para></summary>
public sealed class PostgresDirectory(NpgsqlDataSource source, PostgresDirectoryOptions options, TimeProvider time) : SqlDirectory(source)
{
    // Keys of advisory locks are numbers of the database's users' choosing: these are 'wa' and a number of our own.
    private const long MigrationLock = 0x7761_0001;
    private const long KeysLock = 0x7761_0002;

    // Of the locks that have two numbers, the first: they are apart from those of one.
    private const int PushTokens = 0x7761;

    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(1);

    protected override string ForUpdate => " FOR UPDATE";
    protected override string? SigningKeysLock { get; } = $"SELECT pg_advisory_xact_lock({KeysLock})";
    protected override string? PushTokenLock { get; } = $"SELECT pg_advisory_xact_lock({PushTokens}, @lock)";

    public override Task<IReadOnlyList<string>> MigrateAsync(DateTimeOffset now, CancellationToken cancellationToken) =>
        TransactAsync(async (connection, cancel) =>
        {
            // Of the transaction: it goes with it, whatever becomes of this process.
            await connection.ExecuteAsync($"SELECT pg_advisory_xact_lock({MigrationLock})", [], cancel, SqlMigrations.Patience);
            return await SqlMigrations.ApplyAsync(connection, "directory/postgres/", now, cancel);
        }, static () => { }, cancellationToken).WaitAsync(cancellationToken);

    public override bool IsAway(Exception exception) => exception switch
    {
        // Shutting down, starting, crashed, too many connections, disk full, …; or a standby that takes no writes.
        PostgresException e => e.IsTransient || e.SqlState is PostgresErrorCodes.ReadOnlySqlTransaction,
        NpgsqlException e => e.IsTransient || e.InnerException is IOException or SocketException or TimeoutException,
        TimeoutException or SocketException or IOException => true,
        _ => false,
    };

    public override string? Problem(Exception exception) => exception switch
    {
        PostgresException e => $"{e.MessageText} ({e.SqlState})",
        NpgsqlException { InnerException: { } inner } e => $"{e.Message}: {inner.Message}",
        NpgsqlException or TimeoutException => exception.Message,
        _ => null,
    };

    public override async Task PingAsync(CancellationToken cancellationToken)
    {
        try
        {
            await base.PingAsync(cancellationToken).WaitAsync(options.ConnectTimeout, time, cancellationToken);
        }
        catch (TimeoutException e)
        {
            throw new TimeoutException($"no answer within {options.ConnectTimeout.TotalSeconds} s", e);
        }
    }

    protected override Task<T> ReadAsync<T>(
        Func<DbConnection, CancellationToken, Task<T>> work, CancellationToken cancellationToken) =>
        RepeatAsync(cancel => base.ReadAsync(work, cancel), IsAway, cancellationToken);

    protected override Task<T> WriteAsync<T>(
        Func<DbConnection, CancellationToken, Task<T>> work, CancellationToken cancellationToken, bool isRepeatable = true)
    {
        var mayHaveCommitted = false;
        return RepeatAsync(
            cancel =>
            {
                mayHaveCommitted = false;
                return TransactAsync(work, () => mayHaveCommitted = true, cancel);
            },
            e => IsRolledBack(e) || (IsAway(e) && (isRepeatable || !mayHaveCommitted)),
            cancellationToken);
    }

    private static bool IsRolledBack(Exception e) =>
        e is PostgresException { SqlState: PostgresErrorCodes.SerializationFailure or PostgresErrorCodes.DeadlockDetected };

    /// <summary>Runs it until it works, or may not be repeated, or the time is over. Then the run that has begun is no
    /// longer waited for: it ends before its next statement, so that what a server that hung does later is at most the
    /// commit of a transaction whose locks keep the caller's next try waiting.</summary>
    private async Task<T> RepeatAsync<T>(Func<CancellationToken, Task<T>> run, Func<Exception, bool> mayRepeat, CancellationToken cancellationToken)
    {
        using var late = new CancellationTokenSource(options.CallTimeout, time);
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, late.Token);
        Exception? last = null;
        try
        {
            for (var pause = FirstPause; ; pause = pause * 2 < LongestPause ? pause * 2 : LongestPause)
            {
                try
                {
                    return await run(ended.Token).WaitAsync(ended.Token);
                }
                catch (Exception e) when (!ended.IsCancellationRequested && mayRepeat(e))
                {
                    last = e;
                    // The others of the pool go to the same server: each would cost a try.
                    if (!IsRolledBack(e)) source.Clear();
                }

                await Task.Delay(pause, time, ended.Token);
            }
        }
        catch (OperationCanceledException e) when (late.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException(
                $"the directory did not answer within {options.CallTimeout.TotalSeconds} s{(last is null ? "" : $": {Problem(last)}")}", last ?? e);
        }
    }
}
