using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using WhatsAspire.Cql.Cluster;
using WhatsAspire.Cql.Execution;
using WhatsAspire.Cql.Protocol;

namespace WhatsAspire.Cql;

/// <summary>A session with a cluster. It is made at once, whether servers answer or not, and connects in the background: the first
/// calls wait until it is known whether any node can be reached; while none can, calls fail with <see cref="CqlNoHostException"/>;
/// once one can, they succeed. Thread-safe.</summary>
public sealed class CqlSession : ICqlSession, IAsyncDisposable
{
    private const int MostScratchKept = 64;

    private readonly CqlOptions _options;
    private readonly CqlMetrics _metrics;
    private readonly CqlCluster _cluster;
    private readonly PreparedStatements _prepared;
    private readonly RequestRunner _runner;
    private readonly Deadlines _deadlines;
    private readonly TimestampClock _clock;
    private readonly CallTelemetry _telemetry;
    private readonly ConcurrentQueue<ByteWriter> _scratch = new();
    private bool _isDisposed;

    /// <param name="options">Not to be changed any more.</param>
    /// <param name="loggers">Null: no logs.</param>
    /// <param name="meters">Null: a meter of its own.</param>
    /// <param name="time">Null: the system's.</param>
    /// <exception cref="ArgumentException">The settings are wrong; the message says all that is.</exception>
    public CqlSession(CqlOptions options, ILoggerFactory? loggers = null, IMeterFactory? meters = null, TimeProvider? time = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (options.Validate() is { Count: > 0 } wrong)
            throw new ArgumentException(string.Join(" ", wrong), nameof(options));
        time ??= TimeProvider.System;
        ILogger logger = loggers?.CreateLogger<CqlSession>() ?? NullLogger<CqlSession>.Instance;
        _options = options;
        _metrics = new(meters);
        _cluster = new(options, _metrics, time, logger);
        _prepared = new(_cluster, options, time);
        _runner = new(_cluster, _prepared, options, _metrics, time, logger);
        _deadlines = new(time);
        _clock = new(time);
        _telemetry = new(_metrics, options, time);
    }

    /// <summary>Whether a node can be asked at this moment.</summary>
    public bool IsConnected => _cluster.IsConnected;

    internal CqlCluster Cluster => _cluster;

    /// <summary>Makes a session and waits until a node can be asked.</summary>
    /// <exception cref="CqlNoHostException">None can; its errors say why. The session is closed again.</exception>
    public static async Task<CqlSession> ConnectAsync(CqlOptions options, ILoggerFactory? loggers = null, IMeterFactory? meters = null,
        TimeProvider? time = null, CancellationToken cancellationToken = default)
    {
        var session = new CqlSession(options, loggers, meters, time);
        try
        {
            await session._cluster.FirstAttempt.WaitAsync(cancellationToken);
            return session.IsConnected ? session : throw session.NoHost();
        }
        catch
        {
            await session.DisposeAsync();
            throw;
        }
    }

    public Task<CqlResult> ExecuteAsync(CqlCommand command, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(command);
        ObjectDisposedException.ThrowIf(Volatile.Read(ref _isDisposed), this);
        return ExecuteAsync(command, batch: null, command.Statement.Timeout ?? _options.RequestTimeout, cancellationToken);
    }

    public Task<CqlResult> ExecuteAsync(CqlBatch batch, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(batch);
        ObjectDisposedException.ThrowIf(Volatile.Read(ref _isDisposed), this);
        return ExecuteAsync(command: null, batch, batch.Timeout ?? _options.RequestTimeout, cancellationToken);
    }

