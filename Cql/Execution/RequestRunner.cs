using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging;
using WhatsAspire.Cql.Cluster;
using WhatsAspire.Cql.Connections;
using WhatsAspire.Cql.Protocol;

namespace WhatsAspire.Cql.Execution;

/// <summary>Carries a request to the cluster: node after node, and for idempotent ones on two at once when the first is slow.</summary>
internal sealed class RequestRunner(CqlCluster cluster, PreparedStatements prepared, CqlOptions options, CqlMetrics metrics, TimeProvider time, ILogger logger)
{
    /// <summary>Tries after one that a server refused or did not finish; broken connections are not counted.</summary>
    private const int MaxRetriesAfterServerErrors = 3;

    /// <summary>A node that forgets statements as fast as they are prepared is given up.</summary>
    private const int MaxPreparedAgain = 3;

    /// <summary>A request that was given up after so long makes its connection suspect, if nothing came over it meanwhile.</summary>
    private static readonly TimeSpan SuspiciousSilence = TimeSpan.FromMilliseconds(500);

    /// <summary>Before the same nodes are asked once more: what made all of them fail may pass.</summary>
    private static readonly TimeSpan PauseBetweenRounds = TimeSpan.FromMilliseconds(100);

    private readonly SchemaAgreement _agreement = new(options, time, logger);
    private uint _turn;

    /// <exception cref="ArgumentException">A value doesn't fit.</exception>
    public Call Begin(StatementRequest request, ByteWriter scratch)
    {
        var map = cluster.Map;
        var replicas = request.TryWriteRoutingKey(scratch, out var keyspace) ? map.Replicas(keyspace, Murmur3.Token(scratch.Written)) : [];
        return new(map, replicas, Interlocked.Increment(ref _turn), request.IsConditional, options.UseRemoteDatacenters);
    }

    /// <returns>The result, and whether a try still goes on that hangs on the token.</returns>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<(CqlResult Result, bool IsStillUsed)> RunAsync(Call call, StatementRequest request, CancellationToken cancellationToken)
    {
        if (!request.IsIdempotent || options.SpeculativeDelay is not { } delay)
            return (await RunOnceAsync(call, request, cancellationToken), false);
        var first = RunOnceAsync(call, request, cancellationToken);
        try
        {
            return (await first.WaitAsync(delay, time, CancellationToken.None), false);
        }
        catch (TimeoutException)
        {
            return (await RunTogetherAsync(first, delay, call, request, cancellationToken), true);
        }
    }

    /// <summary>The first to succeed wins; if none does, the first error counts.</summary>
    private async Task<CqlResult> RunTogetherAsync(Task<CqlResult> first, TimeSpan delay, Call call, StatementRequest request, CancellationToken cancellationToken)
    {
        var running = new List<Task<CqlResult>> { first };
        var speculations = 0;
        while (true)
        {
            if (speculations < options.MaxSpeculativeExecutions && !cancellationToken.IsCancellationRequested)
            {
                speculations++;
                metrics.Speculated();
                running.Add(RunOnceAsync(call, request.Clone(), cancellationToken));
            }

            var pause = speculations < options.MaxSpeculativeExecutions ? Task.Delay(delay, time, cancellationToken) : Task.Delay(Timeout.InfiniteTimeSpan, cancellationToken);
            var ended = await Task.WhenAny([.. running, pause]);
            if (ended == pause && cancellationToken.IsCancellationRequested)
                return await await Task.WhenAny(running);
            if (ended == pause)
                continue;
            var result = (Task<CqlResult>)ended;
            if (result.IsCompletedSuccessfully)
            {
                foreach (var other in running)
                    Observe(other);
                return await result;
            }

            running.Remove(result);
            if (running.Count > 0)
                Observe(result);
            else
                return await (first.IsCompleted ? first : result);
        }
    }

