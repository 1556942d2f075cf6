namespace WhatsAspire.Backplane.Queue.Sqlite;

/// <summary>A partition that a member owns: <paramref name="Epoch"/> is its fencing token.</summary>
internal readonly record struct OwnedPartition(int Partition, long Epoch, long Committed);

/// <param name="Owned">Everything that the member owns now.</param>
/// <param name="Surplus">Of these, the ones to give up: others have fewer.</param>
/// <param name="Generation">Rises when members or owners change.</param>
internal sealed record GroupShare(IReadOnlyList<OwnedPartition> Owned, IReadOnlyList<int> Surplus, long Generation);

/// <summary>Groups, their members, and who owns which partition. A partition changes hands when its owner lets go of it, or
/// when its lease has run out; each change raises the epoch, and whoever comes with an older one changes nothing. All
/// methods run inside a write transaction, which keeps the members of all processes apart.</summary>
internal static class GroupTables
{
    /// <summary>The group's id, made with the cursors at the beginning of what is kept.</summary>
    public static long FindOrMakeGroup(this LogTables log, LogTables.Topic topic, string group)
    {
        var db = log.Connection;
        if (db.Number("SELECT group_id FROM groups WHERE topic_id = @0 AND name = @1", topic.Id, group) is { } found) return found;
        db.Execute("INSERT INTO groups (topic_id, name, generation) VALUES (@0, @1, 0)", topic.Id, group);
        var id = db.Scalar("SELECT last_insert_rowid()");
        db.Execute(
            """
            INSERT INTO cursors (group_id, partition, committed, owner, epoch, expires_ms)
            SELECT @0, partition, first_offset, NULL, 0, 0 FROM partitions WHERE topic_id = @1
            """,
            id, topic.Id);
        return id;
    }

    /// <summary>Renews the member and its leases, and gives it partitions up to its share.</summary>
    public static GroupShare Balance(this LogTables log, long group, string member, IReadOnlySet<(int, long)> held, long nowMs, long leaseMs)
    {
        var db = log.Connection;
        var changed = db.Execute("DELETE FROM members WHERE group_id = @0 AND expires_ms <= @1 AND member <> @2", group, nowMs, member) > 0;
        changed |= db.Number("SELECT 1 FROM members WHERE group_id = @0 AND member = @1", group, member) is null;
        db.Execute(
            "INSERT INTO members (group_id, member, expires_ms) VALUES (@0, @1, @2) ON CONFLICT DO UPDATE SET expires_ms = excluded.expires_ms",
            group, member, nowMs + leaseMs);
        var members = db.All("SELECT member FROM members WHERE group_id = @0 ORDER BY member", r => r.GetString(0), group);
        var cursors = db.All(
            "SELECT partition, epoch, committed, owner, expires_ms FROM cursors WHERE group_id = @0 ORDER BY partition",
            r => (Partition: r.GetInt32(0), Epoch: r.GetInt64(1), Committed: r.GetInt64(2), Owner: r.IsDBNull(3) ? null : r.GetString(3),
                Expires: r.GetInt64(4)),
            group);

        var share = (cursors.Count / members.Count) + (members.IndexOf(member) < cursors.Count % members.Count ? 1 : 0);
        var owned = new List<OwnedPartition>();
        foreach (var cursor in cursors)
        {
            if (cursor.Owner != member || !held.Contains((cursor.Partition, cursor.Epoch))) continue;
            db.Execute("UPDATE cursors SET expires_ms = @2 WHERE group_id = @0 AND partition = @1", group, cursor.Partition, nowMs + leaseMs);
            owned.Add(new(cursor.Partition, cursor.Epoch, cursor.Committed));
        }

        foreach (var cursor in cursors)
        {
            if (owned.Count >= share) break;
            if (cursor.Owner is not null && cursor.Owner != member && cursor.Expires > nowMs) continue;
            if (owned.Exists(o => o.Partition == cursor.Partition)) continue;
            db.Execute(
                "UPDATE cursors SET owner = @2, epoch = epoch + 1, expires_ms = @3 WHERE group_id = @0 AND partition = @1",
                group, cursor.Partition, member, nowMs + leaseMs);
            owned.Add(new(cursor.Partition, cursor.Epoch + 1, cursor.Committed));
        }

        int[] surplus = owned.Count > share ? [.. owned.Skip(share).Select(o => o.Partition)] : [];
        return new(owned, surplus, Generation(log, group, changed));
    }

    /// <summary>Commits an offset; the lease need not live, as long as nobody else has the partition.</summary>
    /// <returns>False when the partition has another owner: nothing was changed.</returns>
    public static bool CommitOffset(this LogTables log, long group, string member, int partition, long epoch, long offset) =>
        log.Connection.Execute(
            """
            UPDATE cursors SET committed = MAX(committed, @4)
            WHERE group_id = @0 AND partition = @1 AND owner = @2 AND epoch = @3
            """,
            group, partition, member, epoch, offset) > 0;

    /// <summary>Lets go of a partition, for whoever comes first.</summary>
    public static void Release(this LogTables log, long group, string member, int partition, long epoch)
    {
        if (log.Connection.Execute(
            "UPDATE cursors SET owner = NULL, expires_ms = 0 WHERE group_id = @0 AND partition = @1 AND owner = @2 AND epoch = @3",
            group, partition, member, epoch) > 0)
            Generation(log, group, changed: true);
    }

    /// <summary>Takes the member out, once its partitions are released.</summary>
    public static void Leave(this LogTables log, long group, string member)
    {
        if (log.Connection.Execute("DELETE FROM members WHERE group_id = @0 AND member = @1", group, member) > 0)
            Generation(log, group, changed: true);
    }

    private static long Generation(LogTables log, long group, bool changed)
    {
        if (changed) log.Connection.Execute("UPDATE groups SET generation = generation + 1 WHERE group_id = @0", group);
        return log.Connection.Scalar("SELECT generation FROM groups WHERE group_id = @0", group);
    }
}
