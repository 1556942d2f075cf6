using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Cassandra;
using WhatsAspire.Cql;
using CqlColumn = WhatsAspire.Cql.CqlColumn;

namespace WhatsAspire.MessageApi.DataStax;

/// <summary>A session of the DataStax driver behind the interface that the store uses. It connects at the first call, and tries
/// again at the next one if that fails.</summary>
/// <remarks>Speaks version 4 of the native protocol, as the driver does. Of the settings it takes contact points, port, data
/// centre, credentials, page size, time-outs and default consistencies; the driver's own defaults hold for the rest.</remarks>
public sealed class DataStaxSession : ICqlSession, IAsyncDisposable
{
    private readonly Cluster _cluster;
    private readonly SemaphoreSlim _connecting = new(1);
    private readonly ConcurrentDictionary<CqlStatement, Prepared> _prepared = new(ReferenceEqualityComparer.Instance);
    private ISession? _session;

    /// <param name="options">Where and how to connect.</param>
    public DataStaxSession(CqlOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        var builder = Cluster.Builder()
            .AddContactPoints(options.ContactPoints.Select(point => point.Split(':')[0]))
            .WithPort(PortOf(options))
            .WithSocketOptions(new SocketOptions()
                .SetConnectTimeoutMillis((int)options.ConnectTimeout.TotalMilliseconds)
                .SetReadTimeoutMillis((int)options.RequestTimeout.TotalMilliseconds))
            .WithQueryOptions(new QueryOptions()
                .SetConsistencyLevel(Of(options.Consistency))
                .SetSerialConsistencyLevel(Of(options.SerialConsistency))
                .SetPageSize(options.PageSize));
        if (options.Username is { } user) builder.WithCredentials(user, options.Password ?? "");
        if (options.LocalDatacenter is { } datacenter)
            builder.WithLoadBalancingPolicy(new TokenAwarePolicy(new DCAwareRoundRobinPolicy(datacenter)));
        _cluster = builder.Build();
    }

    /// <inheritdoc/>
    public Task<CqlResult> ExecuteAsync(CqlCommand command, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(command);
        return RunAsync(async session =>
        {
            var prepared = await PrepareAsync(session, command.Statement);
            return ToResult(await session.ExecuteAsync(Bind(prepared, command)));
        }, cancellationToken);
    }