    private async Task<CqlResult> RunOnceAsync(Call call, StatementRequest request, CancellationToken cancellationToken)
    {
        CqlException? last = null;
        var serverErrors = 0;
        while (serverErrors <= MaxRetriesAfterServerErrors)
        {
            if (!call.TryNext(out var node, out var connection))
            {
                // Only after answers: where there are no connections, a moment changes nothing.
                if (last is not { ServerCode: not null } || !request.IsIdempotent || !call.TryBeginAgain())
                    break;
                await Task.Delay(PauseBetweenRounds, time, cancellationToken);
                continue;
            }

            if (last is not null)
                metrics.Retried();
            var left = options.ConnectionsPerNode;
            var next = connection;
            while (next is not null)
            {
                try
                {
                    return await TryAsync(call, next, request, cancellationToken);
                }
                catch (CqlException error)
                {
                    if (request.IsRead)
                        error.MayHaveBeenApplied = false;
                    call.Failed(node, error);
                    if (!MayTryAgain(request, error))
                    {
                        error.MayHaveBeenApplied |= call.MayHaveBeenApplied;
                        throw;
                    }

                    last = error;
                    serverErrors += error.ServerCode is null ? 0 : 1;
                    // A connection that broke before anything left says nothing of the node's other ones.
                    next = error is CqlConnectionException { MayHaveBeenApplied: false } && --left > 0 ? node.Pool?.Pick() : null;
                }
            }
        }

        var final = last is { ServerCode: not null } ? last : call.NoHost(cluster.Errors());
        if (final is CqlNoHostException)
            cluster.TrySoon();
        final.MayHaveBeenApplied |= call.MayHaveBeenApplied;
        throw final;
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<CqlResult> TryAsync(Call call, CqlConnection connection, StatementRequest request, CancellationToken cancellationToken)
    {
        if (options.Keyspace is not null && connection.Keyspace is null)
            await WithoutEffectAsync(connection.UseKeyspaceAsync(options.Keyspace, cancellationToken));
        for (var again = 0; ; again++)
        {
            var response = await SendAsync(call, connection, request, cancellationToken);
            if (response.Opcode == Opcode.Error)
            {
                if (again < MaxPreparedAgain && ErrorReader.IsUnprepared(response) && request is (ExecuteRequest or BatchRequest))
                {
                    await WithoutEffectAsync(PrepareAgainAsync(request, connection, cancellationToken));
                    continue;
                }

                throw ErrorReader.Read(response, connection.Version, connection.Node, request.IsRead, request.IsConditional);
            }

            var result = Read(connection, request, response, out var kind);
            if (kind != ResultKind.SchemaChange || await IsAgreedAsync(connection, cancellationToken))
                return result;
            return new(result.ColumnSet, [], [], 0) { Warnings = result.Warnings, CustomPayload = result.CustomPayload, IsSchemaAgreed = false };
        }
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<Response> SendAsync(Call call, CqlConnection connection, StatementRequest request, CancellationToken cancellationToken)
    {
        var start = time.GetTimestamp();
        try
        {
            return await connection.SendAsync(request, cancellationToken);
        }
        catch (OperationCanceledException given)
        {
            if (given is not RequestNotSentException)
                call.MayHaveBeenApplied |= !request.IsRead;
            var waited = time.GetElapsedTime(start);
            if (waited >= SuspiciousSilence)
                _ = connection.ProbeAsync(waited);
            throw;
        }
    }

    private CqlResult Read(CqlConnection connection, StatementRequest request, Response response, out ResultKind kind)
    {
        try
        {
            if (response.Opcode != Opcode.Result)
                throw new CqlProtocolException($"{connection.Node}: {response.Opcode} is no answer to a statement.") { Node = connection.Node };
            var result = ResultReader.Read(response, connection.Version, request.PreparedResult, out kind, out var changed);
            if (changed is not null && request is ExecuteRequest execute)
                prepared.Set(execute.Statement, changed);
            foreach (var warning in result.Warnings)
                logger.ServerWarning(request.Operation, warning);
            return result;
        }
        catch (CqlProtocolException broken)
        {
            // What the server has done is not known, and what it says next can't be trusted.
            broken.MayHaveBeenApplied = !request.IsRead;
            connection.Close(broken);
            throw;
        }
    }

    private async Task<bool> IsAgreedAsync(CqlConnection connection, CancellationToken cancellationToken)
    {
        try
        {
            return await _agreement.WaitAsync(connection, () => cluster.Map, cancellationToken);
        }
        catch (CqlException)
        {
            // The change itself was made; only whether all know of it is open.
            return false;
        }
    }

    private async ValueTask PrepareAgainAsync(StatementRequest request, CqlConnection connection, CancellationToken cancellationToken)
    {
        logger.PreparedAgain(connection.Node);
        if (request is ExecuteRequest execute)
            execute.Prepared = await prepared.PrepareAgainAsync(execute.Statement, connection, cancellationToken);
        if (request is not BatchRequest batch)
            return;
        // The node names one; it has most likely forgotten all.
        var all = new PreparedStatement[batch.Commands.Count];
        for (var i = 0; i < all.Length; i++)
            all[i] = await PrepareAgainAsync(batch, i, all, connection, cancellationToken);
        batch.Prepared = all;
    }

    /// <summary>What fails beside the request itself has changed nothing.</summary>
    private static async ValueTask WithoutEffectAsync(ValueTask preparation)
    {
        try
        {
            await preparation;
        }
        catch (CqlException error)
        {
            error.MayHaveBeenApplied = false;
            throw;
        }
    }

    /// <summary>Each statement of a batch once, however often it occurs.</summary>
    private async ValueTask<PreparedStatement> PrepareAgainAsync(BatchRequest batch, int index, PreparedStatement[] done, CqlConnection connection,
        CancellationToken cancellationToken)
    {
        for (var i = 0; i < index; i++)
        {
            if (batch.Commands[i].Statement == batch.Commands[index].Statement)
                return done[i];
        }

        return await prepared.PrepareAgainAsync(batch.Commands[index].Statement, connection, cancellationToken);
    }

    /// <summary>What never left, or was turned away before anything was done, may go to another node; anything else only if twice is as good as once.</summary>
    private static bool MayTryAgain(StatementRequest request, CqlException error) => error switch
    {
        CqlConnectionException { MayHaveBeenApplied: false } or CqlBusyException or CqlBootstrappingException => true,
        CqlConnectionException or CqlOverloadedException or CqlUnavailableException or CqlReadTimeoutException or CqlWriteTimeoutException
            or CqlServerException { ServerCode: 0 } => request.IsIdempotent,
        _ => false,
    };

    private static void Observe(Task task) =>
        task.ContinueWith(static ended => _ = ended.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
}
