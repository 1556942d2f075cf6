using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace WhatsAspire.Backplane.Queue.Sqlite;

/// <summary>Topics and their events, as rows.</summary>
internal sealed class LogTables(LogConnection connection)
{
    private const int TrimRows = 1000;
    private readonly Dictionary<string, Topic> _topics = new(StringComparer.Ordinal);

    internal readonly record struct Topic(long Id, int Partitions);

    public LogConnection Connection => connection;

    /// <summary>The partition that a key's events go to. It decides where stored events of the key lie: never change
    /// it. FNV-1a over the key's UTF-8, finished as MurmurHash3 does so that the low bits depend on all of it.</summary>
    public static int PartitionOf(string key, int partitions)
    {
        var hash = 2166136261u;
        Span<byte> bytes = stackalloc byte[256 * 3];
        foreach (var b in bytes[..Encoding.UTF8.GetBytes(key, bytes)]) hash = (hash ^ b) * 16777619u;
        hash = (hash ^ (hash >> 16)) * 0x85ebca6bu;
        hash = (hash ^ (hash >> 13)) * 0xc2b2ae35u;
        return (int)((hash ^ (hash >> 16)) % (uint)partitions);
    }

    /// <summary>A topic that exists, or null.</summary>
    public Topic? Find(string name)
    {
        if (_topics.TryGetValue(name, out var known)) return known;
        var found = connection.All(
            "SELECT topic_id, partitions FROM topics WHERE name = @0", r => new Topic(r.GetInt64(0), r.GetInt32(1)), name);
        if (found.Count == 0) return null;
        return _topics[name] = found[0];
    }

    /// <summary>The topic, made if it does not exist.</summary>
    public Topic FindOrMake(string name, int partitions)
    {
        if (Find(name) is { } found) return found;
        connection.Execute("INSERT INTO topics (name, partitions) VALUES (@0, @1)", name, partitions);
        var id = connection.Scalar("SELECT last_insert_rowid()");
        for (var p = 0; p < partitions; p++)
            connection.Execute("INSERT INTO partitions (topic_id, partition, first_offset, next_offset) VALUES (@0, @1, 0, 0)", id, p);
        return _topics[name] = new(id, partitions);
    }

    public EventPosition Append(string topic, int partitions, QueueEvent message, int? partition, long publishedMs)
    {
        var (id, count) = FindOrMake(topic, partitions);
        var at = partition ?? PartitionOf(message.Key, count);
        if (at < 0 || at >= count) throw new ArgumentException($"{topic} has {count} partitions, and no partition {at}");
        var offset = connection.Scalar(
            "UPDATE partitions SET next_offset = next_offset + 1 WHERE topic_id = @0 AND partition = @1 RETURNING next_offset - 1", id, at);
        connection.Execute(
            "INSERT INTO events (topic_id, partition, event_offset, key, type, payload, headers, published_ms) VALUES (@0, @1, @2, @3, @4, @5, @6, @7)",
            id, at, offset, message.Key, message.Type, Bytes(message.Payload), Headers(message.Headers), publishedMs);
        return new(at, offset);
    }

    public List<PartitionRange> Ranges(Topic topic) => connection.All(
        "SELECT partition, first_offset, next_offset FROM partitions WHERE topic_id = @0 ORDER BY partition",
        r => new PartitionRange(r.GetInt32(0), r.GetInt64(1), r.GetInt64(2)), topic.Id);

    public List<ReceivedEvent> Read(Topic topic, string name, int partition, long from, long end, int limit) => connection.All(
        """
        SELECT event_offset, key, type, payload, headers, published_ms FROM events
        WHERE topic_id = @0 AND partition = @1 AND event_offset >= @2 AND event_offset < @3 ORDER BY event_offset LIMIT @4
        """,
        r => new ReceivedEvent
        {
            Topic = name,
            Position = new(partition, r.GetInt64(0)),
            Key = r.GetString(1),
            Type = r.GetString(2),
            Payload = r.GetFieldValue<byte[]>(3),
            Headers = r.IsDBNull(4)
                ? EventHeaders.None : JsonSerializer.Deserialize(r.GetString(4), HeaderJson.Default.DictionaryStringString)!,
            PublishedAt = DateTimeOffset.FromUnixTimeMilliseconds(r.GetInt64(5)),
        },
        topic.Id, partition, from, end, limit);

    /// <summary>Removes from a partition's beginning what is older than <paramref name="beforeMs"/>, or consumed by every
    /// group and older than <paramref name="consumedBeforeMs"/>; a limited number of rows.</summary>
    /// <returns>Whether there may be more.</returns>
    public bool Trim(long topicId, int partition, long beforeMs, long consumedBeforeMs)
    {
        var first = connection.Scalar("SELECT first_offset FROM partitions WHERE topic_id = @0 AND partition = @1", topicId, partition);
        var last = Math.Min(first + TrimRows, connection.Scalar(
            "SELECT next_offset FROM partitions WHERE topic_id = @0 AND partition = @1", topicId, partition));
        // Where there is no group nothing is consumed.
        var consumed = connection.Number(
            "SELECT MIN(committed) FROM cursors JOIN groups USING (group_id) WHERE topic_id = @0 AND partition = @1", topicId, partition) ?? 0;
        var keep = connection.Number(
            """
            SELECT event_offset FROM events WHERE topic_id = @0 AND partition = @1 AND event_offset < @2
            AND NOT (published_ms < @3 OR (event_offset < @4 AND published_ms < @5)) ORDER BY event_offset LIMIT 1
            """,
            topicId, partition, last, beforeMs, consumed, consumedBeforeMs) ?? last;
        if (keep == first) return false;
        connection.Execute("DELETE FROM events WHERE topic_id = @0 AND partition = @1 AND event_offset < @2", topicId, partition, keep);
        connection.Execute("UPDATE partitions SET first_offset = @2 WHERE topic_id = @0 AND partition = @1", topicId, partition, keep);
        return keep == first + TrimRows;
    }

    public List<(long Id, string Name, int Partitions)> Topics() => connection.All(
        "SELECT topic_id, name, partitions FROM topics ORDER BY topic_id", r => (r.GetInt64(0), r.GetString(1), r.GetInt32(2)));

    private static byte[] Bytes(ReadOnlyMemory<byte> payload) =>
        MemoryMarshal.TryGetArray(payload, out var segment) && segment.Offset == 0 && segment.Array!.Length == segment.Count
            ? segment.Array : payload.ToArray();

    private static string? Headers(IReadOnlyDictionary<string, string> headers)
    {
        if (headers.Count == 0) return null;
        return JsonSerializer.Serialize(
            headers as Dictionary<string, string> ?? new(headers, StringComparer.Ordinal), HeaderJson.Default.DictionaryStringString);
    }
}

[JsonSerializable(typeof(Dictionary<string, string>))]
internal sealed partial class HeaderJson : JsonSerializerContext;
