using System.Collections.Concurrent;
using System.Globalization;
using Microsoft.Extensions.Options;
using StackExchange.Redis;
using WhatsAspire.Contracts;

namespace WhatsAspire.Backplane.Sessions;

/// <summary>One connection of one device, as the registry knows it.</summary>
public readonly record struct Session(ConnectionId Connection, DeviceId Device, string EdgeId);

/// <summary>Who is connected where, in Redis. <c>sessions:{user}</c> is a hash of connection to device and edge;
/// <c>edge:{id}</c> is the edge's lease with its address. A session is good only while its edge's lease lives, so
/// that a crashed edge takes its sessions with it, and a connection that ends removes a field of its own that no
/// newer connection can have.
/// <para>All methods throw <see cref="RedisException"/> or <see cref="TimeoutException"/> when Redis does not
/// answer; nothing durable depends on it.</para></summary>
public sealed class SessionRegistry
{
    private readonly IConnectionMultiplexer _redis;
    private readonly IOptions<BackplaneOptions> _options;
    private readonly TimeProvider _time;
    private readonly ConcurrentDictionary<string, CachedLease> _leases = new(StringComparer.Ordinal);

    // Not zero: what this process registered may not be there.
    private int _inDoubt;

    // When it last was not sure that the registry holds every session; and whether Redis failed at the last call.
    private long _doubtedAt;
    private int _failing;

    public SessionRegistry(IConnectionMultiplexer redis, IOptions<BackplaneOptions> options, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(redis);
        (_redis, _options, _time) = (redis, options, time);
        // A Redis that was killed is back within a lease's time, with the lease, and without its last moments.
        redis.ConnectionRestored += (_, _) =>
        {
            Volatile.Write(ref _inDoubt, 1);
            Restore();
        };
        _doubtedAt = time.GetTimestamp();
    }

    /// <summary>Redis answers again after it did not: edges register anew what it may have forgotten.</summary>
    public event Action? Restored;

    /// <summary>Whether a user who is not found may be taken for not connected: Redis has answered for as long as every edge
    /// needs to register what it had forgotten.</summary>
    public bool IsWhole =>
        Volatile.Read(ref _failing) == 0 && _time.GetElapsedTime(Volatile.Read(ref _doubtedAt)) > _options.Value.LeaseRenewal * 2;

    private readonly record struct CachedLease(EdgeLease? Lease, DateTimeOffset ReadAt);

    /// <summary>Registers or renews the edge's lease.</summary>
    /// <returns>False when the edge's sessions may not be registered: the lease had not been there, since Redis forgot
    /// it or this is the first; Redis was away since the last renewal; or an <see cref="AddAsync"/> failed.</returns>
    public async Task<bool> RenewLeaseAsync(EdgeLease lease)
    {
        ArgumentNullException.ThrowIfNull(lease);
        var before = await AskAsync(db => db.StringSetAndGetAsync(
            LeaseKey(lease.EdgeId), lease.Address.AbsoluteUri, _options.Value.LeaseTime));
        var inDoubt = Interlocked.Exchange(ref _inDoubt, 0) != 0;
        if (!before.IsNull) return !inDoubt;
        // Whoever saw just now that the lease is gone may yet remove what is registered next: once more, next time.
        Volatile.Write(ref _inDoubt, 1);
        Volatile.Write(ref _doubtedAt, _time.GetTimestamp());
        return false;
    }

    /// <summary>Ends the lease: from now on nobody routes to this edge.</summary>
    public Task EndLeaseAsync(string edgeId) => _redis.GetDatabase().KeyDeleteAsync(LeaseKey(edgeId));

    /// <summary>Adds a connection.</summary>
    /// <returns>All of the user's sessions, the new one among them, whether their edges live or not.</returns>
    public async Task<IReadOnlyList<Session>> AddAsync(UserId user, Session session)
    {
        try
        {
            var db = _redis.GetDatabase();
            var key = SessionsKey(user);
            var added = db.HashSetAsync(key, Field(session.Connection), Value(session));
            var all = db.HashGetAllAsync(key);
            await added;
            return Parse(await all);
        }
        catch (Exception e) when (e is RedisException or TimeoutException)
        {
            Volatile.Write(ref _inDoubt, 1);
            throw;
        }
    }

    /// <summary>Removes a connection. Idempotent.</summary>
    public Task RemoveAsync(UserId user, ConnectionId connection) =>
        _redis.GetDatabase().HashDeleteAsync(SessionsKey(user), Field(connection));

