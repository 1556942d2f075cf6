using System.Text.Json;
using System.Threading.Channels;
using WhatsAspire.Contracts;

namespace WhatsAspire.Client;

/// <summary>The outbox, positions and cursor of a client on disk: JSON lines that are only appended, and written anew when
/// most of them are obsolete. A line that a crash cut short is the last one, and is dropped. A message is on the disk
/// (fsync) before <see cref="StoreAsync"/> completes; positions and 'done' are written without one: losing them means
/// that something is sent or shown again, under the same id. One process at a time: the file is held locked.</summary>
internal sealed class StateFile : IAsyncDisposable
{
    private const int CompactAbove = 256 * 1024;
    private readonly string _path;
    private readonly UserId _owner;
    // Holds no more than the outbox's capacity and one position for each conversation: its writers wait for neither.
    private readonly Channel<(StateLine Line, TaskCompletionSource? Durable)> _lines =
        Channel.CreateUnbounded<(StateLine, TaskCompletionSource?)>(new() { SingleReader = true });
    private readonly Dictionary<string, OutboxEntry> _outbox = [];
    private readonly List<string> _order = [];
    private readonly Dictionary<ConversationId, long> _positions = [];
    private readonly FileStream _lock;
    private readonly Task _writing;
    private FileStream _file;
    private string? _cursor;
    private long _compacted;

    private StateFile(string path, UserId owner)
    {
        (_path, _owner) = (path, owner);
        // A file beside it, since the file itself is replaced now and then.
        _lock = new(path + ".lock", FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        _file = Open(path, FileMode.OpenOrCreate);
        try
        {
            Load();
            if (_file.Length == 0) Append(new() { Owner = new(1, owner) });
            _file.Flush(flushToDisk: true);
        }
        catch
        {
            _file.Dispose();
            _lock.Dispose();
            throw;
        }

        _compacted = _file.Length;
        Outbox = [.. _order.Where(_outbox.ContainsKey).Select(id => _outbox[id])];
        Positions = new Dictionary<ConversationId, long>(_positions);
        Cursor = _cursor;
        _writing = Task.Run(WriteAsync);
    }

    /// <summary>What was waiting to be sent when the file was opened, in order.</summary>
    public IReadOnlyList<OutboxEntry> Outbox { get; }

    /// <summary>The positions when the file was opened.</summary>
    public IReadOnlyDictionary<ConversationId, long> Positions { get; }

    /// <summary>The cursor when the file was opened.</summary>
    public string? Cursor { get; }

    /// <summary>Ends when the file is closed; fails when it can't be written any more.</summary>
    public Task Completion => _writing;

    /// <exception cref="IOException">Another process holds it.</exception>
    /// <exception cref="InvalidDataException">It is another user's, or no state file.</exception>
    public static StateFile Open(string path, UserId owner)
    {
        if (Path.GetDirectoryName(Path.GetFullPath(path)) is { } folder) Directory.CreateDirectory(folder);
        return new(path, owner);
    }

    /// <summary>Writes a message down, in the order of the calls; completes when it is on the disk.</summary>
    public Task StoreAsync(OutboxEntry entry)
    {
        var durable = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        return _lines.Writer.TryWrite((new() { Send = entry }, durable)) ? durable.Task
            : Task.FromException(new IOException($"the state file {_path} is closed"));
    }

    /// <summary>Writes a line down soon. A file that can't be written any more says so through <see cref="Completion"/>.</summary>
    public void Write(StateLine line) => _lines.Writer.TryWrite((line, null));

    public async ValueTask DisposeAsync()
    {
        _lines.Writer.TryComplete();
        await _writing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _file.DisposeAsync();
        await _lock.DisposeAsync();
    }

    private static FileStream Open(string path, FileMode mode) =>
        new(path, mode, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete, bufferSize: 16 * 1024);

    private void Load()
    {
        using var reader = new StreamReader(_file, leaveOpen: true);
        var text = reader.ReadToEnd();
        var start = 0;
        long good = 0;
        for (int end; (end = text.IndexOf('\n', start)) >= 0; start = end + 1)
        {
            var line = text.AsSpan(start, end - start);
            good += System.Text.Encoding.UTF8.GetByteCount(line) + 1;
            StateLine parsed;
            try
            {
                parsed = JsonSerializer.Deserialize(line, StateJson.Default.StateLine) ?? new();
            }
            catch (JsonException e)
            {
                throw new InvalidDataException($"{_path} is no state file of a chat client", e);
            }

            if (start == 0 && parsed.Owner is null) throw new InvalidDataException($"{_path} is no state file of a chat client");
            if (parsed.Owner is { } owner && (owner.UserId != _owner || owner.Version != 1))
                throw new InvalidDataException($"{_path} belongs to user {owner.UserId}, version {owner.Version}");
            Apply(parsed);
        }

        _file.SetLength(good);
        _file.Position = good;
    }

    private void Apply(StateLine line)
    {
        if (line.Send is { } send)
        {
            if (_outbox.TryAdd(send.ClientMessageId, send)) _order.Add(send.ClientMessageId);
        }
        else if (line.Done is { } done)
        {
            _outbox.Remove(done);
            if (_order.Count > 64 && _order.Count > 4 * _outbox.Count) _order.RemoveAll(id => !_outbox.ContainsKey(id));
        }
        else if (line.Position is { } position)
        {
            _positions[position.ConversationId] = position.Seq;
        }
        else if (line.Cursor is { } cursor)
        {
            _cursor = cursor;
        }
    }

    private void Append(StateLine line)
    {
        JsonSerializer.Serialize(_file, line, StateJson.Default.StateLine);
        _file.WriteByte((byte)'\n');
    }

    private async Task WriteAsync()
    {
        var waiting = new List<TaskCompletionSource>();
        try
        {
            while (await _lines.Reader.WaitToReadAsync())
            {
                // All that wait share one fsync.
                while (waiting.Count < 1_024 && _lines.Reader.TryRead(out var next))
                {
                    Append(next.Line);
                    Apply(next.Line);
                    if (next.Durable is not null) waiting.Add(next.Durable);
                }

                _file.Flush(flushToDisk: waiting.Count > 0);
                foreach (var durable in waiting) durable.TrySetResult();
                waiting.Clear();
                if (_file.Length > CompactAbove && _file.Length > 2 * _compacted) Compact();
            }
        }
        catch (Exception e)
        {
            _lines.Writer.TryComplete(e);
            foreach (var durable in waiting) durable.TrySetException(e);
            while (_lines.Reader.TryRead(out var next)) next.Durable?.TrySetException(e);
            throw;
        }
    }

    // A new file takes the place of the old one only when it is whole on the disk.
    private void Compact()
    {
        var temporary = _path + ".new";
        var old = _file;
        _file = Open(temporary, FileMode.Create);
        Append(new() { Owner = new(1, _owner) });
        foreach (var id in _order)
            if (_outbox.TryGetValue(id, out var entry)) Append(new() { Send = entry });
        foreach (var (conversation, seq) in _positions) Append(new() { Position = new(conversation, seq) });
        if (_cursor is not null) Append(new() { Cursor = _cursor });
        _file.Flush(flushToDisk: true);
        File.Move(temporary, _path, overwrite: true);
        old.Dispose();
        _compacted = _file.Length;
    }
}
