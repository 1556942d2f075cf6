using System.Collections.ObjectModel;
using System.Data.Common;
using Microsoft.Extensions.Caching.Memory;
using WhatsAspire.Contracts;
using WhatsAspire.MessageApi.Directory;
using WhatsAspire.ServiceDefaults;

namespace WhatsAspire.MessageApi.Groups;

/// <summary>Groups as the directory had them at most a second ago. After that the row alone is read, and the members only
/// when its version has moved. Who ask for one group at once wait for one reading.</summary>
internal sealed class GroupMembers(IDirectory directory, GroupLog log, TimeProvider time) : IGroupMembers, IDisposable
{
    private const long CachedMembers = 2_000_000;
    private static readonly TimeSpan Lifetime = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Idle = TimeSpan.FromMinutes(5);

    // Each time round somebody else has changed the group meanwhile.
    private const int Rounds = 20;

    private readonly MemoryCache _cache = new(new MemoryCacheOptions { SizeLimit = CachedMembers });
    private readonly Lock _gate = new();

    public void Dispose() => _cache.Dispose();

    /// <inheritdoc/>
    public ValueTask<GroupSnapshot?> FindAsync(ConversationId group, CancellationToken cancellationToken)
    {
        if (group.IsDirect) return default;
        if (_cache.TryGetValue(group, out Known? known) && time.GetElapsedTime(known!.ReadAt) < Lifetime) return new(known.Snapshot);
        return new(ShareAsync(group, isForced: false).WaitAsync(cancellationToken));
    }

    /// <summary>Reads the group anew, after a change by this process: who asks from now on gets nothing older.</summary>
    public Task<GroupSnapshot?> RefreshAsync(ConversationId group, CancellationToken cancellationToken) =>
        ShareAsync(group, isForced: true).WaitAsync(cancellationToken);

    /// <param name="ReadAt">A timestamp of before it was read.</param>
    /// <param name="Version">Of the group; 0 where there is none.</param>
    /// <param name="Snapshot">Null: there is none, or no more.</param>
    private sealed record Known(long ReadAt, long Version, GroupSnapshot? Snapshot);

    // The readings under way. A forced one takes the place of those before it, which may have begun too early.
    private readonly Dictionary<ConversationId, Task<GroupSnapshot?>> _readings = [];

    private Task<GroupSnapshot?> ShareAsync(ConversationId group, bool isForced)
    {
        lock (_gate)
        {
            if (!isForced && _readings.TryGetValue(group, out var shared)) return shared;
            if (isForced) _cache.Remove(group);
            var reading = new TaskCompletionSource<GroupSnapshot?>(TaskCreationOptions.RunContinuationsAsynchronously);
            _readings[group] = reading.Task;
            _ = ReadAsync(group, reading);
            return reading.Task;
        }
    }

    private async Task ReadAsync(ConversationId group, TaskCompletionSource<GroupSnapshot?> reading)
    {
        // Out of the caller's lock.
        await Task.Yield();
        Known? read = null;
        Exception? fault = null;
        try
        {
            _cache.TryGetValue(group, out Known? known);
            read = await ReadAsync(group, known);
        }
        catch (Exception e) when (e is DbException or TimeoutException)
        {
            fault = new UnavailableException("the directory can't be reached", e);
        }
        catch (Exception e)
        {
            fault = e;
        }

        lock (_gate)
        {
            // Otherwise a later one is under way, which knows better.
            if (_readings.TryGetValue(group, out var newest) && newest == reading.Task)
            {
                _readings.Remove(group);
                if (read is not null) Remember(group, read);
            }
        }

        if (fault is null) reading.SetResult(read!.Snapshot);
        else reading.SetException(fault);
    }

    private async Task<Known> ReadAsync(ConversationId group, Known? known)
    {
        for (var round = 0; round < Rounds; round++)
        {
            var readAt = time.GetTimestamp();
            if (await directory.FindGroupAsync(group, CancellationToken.None) is not { } row) return new(readAt, 0, null);
            if (row.HasPendingChanges)
            {
                await log.DrainAsync(group, CancellationToken.None);
                continue;
            }

            if (row.DeletedAt is not null) return new(readAt, row.Version, null);
            if (known is not null && known.Version == row.Version) return known with { ReadAt = readAt };
            if (await directory.ReadGroupAsync(group, CancellationToken.None) is { Group: { HasPendingChanges: false, DeletedAt: null } } whole)
                return new(readAt, whole.Group.Version, ToSnapshot(whole));
        }

        throw new UnavailableException("the group changes too fast to be read");
    }

    private static GroupSnapshot ToSnapshot(GroupWithMembers whole)
    {
        var users = new UserId[whole.Members.Count];
        var roles = new Dictionary<UserId, GroupRole>(users.Length);
        for (var i = 0; i < users.Length; i++)
        {
            users[i] = whole.Members[i].User;
            roles.Add(users[i], whole.Members[i].Role);
        }

        return new(
            whole.Group.Id, whole.Group.Name, whole.Group.OnlyAdminsSend, Array.AsReadOnly(users),
            new ReadOnlyDictionary<UserId, GroupRole>(roles));
    }

    private void Remember(ConversationId group, Known known)
    {
        using var entry = _cache.CreateEntry(group);
        entry.Size = 1 + (known.Snapshot?.Members.Count ?? 0);
        entry.SlidingExpiration = Idle;
        entry.Value = known;
    }
}