    /// <summary>The live sessions of some users, in one round trip; one more when leases must be looked at.</summary>
    /// <param name="users">Distinct.</param>
    /// <returns>For each user, in order, his sessions on living edges.</returns>
    public Task<IReadOnlyList<Session>[]> FindAsync(IReadOnlyList<UserId> users)
    {
        ArgumentNullException.ThrowIfNull(users);
        return AskAsync(db => FindAsync(db, users));
    }

    private async Task<IReadOnlyList<Session>[]> FindAsync(IDatabase db, IReadOnlyList<UserId> users)
    {
        var reads = new Task<HashEntry[]>[users.Count];
        for (var i = 0; i < reads.Length; i++) reads[i] = db.HashGetAllAsync(SessionsKey(users[i]));
        var found = new IReadOnlyList<Session>[reads.Length];
        HashSet<string>? stale = null;
        var fresh = _time.GetUtcNow() - _options.Value.LeaseCache;
        for (var i = 0; i < reads.Length; i++)
        {
            found[i] = Parse(await reads[i]);
            // That a lease is gone is looked up each time: an edge that Redis had forgotten comes back under its name.
            foreach (var session in found[i])
                if (!_leases.TryGetValue(session.EdgeId, out var cached) || cached.ReadAt < fresh || cached.Lease is null)
                    (stale ??= new(StringComparer.Ordinal)).Add(session.EdgeId);
        }

        if (stale is not null) await ReadLeasesAsync(stale);
        for (var i = 0; i < found.Length; i++) found[i] = Living(found[i], users[i]);
        return found;
    }

    /// <summary>The edge's lease as last read, or null when it is dead or unknown.</summary>
    public EdgeLease? FindLease(string edgeId) => _leases.TryGetValue(edgeId, out var cached) ? cached.Lease : null;

    private IReadOnlyList<Session> Living(IReadOnlyList<Session> sessions, UserId user)
    {
        var dead = 0;
        foreach (var session in sessions)
            if (FindLease(session.EdgeId) is null) dead++;
        if (dead == 0) return sessions;

        var living = new List<Session>(sessions.Count - dead);
        foreach (var session in sessions)
        {
            if (FindLease(session.EdgeId) is not null) living.Add(session);
            // What a crashed edge left behind; the field names a connection that can't come back.
            else _redis.GetDatabase().HashDelete(SessionsKey(user), Field(session.Connection), CommandFlags.FireAndForget);
        }

        return living;
    }

    private async Task ReadLeasesAsync(HashSet<string> edges)
    {
        var db = _redis.GetDatabase();
        var reads = new List<(string Edge, Task<RedisValue> Read)>(edges.Count);
        foreach (var edge in edges) reads.Add((edge, db.StringGetAsync(LeaseKey(edge))));
        foreach (var (edge, read) in reads)
        {
            var address = (string?)await read;
            var lease = address is null ? null : new EdgeLease(edge, new Uri(address));
            _leases[edge] = new(lease, _time.GetUtcNow());
        }

        // Dead edges must not pile up: ids are never used again.
        if (_leases.Count > 4096)
            foreach (var (edge, cached) in _leases)
                if (cached.Lease is null) _leases.TryRemove(edge, out _);
    }

    private async Task<T> AskAsync<T>(Func<IDatabase, Task<T>> ask)
    {
        try
        {
            var answer = await ask(_redis.GetDatabase());
            // A server that was only frozen is back without a new connection.
            if (Volatile.Read(ref _failing) != 0) Restore();
            return answer;
        }
        catch (Exception e) when (e is RedisException or TimeoutException)
        {
            Volatile.Write(ref _doubtedAt, _time.GetTimestamp());
            Volatile.Write(ref _failing, 1);
            throw;
        }
    }

    private void Restore()
    {
        Volatile.Write(ref _doubtedAt, _time.GetTimestamp());
        Volatile.Write(ref _failing, 0);
        Restored?.Invoke();
    }

    private static RedisKey LeaseKey(string edgeId) => $"edge:{edgeId}";

    private static RedisKey SessionsKey(UserId user) => $"sessions:{user}";

    private static RedisValue Field(ConnectionId connection) => connection.Value.ToString("N", CultureInfo.InvariantCulture);

    private static RedisValue Value(Session session) =>
        string.Create(CultureInfo.InvariantCulture, $"{session.Device.Value:N}|{session.EdgeId}");

    private static List<Session> Parse(HashEntry[] fields)
    {
        if (fields.Length == 0) return [];
        var sessions = new List<Session>(fields.Length);
        foreach (var field in fields)
        {
            var value = (string)field.Value!;
            if (Guid.TryParseExact((string?)field.Name, "N", out var connection) && value.Length > 33 && value[32] == '|'
                && Guid.TryParseExact(value.AsSpan(0, 32), "N", out var device))
                sessions.Add(new(new(connection), new(device), value[33..]));
        }

        return sessions;
    }
}
