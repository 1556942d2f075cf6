using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.IO.Hashing;
using Grpc.Core;
using Microsoft.Extensions.Options;
using WhatsAspire.Contracts;
using WhatsAspire.Contracts.Messaging.V1;

namespace WhatsAspire.ChatEdge.Routing;

/// <summary>Brings operations to MessageApi, over one stream to each replica. Any replica is correct; one is preferred, the
/// one that a rendezvous hash of the conversation names, so that one process has the conversation in memory, and when it is
/// down the next. When a stream breaks, what was not answered is sent again, in its order, on another or on the next
/// one: every operation is idempotent. What has waited longer than the timeout fails as unavailable, and its client tries
/// again.</summary>
internal sealed class MessageApiLink(
    MessageApiAddresses addresses, IOptions<EdgeOptions> options, TimeProvider time, ILogger<MessageApiLink> logger) : BackgroundService
{
    /// <summary>Operations that may be under way or wait; who comes on top waits for room.</summary>
    private const int Room = 16384;

    private static readonly TimeSpan Refresh = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan FirstRefresh = TimeSpan.FromMilliseconds(200);

    private readonly ConcurrentDictionary<ulong, PendingOperation> _pending = new();
    private readonly SemaphoreSlim _room = new(Room);

    // Guards the choice of replicas: which there are and stand, which operation and which conversation is whose.
    private readonly Lock _gate = new();
    private readonly Dictionary<ulong, ConversationPin> _pins = [];
    private volatile ReplicaStream[] _replicas = [];
    private ulong _lastId;
    private uint _lastCall;

    /// <summary>For the calls that are no operations of the stream: of one replica that answers, in turn.</summary>
    /// <exception cref="RpcException">None is known.</exception>
    public Messaging.MessagingClient Client
    {
        get
        {
            var replicas = _replicas;
            if (replicas.Length == 0) throw new RpcException(new(StatusCode.Unavailable, "no replica of the message service is known yet"));
            var first = Interlocked.Increment(ref _lastCall);
            for (uint i = 0; i < replicas.Length; i++)
            {
                var replica = replicas[(first + i) % replicas.Length];
                if (replica.IsConnected) return replica.Client;
            }

            return replicas[first % replicas.Length].Client;
        }
    }

    /// <summary>Whether a stream stands; for readiness.</summary>
    public bool IsConnected => Standing > 0;

    /// <summary>How many streams stand.</summary>
    internal int Standing => _replicas.Count(replica => replica.IsConnected);

    /// <summary>Takes an operation; waits while too many are under way already.</summary>
    public ValueTask SubmitAsync(PendingOperation operation)
    {
        if (!_room.Wait(0)) return WaitAsync();
        Enqueue(operation);
        return default;

        async ValueTask WaitAsync()
        {
            if (await _room.WaitAsync(options.Value.OperationTimeout)) Enqueue(operation);
            else operation.Fail(Unanswered());
        }
    }

    /// <summary>Whether it still waits for its answer.</summary>
    public bool IsPending(PendingOperation operation) => _pending.ContainsKey(operation.Operation.Id);

    /// <summary>A replica's stream stands: it takes over from those that don't.</summary>
    public void Connected(ReplicaStream replica)
    {
        lock (_gate)
        {
            replica.IsConnected = true;
            Move(operation => operation.Replica is not { IsConnected: true });
        }
    }

    /// <summary>A replica's stream has ended, or could not be opened: others take over.</summary>
    public void Disconnected(ReplicaStream replica)
    {
        lock (_gate)
        {
            replica.IsConnected = false;
            Move(operation => operation.Replica == replica);
        }
    }

    /// <summary>An answer has come.</summary>
    public void Answered(Result result)
    {
        if (Take(result.Id) is not { } operation) return;
        try
        {
            operation.Complete(result);
        }
        catch (Exception e)
        {
            // One operation's fault must not take the stream down for all others.
            logger.CompletionFailed(e);
        }
    }

    public override void Dispose()
    {
        base.Dispose();
        foreach (var replica in _replicas) replica.Dispose();
        _room.Dispose();
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        Task.WhenAll(FollowAsync(stoppingToken), ExpireAsync(stoppingToken));

    private void Enqueue(PendingOperation operation)
    {
        operation.SubmittedAt = time.GetTimestamp();
        lock (_gate)
        {
            operation.Operation.Id = ++_lastId;
            _pending[operation.Operation.Id] = operation;
            Dispatch(operation);
        }
    }

    private PendingOperation? Take(ulong id)
    {
        PendingOperation? operation;
        lock (_gate)
        {
            if (!_pending.TryRemove(id, out operation)) return null;
            Unpin(operation);
        }

        _room.Release();
        return operation;
    }

    /// <summary>Gives operations to other replicas, in their order. Those that they leave are not writing.</summary>
    private void Move(Func<PendingOperation, bool> which)
    {
        var moving = _pending.Values.Where(which).OrderBy(operation => operation.Operation.Id).ToArray();
        foreach (var operation in moving)
        {
            operation.Replica?.Drain();
            Unpin(operation);
        }

        foreach (var operation in moving) Dispatch(operation);
    }

    private void Dispatch(PendingOperation operation)
    {
        operation.Replica = Choose(operation);
        operation.Replica?.Enqueue(operation);
    }

    private ReplicaStream? Choose(PendingOperation operation)
    {
        var replicas = _replicas;
        if (replicas.Length <= 1) return replicas.Length == 0 ? null : replicas[0];
        var route = RouteOf(operation.Operation);
        if (!_pins.TryGetValue(route, out var pin)) _pins[route] = pin = new(route, Prefer(replicas, route));
        pin.Operations++;
        operation.Pin = pin;
        return pin.Replica;
    }

    private void Unpin(PendingOperation operation)
    {
        if (operation.Pin is not { } pin) return;
        operation.Pin = null;
        if (--pin.Operations == 0) _pins.Remove(pin.Route);
    }

    /// <summary>Rendezvous hashing (Thaler and Ravishankar, 1998): every edge names the same replica without asking anybody,
    /// and when one goes only its own conversations move.</summary>
    private static ReplicaStream Prefer(ReplicaStream[] replicas, ulong route)
    {
        var best = replicas[0];
        var (bestStands, bestScore) = (false, 0UL);
        Span<byte> key = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64BigEndian(key, route);
        foreach (var replica in replicas)
        {
            var score = XxHash3.HashToUInt64(key, replica.Seed);
            if (replica.IsConnected == bestStands ? score <= bestScore : bestStands) continue;
            (best, bestStands, bestScore) = (replica, replica.IsConnected, score);
        }

        return best;
    }

    /// <summary>The conversation; for acks and reads of several, their user.</summary>
    private static ulong RouteOf(Operation operation)
    {
        var id = operation.KindCase switch
        {
            Operation.KindOneofCase.Send when operation.Send.ToUserId.IsEmpty => operation.Send.ConversationId.ToConversationId().Value,
            Operation.KindOneofCase.Send => ConversationId.Direct(operation.Send.SenderId.ToUserId(), operation.Send.ToUserId.ToUserId()).Value,
            Operation.KindOneofCase.Advance when operation.Advance.Positions.Count == 1 => operation.Advance.Positions[0].ConversationId.ToConversationId().Value,
            Operation.KindOneofCase.AdvanceMembers => operation.AdvanceMembers.ConversationId.ToConversationId().Value,
            Operation.KindOneofCase.Advance => operation.Advance.UserId.ToUserId().Value,
            _ => default,
        };
        Span<byte> bytes = stackalloc byte[16];
        id.TryWriteBytes(bytes, bigEndian: true, out _);
        return XxHash3.HashToUInt64(bytes);
    }

    /// <summary>Keeps a stream to each replica that there is.</summary>
    private async Task FollowAsync(CancellationToken stopping)
    {
        var running = new Dictionary<ReplicaStream, Task>();
        try
        {
            while (true)
            {
                try
                {
                    await FollowOnceAsync(running, stopping);
                }
                catch (Exception e) when (e is InvalidOperationException or IOException or System.Net.Sockets.SocketException)
                {
                    logger.ApiNotResolved(e.Message);
                }

                await Task.Delay(_replicas.Length == 0 ? FirstRefresh : Refresh, time, stopping);
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // The process ends: its clients connect elsewhere and send again.
        }

        await Task.WhenAll(running.Values);
    }

    private async Task FollowOnceAsync(Dictionary<ReplicaStream, Task> running, CancellationToken stopping)
    {
        var found = await addresses.ResolveAsync(stopping);
        var before = _replicas;
        if (found.Count == 0 || found.SequenceEqual(before.Select(replica => replica.Address))) return;
        ReplicaStream[] after =
        [
            .. found.Select(address => Array.Find(before, replica => replica.Address == address) ?? new(address, this, time, logger, stopping)),
        ];
        lock (_gate)
        {
            _replicas = after;
            Move(operation => operation.Replica is null);
        }

        foreach (var replica in after.Except(before)) running[replica] = replica.RunAsync();
        foreach (var replica in before.Except(after))
        {
            replica.End();
            await running[replica];
            running.Remove(replica);
            replica.Dispose();
        }
    }

    private async Task ExpireAsync(CancellationToken stopping)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1), time);
        try
        {
            while (await timer.WaitForNextTickAsync(stopping))
            {
                var now = time.GetTimestamp();
                foreach (var (id, operation) in _pending)
                {
                    if (time.GetElapsedTime(operation.SubmittedAt, now) > options.Value.OperationTimeout && Take(id) is not null)
                        Fail(operation);
                }
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // The process ends: its clients connect elsewhere and send again.
        }
    }

    private void Fail(PendingOperation operation)
    {
        try
        {
            operation.Fail(Unanswered());
        }
        catch (Exception e)
        {
            // The others have to be told as well.
            logger.CompletionFailed(e);
        }
    }

    private static Error Unanswered() => Error.Unavailable("the message service does not answer; send it again, it will be stored once");
}