    public async IAsyncEnumerable<CqlRow> QueryAsync(CqlCommand command, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(command);
        using var leaving = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task<CqlResult>? next = ExecuteAsync(command, leaving.Token);
        try
        {
            while (next is not null)
            {
                var page = await next;
                next = page.PagingState.IsEmpty ? null : ExecuteAsync(command with { PagingState = page.PagingState }, leaving.Token);
                for (var i = 0; i < page.Count; i++)
                    yield return page[i];
            }
        }
        finally
        {
            // The reader may have left with a page on its way.
            if (next is not null)
            {
                await leaving.CancelAsync();
                await ((Task)next).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    /// <summary>Ends all connections; calls in flight fail.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _isDisposed, true))
            return;
        await _cluster.DisposeAsync();
        _metrics.Dispose();
    }

    /// <summary>Why no node can be asked.</summary>
    internal CqlNoHostException NoHost() => new Call(ClusterMap.Empty, [], 0, false, false).NoHost(_cluster.Errors());

    /// <summary>One of the two is given.</summary>
    private async Task<CqlResult> ExecuteAsync(CqlCommand? command, CqlBatch? batch, TimeSpan timeout, CancellationToken cancellationToken)
    {
        // In here, so that the span does not become the caller's current one.
        var telemetry = command is not null
            ? _telemetry.Begin(command.Statement.Operation, batchSize: 0, command.Statement.Consistency ?? _options.Consistency)
            : _telemetry.Begin("BATCH", batch!.Commands.Count, batch.Consistency ?? _options.Consistency);
        Call? call = null;
        var isStillUsed = true;
        var deadline = _deadlines.Start(timeout, cancellationToken);
        try
        {
            if (!_cluster.FirstAttempt.IsCompleted)
                await _cluster.FirstAttempt.WaitAsync(deadline.Token);
            var request = command is not null
                ? await MakeRequestAsync(command, deadline.Token)
                : await MakeRequestAsync(batch!, deadline.Token);
            call = Begin(request);
            (var result, isStillUsed) = await _runner.RunAsync(call, request, deadline.Token);
            telemetry.Succeeded(call, request);
            return result;
        }
        catch (OperationCanceledException given) when (cancellationToken.IsCancellationRequested)
        {
            telemetry.Failed(call, given);
            throw new OperationCanceledException(given.Message, given, cancellationToken);
        }
        catch (OperationCanceledException given)
        {
            var error = new CqlTimeoutException($"No answer within {timeout}{(call?.LastNode is { } node ? $", lastly from {node}" : "")}.", given)
            {
                Node = call?.LastEndPoint,
                Timeout = timeout,
                MayHaveBeenApplied = call?.MayHaveBeenApplied == true,
            };
            telemetry.Failed(call, error);
            throw error;
        }
        catch (Exception error)
        {
            telemetry.Failed(call, error);
            throw;
        }
        finally
        {
            _deadlines.End(deadline, isStillUsed);
        }
    }

    private async ValueTask<StatementRequest> MakeRequestAsync(CqlCommand command, CancellationToken cancellationToken)
    {
        var statement = command.Statement;
        if (!statement.IsPrepared)
        {
            return command.Values.IsEmpty
                ? new QueryRequest(statement.Text)
                {
                    Operation = statement.Operation,
                    IsRead = false,
                    IsConditional = false,
                    IsIdempotent = statement.IsIdempotent,
                    Parameters = new(statement.Consistency ?? _options.Consistency) { CustomPayload = command.CustomPayload },
                }
                : throw new ArgumentException($"A {statement.Operation} statement takes no values.", nameof(command));
        }

        return new ExecuteRequest(command, await PreparedAsync(statement, cancellationToken))
        {
            Operation = statement.Operation,
            IsRead = statement.IsRead,
            IsConditional = statement.IsConditional,
            IsIdempotent = statement.IsIdempotent || statement.IsRead,
            Parameters = new(statement.Consistency ?? _options.Consistency)
            {
                SerialConsistency = statement.SerialConsistency ?? (statement.IsConditional ? _options.SerialConsistency : null),
                PageSize = statement.IsRead ? statement.PageSize ?? _options.PageSize : 0,
                PagingState = command.PagingState,
                Timestamp = command.TimestampMicroseconds ?? (statement.IsRead || statement.IsConditional ? null : _clock.Next()),
                CustomPayload = command.CustomPayload,
            },
        };
    }

    private async ValueTask<StatementRequest> MakeRequestAsync(CqlBatch batch, CancellationToken cancellationToken)
    {
        var prepared = new PreparedStatement[batch.Commands.Count];
        var isConditional = false;
        for (var i = 0; i < prepared.Length; i++)
        {
            var statement = batch.Commands[i].Statement;
            if (!statement.IsPrepared || statement.IsRead)
                throw new ArgumentException($"A {statement.Operation} statement can't be part of a batch.", nameof(batch));
            isConditional |= statement.IsConditional;
            prepared[i] = await PreparedAsync(statement, cancellationToken);
        }

        return new BatchRequest(batch, prepared)
        {
            Operation = "BATCH",
            IsRead = false,
            IsConditional = isConditional,
            IsIdempotent = batch.IsIdempotent,
            Parameters = new(batch.Consistency ?? _options.Consistency)
            {
                SerialConsistency = batch.SerialConsistency ?? (isConditional ? _options.SerialConsistency : null),
                Timestamp = batch.TimestampMicroseconds ?? (isConditional || batch.Kind == CqlBatchKind.Counter ? null : _clock.Next()),
                CustomPayload = batch.CustomPayload,
            },
        };
    }

    private ValueTask<PreparedStatement> PreparedAsync(CqlStatement statement, CancellationToken cancellationToken) =>
        _prepared.Find(statement) is { } found ? new(found) : new(_prepared.PrepareAsync(statement, cancellationToken));

    private Call Begin(StatementRequest request)
    {
        if (!_scratch.TryDequeue(out var scratch))
            scratch = new();
        try
        {
            return _runner.Begin(request, scratch);
        }
        finally
        {
            scratch.Clear();
            if (_scratch.Count < MostScratchKept)
                _scratch.Enqueue(scratch);
            else
                scratch.Dispose();
        }
    }
}