    /// <inheritdoc/>
    public Task<CqlResult> ExecuteAsync(CqlBatch batch, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(batch);
        return RunAsync(async session =>
        {
            var statement = new BatchStatement();
            statement.SetBatchType((BatchType)batch.Kind);
            foreach (var command in batch.Commands) statement.Add(Bind(await PrepareAsync(session, command.Statement), command));
            if (batch.Consistency is { } consistency) statement.SetConsistencyLevel(Of(consistency));
            if (batch.SerialConsistency is { } serial) statement.SetSerialConsistencyLevel(Of(serial));
            if (batch.TimestampMicroseconds is { } at) statement.SetTimestamp(DateTimeOffset.UnixEpoch.AddTicks(at * 10));
            if (batch.Timeout is { } timeout) statement.SetReadTimeoutMillis((int)timeout.TotalMilliseconds);
            statement.SetIdempotence(batch.IsIdempotent);
            return ToResult(await session.ExecuteAsync(statement));
        }, cancellationToken);
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<CqlRow> QueryAsync(
        CqlCommand command, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        while (true)
        {
            var page = await ExecuteAsync(command, cancellationToken);
            foreach (var row in page) yield return row;
            if (page.PagingState.IsEmpty) yield break;
            command = command with { PagingState = page.PagingState };
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _cluster.ShutdownAsync();
        _cluster.Dispose();
        _connecting.Dispose();
    }

    private static int PortOf(CqlOptions options) =>
        options.ContactPoints.Select(point => point.Split(':')).FirstOrDefault(parts => parts.Length == 2) is { } named
            ? int.Parse(named[1], System.Globalization.CultureInfo.InvariantCulture)
            : options.Port;

    private static ConsistencyLevel Of(CqlConsistency consistency) => Enum.Parse<ConsistencyLevel>(consistency.ToString());

    private async Task<CqlResult> RunAsync(Func<ISession, Task<CqlResult>> work, CancellationToken cancellationToken)
    {
        try
        {
            return await work(_session ?? await ConnectAsync(cancellationToken)).WaitAsync(cancellationToken);
        }
        catch (InvalidQueryException e)
        {
            throw new CqlInvalidQueryException(e.Message);
        }
        catch (SyntaxError e)
        {
            throw new CqlSyntaxException(e.Message);
        }
        catch (NoHostAvailableException e)
        {
            throw new CqlNoHostException(e.Message, e.Errors.ToDictionary(error => error.Key.ToString(), error => error.Value));
        }
        catch (Exception e) when (e is DriverException or System.Net.Sockets.SocketException)
        {
            // Which of the driver's errors leave a write undone is not told apart: the store reads to find out.
            throw new CqlException(e.Message, e);
        }
    }

    private async Task<ISession> ConnectAsync(CancellationToken cancellationToken)
    {
        await _connecting.WaitAsync(cancellationToken);
        try
        {
            return _session ??= await _cluster.ConnectAsync();
        }
        finally
        {
            _connecting.Release();
        }
    }

    private async ValueTask<Prepared> PrepareAsync(ISession session, CqlStatement statement)
    {
        if (_prepared.TryGetValue(statement, out var known)) return known;
        var prepared = await session.PrepareAsync(statement.Text);
        if (statement.Consistency is { } consistency) prepared.SetConsistencyLevel(Of(consistency));
        prepared.SetIdempotence(statement.IsIdempotent);
        var made = new Prepared(prepared, [.. (prepared.Variables?.Columns ?? []).Select(ToColumn)]);
        return _prepared.GetOrAdd(statement, made);
    }

    private static BoundStatement Bind(Prepared prepared, CqlCommand command)
    {
        var values = command.Values.Span;
        // The value as a cell of its column, and read back: the one public way from a value to what the driver takes.
        var row = CqlResult.Create(prepared.Columns, [[.. values.ToArray().Select(value => value.IsUnset ? CqlValue.Null : value)]])[0];
        var objects = new object?[values.Length];
        for (var i = 0; i < objects.Length; i++)
            objects[i] = values[i].IsUnset ? Unset.Value : row.IsNull(i) ? null : ToDriver(row.GetValue(i));
        var bound = prepared.Statement.Bind(objects);
        var statement = command.Statement;
        bound.SetAutoPage(false);
        if (statement.SerialConsistency is { } serial) bound.SetSerialConsistencyLevel(Of(serial));
        if (statement.PageSize is { } size) bound.SetPageSize(size);
        if (statement.Timeout is { } timeout) bound.SetReadTimeoutMillis((int)timeout.TotalMilliseconds);
        if (command.TimestampMicroseconds is { } at) bound.SetTimestamp(DateTimeOffset.UnixEpoch.AddTicks(at * 10));
        if (!command.PagingState.IsEmpty) bound.SetPagingState(command.PagingState.ToArray());
        return bound;
    }

    private static object? ToDriver(object? value) => value is ReadOnlyMemory<byte> bytes ? bytes.ToArray() : value;

    private static CqlResult ToResult(RowSet set)
    {
        var columns = (set.Columns ?? []).Select(ToColumn).ToArray();
        var rows = new List<IReadOnlyList<CqlValue>>();
        // Only what is here: the next page is asked for by its state.
        foreach (var row in set.GetRows().Take(set.GetAvailableWithoutFetching()))
        {
            var cells = new CqlValue[columns.Length];
            for (var i = 0; i < cells.Length; i++) cells[i] = ToValue(row.GetValue<object?>(i));
            rows.Add(cells);
        }

        return CqlResult.Create(columns, rows, set.PagingState ?? default(ReadOnlyMemory<byte>));
    }

    private static CqlColumn ToColumn(Cassandra.CqlColumn column) => new(column.Name, TypeOf(column.TypeCode), column.Keyspace ?? "", column.Table ?? "");

    /// <summary>The types that the store's tables have.</summary>
    private static CqlType TypeOf(ColumnTypeCode code) => code switch
    {
        ColumnTypeCode.Bigint => CqlType.Bigint,
        ColumnTypeCode.Blob => CqlType.Blob,
        ColumnTypeCode.Boolean => CqlType.Boolean,
        ColumnTypeCode.Int => CqlType.Int,
        ColumnTypeCode.Timestamp => CqlType.Timestamp,
        ColumnTypeCode.TinyInt => CqlType.Tinyint,
        ColumnTypeCode.Uuid => CqlType.Uuid,
        ColumnTypeCode.Ascii or ColumnTypeCode.Text or ColumnTypeCode.Varchar => CqlType.Text,
        _ => throw new NotSupportedException($"the store has no columns of type {code}"),
    };

    private static CqlValue ToValue(object? value) => value switch
    {
        null => CqlValue.Null,
        long number => number,
        int number => number,
        sbyte number => number,
        bool truth => truth,
        string text => text,
        Guid id => id,
        byte[] bytes => bytes,
        DateTimeOffset time => time,
        _ => throw new NotSupportedException($"the store has no values of type {value.GetType()}"),
    };

    private sealed record Prepared(PreparedStatement Statement, CqlColumn[] Columns);
}
